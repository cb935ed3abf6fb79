"""Raw video -> face clips -> shards."""


rule download:
    input:
        csv=listing,
    output:
        f"{DATA}/raw/{{dataset}}/manifest.csv",
    log:
        f"{RESULTS}/logs/download/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/download/{{dataset}}.tsv"
    conda:
        "../../envs/data.yaml"
    threads: THREADS["download"]
    params:
        config=download_config,
    shell:
        "python -m svfap download --config {params.config:q}"
        " --dataset {wildcards.dataset} --output {output:q} 2>&1 | tee -i {log:q}"


rule crop:
    input:
        manifest=rules.download.output,
    output:
        f"{DATA}/crops/{{dataset}}/{{part}}/clips.csv",
    log:
        f"{RESULTS}/logs/crop/{{dataset}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/crop/{{dataset}}/{{part}}.tsv"
    conda:
        "../../envs/data.yaml"
    params:
        config=crop_config,
    shell:
        "python -m svfap crop --config {params.config:q} --manifest {input.manifest:q}"
        " --part {wildcards.part:q} --workers {threads} --output {output:q} 2>&1 | tee -i {log:q}"


rule shard:
    input:
        clips=rules.crop.output,
    output:
        f"{DATA}/shards/{{dataset}}/{{part}}/index.parquet",
    log:
        f"{RESULTS}/logs/shard/{{dataset}}/{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shard/{{dataset}}/{{part}}.tsv"
    conda:
        "../../envs/data.yaml"
    params:
        config=shard_config,
    shell:
        "python -m svfap shard --config {params.config:q} --clips {input.clips:q}"
        " --output {output:q} 2>&1 | tee -i {log:q}"
