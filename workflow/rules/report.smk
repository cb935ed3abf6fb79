"""Predictions and a classical baseline -> tables and figures, which `snakemake --report` shows."""


rule baseline:
    input:
        shards=baseline_shards,
        sent=baseline_sent,
    output:
        predictions=output_path(layout.BASELINE),
        record=record_path(layout.BASELINE),
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
        " --output {output.predictions:q} > {log:q} 2>&1"


rule cost:
    output:
        costs=output_path(layout.COSTS),
        record=record_path(layout.COSTS),
    log:
        output_path(layout.LOGS["cost"]),
    benchmark:
        output_path(layout.JOB_TIMES["cost"])
    conda:
        "../../envs/train.yaml"
    params:
        config=cost_config,
    shell:
        "python -m svfap cost --config {params.config:q} --output {output.costs:q} > {log:q} 2>&1"


rule tabulate:
    input:
        predictions=all_predictions(),
        curves=training_curves(),
        costs=rules.cost.output.costs,
        crops=of_each_part(layout.CLIPS),
        sent=[*of_each_part(layout.REJECTS), *tabulate_sent()],
    output:
        table=output_path(layout.BENCHMARK),
        pages=report_pages(),
        files=[output_path(layout.BENCHMARK.beside(name)) for name in TABLE_FILES],
        figures=[*result_figures(), *curve_figures()],
        record=record_path(layout.BENCHMARK),
    log:
        output_path(layout.LOGS["tabulate"]),
    benchmark:
        output_path(layout.JOB_TIMES["tabulate"])
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
        crops=of_parts(layout.CLIPS),
        raw=of_parts(layout.RAW_STATE),
        quality=of_parts(layout.QUALITY),
        sent=ancient(of_parts(layout.FACES, layout.record(layout.CLIPS))),
    output:
        sheet=in_report(layout.CROPS_FIGURE, "crops.rst", "4 Data"),
        figures=in_report(layout.CROP_QUALITY_FIGURE, "crops.rst", "4 Data"),
        record=record_path(layout.CROPS_FIGURE),
    log:
        output_path(layout.LOGS["review"]),
    benchmark:
        output_path(layout.JOB_TIMES["review"])
    conda:
        "../../envs/data.yaml"
    params:
        config=review_config,
    shell:
        "python -m svfap review --config {params.config:q} --crops {input.crops:q}"
        " --output {output.sheet:q} > {log:q} 2>&1"
