"""Raw video -> face clips -> shards."""

# `priority: 1` in these rules: most other jobs wait for them.


rule download:
    input:
        csv=listing,
    output:
        manifest=output_path(layout.MANIFEST),
        videos=directory(output_path(layout.VIDEOS)),
        record=record_path(layout.MANIFEST),
    log:
        output_path(layout.LOGS["download"]),
    benchmark:
        output_path(layout.JOB_TIMES["download"])
    priority: 1
    conda:
        "../../envs/data.yaml"
    threads: CORES["download"]
    params:
        config=download_config,
        cuts=raw_cuts,  # changes with the videos that clips are cut from
    shell:
        "python -m svfap download --config {params.config:q}"
        " --dataset {wildcards.dataset} --output {output.manifest:q} > {log:q} 2>&1"


rule crop:
    input:
        manifest=rules.download.output.manifest,
        videos=ancient(rules.download.output.videos),
        record=ancient(rules.download.output.record),
    output:
        clips=output_path(layout.CLIPS),
        raw=output_path(layout.RAW_STATE),
        tables=[output_path(layout.QUALITY), output_path(layout.REJECTS)],
        faces=face_folder(),
        record=record_path(layout.CLIPS),
    log:
        output_path(layout.LOGS["crop"]),
    benchmark:
        output_path(layout.JOB_TIMES["crop"])
    priority: 1
    conda:
        "../../envs/data.yaml"
    params:
        config=crop_config,
        raw=raw_token,
    shell:
        "python -m svfap crop --config {params.config:q} --manifest {input.manifest:q}"
        " --part {wildcards.part:q} --workers {threads} --raw {params.raw}"
        " --output {output.clips:q} > {log:q} 2>&1"


rule shard:
    input:
        clips=rules.crop.output.clips,
        raw=rules.crop.output.raw,  # changes with a video, where clips.csv may stay as it is
        faces=ancient(rules.crop.output.faces),
        record=ancient(rules.crop.output.record),
    output:
        index=output_path(layout.SHARDS),
        tars=directory(output_path(layout.TARS)),
        record=record_path(layout.SHARDS),
    log:
        output_path(layout.LOGS["shard"]),
    benchmark:
        output_path(layout.JOB_TIMES["shard"])
    priority: 1
    conda:
        "../../envs/data.yaml"
    params:
        config=shard_config,
    shell:
        "python -m svfap shard --config {params.config:q} --clips {input.clips:q}"
        " --output {output.index:q} > {log:q} 2>&1"
