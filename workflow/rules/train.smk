"""Shards -> pre-trained encoder -> fine-tuned model per fold -> predictions."""


rule pretrain:
    input:
        shards=pretrain_shards,
    output:
        checkpoint=f"{RESULTS}/pretrain/checkpoint.pt",
        curve=f"{RESULTS}/pretrain/curve.csv",
        picture=report(
            f"{RESULTS}/pretrain/reconstruction.png",
            caption="../report/reconstruction.rst",
            category="Pre-training",
        ),
    log:
        f"{RESULTS}/logs/pretrain.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 16
    resources:
        gpus=1,
    params:
        config=PLAN.pretrain().model_dump_json(),
    shell:
        "python -m svfap.launch {resources.gpus} pretrain --config {params.config:q}"
        " --shards {input.shards:q} --output {output.checkpoint:q} 2>&1 | tee -i {log:q}"


rule finetune:
    input:
        pretrained=pretrained,
        shards=train_shards,
        validation=validation_shards,
    output:
        checkpoint=f"{RESULTS}/finetune/{{dataset}}/{{fold}}/checkpoint.pt",
        curve=f"{RESULTS}/finetune/{{dataset}}/{{fold}}/curve.csv",
    log:
        f"{RESULTS}/logs/finetune/{{dataset}}/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{dataset}}/{{fold}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 8
    resources:
        gpus=1,
    params:
        config=finetune_config,
    shell:
        "python -m svfap.launch {resources.gpus} finetune --config {params.config:q}"
        " --pretrained {input.pretrained:q} --shards {input.shards:q}"
        " --validation {input.validation:q} --output {output.checkpoint:q} 2>&1 | tee -i {log:q}"


rule evaluate:
    input:
        model=rules.finetune.output.checkpoint,
        shards=test_shards,
    output:
        f"{RESULTS}/evaluate/{{dataset}}/{{fold}}/predictions.parquet",
    log:
        f"{RESULTS}/logs/evaluate/{{dataset}}/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{dataset}}/{{fold}}.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        config=evaluate_config,
    shell:
        "python -m svfap evaluate --config {params.config:q} --dataset {wildcards.dataset}"
        " --fold {wildcards.fold:q} --model {input.model:q} --shards {input.shards:q}"
        " --output {output:q} 2>&1 | tee -i {log:q}"
