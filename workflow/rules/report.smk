"""Predictions and a classical baseline -> tables and figures, which `snakemake --report` shows."""


rule baseline:
    input:
        shards=baseline_shards,
    output:
        output_path(layout.BASELINE),
    log:
        output_path(layout.LOGS["baseline"]),
    benchmark:
        output_path(layout.JOB_TIMES["baseline"])
    conda:
        "../../envs/data.yaml"
    params:
        config=baseline_config,
    shell:
        "python -m svfap baseline --config {params.config:q} --shards {input.shards:q}"
        " --output {output:q} > {log:q} 2>&1"


rule cost:
    output:
        output_path(layout.COSTS),
    log:
        output_path(layout.LOGS["cost"]),
    benchmark:
        output_path(layout.JOB_TIMES["cost"])
    conda:
        "../../envs/train.yaml"
    params:
        config=cost_config,
    shell:
        "python -m svfap cost --config {params.config:q} --output {output:q} > {log:q} 2>&1"


rule tabulate:
    input:
        predictions=all_predictions(),
        curves=training_curves(),
        costs=rules.cost.output,
        crops=of_each_part(layout.CLIPS),
    output:
        table=output_path(layout.BENCHMARK),
        page=table_page("benchmark", "table.rst", "1 Tables"),
        rejects=table_page("rejects", "rejects.rst", "4 Data"),
        variants=variant_tables(),
        runs=table_page("runs", "runs.rst", "5 Provenance"),
        files=[output_path(layout.BENCHMARK.beside(name)) for name in TABLE_FILES],
        classes=class_figures(),
        curves=curve_figures(),
    log:
        output_path(layout.LOGS["tabulate"]),
    conda:
        "../../envs/data.yaml"
    params:
        config=tabulate_config,
    shell:
        "python -m svfap tabulate --config {params.config:q}"
        " --predictions {input.predictions:q} --curves {input.curves:q}"
        " --crops {input.crops:q} --costs {input.costs:q} --output {output.table:q} > {log:q} 2>&1"


rule review:
    input:
        crops=dataset_crops,
        raw=dataset_raw,
    output:
        sheet=in_report(layout.CROPS_FIGURE, "crops.rst", "4 Data"),
        figures=in_report(layout.CROP_QUALITY_FIGURE, "crops.rst", "4 Data"),
    log:
        output_path(layout.LOGS["review"]),
    conda:
        "../../envs/data.yaml"
    params:
        config=review_config,
    shell:
        "python -m svfap review --config {params.config:q} --crops {input.crops:q}"
        " --output {output.sheet:q} > {log:q} 2>&1"
