"""Shards -> pre-trained encoder -> fine-tuned model per fold -> predictions."""

PRETRAIN = f"{RESULTS}/{{run}}pretrain/reconstruction"


rule pretrain:
    input:
        shards=pretrain_shards,
    output:
        checkpoint=f"{RESULTS}/{{run}}pretrain/checkpoint.pt",
        curve=f"{RESULTS}/{{run}}pretrain/curve.csv",
        picture=shown(f"{PRETRAIN}.png", "reconstruction.rst", "3 Training"),
        video=shown(f"{PRETRAIN}.mp4", "reconstruction.rst", "3 Training"),
    log:
        f"{RESULTS}/logs/{{run}}pretrain.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{run}}pretrain.tsv"
    conda:
        "../../envs/train.yaml"
    threads: THREADS["pretrain"]
    resources:
        gpus=1,
        nodes=1,
    params:
        config=pretrain_config,
    shell:
        "python -m svfap.launch {resources.nodes}x{resources.gpus} pretrain --config {params.config:q}"
        " --shards {input.shards:q} --output {output.checkpoint:q} 2>&1 | tee -i {log:q}"


rule finetune:
    input:
        pretrained=pretrained,
        shards=train_shards,
        validation=validation_shards,
    output:
        checkpoint=f"{RESULTS}/{{run}}finetune/{{dataset}}/{{fold}}/checkpoint.pt",
        curve=f"{RESULTS}/{{run}}finetune/{{dataset}}/{{fold}}/curve.csv",
    log:
        f"{RESULTS}/logs/{{run}}finetune/{{dataset}}/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{run}}finetune/{{dataset}}/{{fold}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: THREADS["finetune"]
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
        predictions=PREDICTIONS,
        embedding=shown(beside("embedding.png"), "embedding.rst", "2 Figures"),
        attention=shown(beside("attention.png"), "attention.rst", "2 Figures"),
    log:
        f"{RESULTS}/logs/{{run}}evaluate/{{dataset}}/{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{run}}evaluate/{{dataset}}/{{fold}}.tsv"
    conda:
        "../../envs/train.yaml"
    resources:
        gpus=1,
    params:
        config=evaluate_config,
    shell:
        "python -m svfap evaluate --config {params.config:q} --dataset {wildcards.dataset}"
        " --fold {wildcards.fold:q} --model {input.model:q} --shards {input.shards:q}"
        " --output {output.predictions:q} 2>&1 | tee -i {log:q}"
