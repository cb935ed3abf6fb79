"""Predictions -> tables and figures, shown by `snakemake --report`."""

TABLES, FIGURES = f"{RESULTS}/tables", f"{RESULTS}/figures"


rule cost:
    output:
        f"{TABLES}/costs.csv",
    log:
        f"{RESULTS}/logs/cost.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        config=cost_config,
    shell:
        "python -m svfap cost --config {params.config:q} --output {output:q} 2>&1 | tee -i {log:q}"


rule tabulate:
    input:
        predictions=per_fold(PREDICTIONS),
        curves=training_curves(f"{RESULTS}/{{training}}/curve.csv"),
        costs=rules.cost.output,
        crops=per_part(f"{DATA}/crops/{{dataset}}/{{part}}/clips.csv"),
    output:
        table=f"{TABLES}/benchmark.md",
        page=shown(f"{TABLES}/benchmark.html", "table.rst", "1 Tables"),
        rejects=shown(f"{TABLES}/rejects.html", "rejects.rst", "4 Data"),
        variants=variant_tables(TABLES),
        runs=shown(f"{TABLES}/runs.html", "runs.rst", "5 Provenance"),
        files=expand(f"{TABLES}/{{name}}", name=TABLE_FILES),
        classes=class_figures(FIGURES),
        curves=curve_figures(FIGURES),
    log:
        f"{RESULTS}/logs/tabulate.log",
    conda:
        "../../envs/data.yaml"
    params:
        config=tabulate_config,
    shell:
        "python -m svfap tabulate --config {params.config:q}"
        " --predictions {input.predictions:q} --curves {input.curves:q}"
        " --crops {input.crops:q} --costs {input.costs:q} --output {output.table:q} 2>&1 | tee -i {log:q}"


rule review:
    input:
        crops=dataset_crops,
    output:
        sheet=shown(f"{FIGURES}/{{dataset}}/crops.png", "crops.rst", "4 Data"),
        figures=shown(f"{FIGURES}/{{dataset}}/crop_quality.png", "crops.rst", "4 Data"),
    log:
        f"{RESULTS}/logs/review/{{dataset}}.log",
    conda:
        "../../envs/data.yaml"
    params:
        config=review_config,
    shell:
        "python -m svfap review --config {params.config:q} --crops {input.crops:q}"
        " --output {output.sheet:q} 2>&1 | tee -i {log:q}"
