"""Shards -> pre-trained encoder -> fine-tuned model per fold -> predictions."""


rule pretrain:
    input:
        shards=pretrain_shards,
        sent=pretrain_sent,
    output:
        checkpoint=weights(layout.PRETRAINED),
        files=beside_checkpoint(layout.PRETRAINED) + reconstructions(),
    log:
        output_path(layout.LOGS["pretrain"]),
    benchmark:
        output_path(layout.JOB_TIMES["pretrain"])
    priority: 1  # the longest job, and others wait for it
    conda:
        "../../envs/train.yaml"
    threads: CORES["pretrain"]
    resources:
        gpu=1,
        gpu_manufacturer="nvidia",
        machine=MACHINE["pretrain"],
        nodes=1,
    params:
        config=pretrain_config,
    shell:
        "python -m svfap.launch {resources.gpu}/{resources.nodes} pretrain --machine {resources.machine:q}"
        " --config {params.config:q} --shards {input.shards:q} --output {output.checkpoint:q} > {log:q} 2>&1"


rule finetune:
    input:
        pretrained=pretrained,
        shards=train_shards,
        validation=validation_shards,
        sent=finetune_sent,
    output:
        checkpoint=weights(layout.FINETUNED),
        files=beside_checkpoint(layout.FINETUNED),
    log:
        output_path(layout.LOGS["finetune"]),
    benchmark:
        output_path(layout.JOB_TIMES["finetune"])
    conda:
        "../../envs/train.yaml"
    threads: CORES["finetune"]
    resources:
        gpu=1,
        gpu_manufacturer="nvidia",
        machine=MACHINE["finetune"],
    params:
        config=finetune_config,
    shell:
        "python -m svfap.launch {resources.gpu} finetune --machine {resources.machine:q} --config {params.config:q}"
        " --pretrained {input.pretrained:q} --shards {input.shards:q} --validation {input.validation:q} --output {output.checkpoint:q} > {log:q} 2>&1"


rule evaluate:
    input:
        model=rules.finetune.output.checkpoint,
        shards=test_shards,
        sent=evaluate_sent,
    output:
        predictions=output_path(layout.PREDICTIONS),
        record=record_path(layout.PREDICTIONS),
        embedding=in_report(layout.EMBEDDING, "embedding.rst", "2 Figures"),
        attention=in_report(layout.ATTENTION, "attention.rst", "2 Figures"),
    log:
        output_path(layout.LOGS["evaluate"]),
    benchmark:
        output_path(layout.JOB_TIMES["evaluate"])
    conda:
        "../../envs/train.yaml"
    resources:
        gpu=1,
        gpu_manufacturer="nvidia",
        machine=MACHINE["evaluate"],
    params:
        config=evaluate_config,
    shell:
        "python -m svfap evaluate --machine {resources.machine:q} --config {params.config:q}"
        " --model {input.model:q} --shards {input.shards:q} --output {output.predictions:q} > {log:q} 2>&1"
