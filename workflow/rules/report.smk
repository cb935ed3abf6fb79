"""Predictions -> tables and figures, shown by `snakemake --report`."""

TABLES, FIGURES = f"{RESULTS}/tables", f"{RESULTS}/figures"
PREDICTIONS = f"{RESULTS}/evaluate/{{dataset}}/{{fold}}/predictions.parquet"


rule tabulate:
    input:
        predictions=per_fold(PREDICTIONS),
        curves=training_curves(f"{RESULTS}/{{run}}/curve.csv"),
        crops=per_part(f"{DATA}/crops/{{dataset}}/{{part}}/clips.csv"),
    output:
        table=f"{TABLES}/benchmark.md",
        page=shown(f"{TABLES}/benchmark.html", "table.rst", "Results"),
        rejects=shown(f"{TABLES}/rejects.html", "rejects.rst", "Data"),
        files=expand(f"{TABLES}/{{name}}", name=TABLE_FILES),
        confusion=confusions(FIGURES),
        curves=curve_figures(FIGURES),
    log:
        f"{RESULTS}/logs/tabulate.log",
    conda:
        "../../envs/data.yaml"
    params:
        config=PLAN.tabulate().model_dump_json(),
    shell:
        "python -m svfap tabulate --config {params.config:q}"
        " --predictions {input.predictions:q} --curves {input.curves:q}"
        " --crops {input.crops:q} --output {output.table:q} 2>&1 | tee -i {log:q}"


rule review:
    input:
        crops=dataset_crops,
    output:
        sheet=shown(f"{FIGURES}/{{dataset}}/crops.png", "crops.rst", "Data"),
        figures=shown(f"{FIGURES}/{{dataset}}/crop_quality.png", "crops.rst", "Data"),
    log:
        f"{RESULTS}/logs/review/{{dataset}}.log",
    conda:
        "../../envs/data.yaml"
    params:
        config=review_config,
    shell:
        "python -m svfap review --config {params.config:q} --crops {input.crops:q}"
        " --output {output.sheet:q} 2>&1 | tee -i {log:q}"
