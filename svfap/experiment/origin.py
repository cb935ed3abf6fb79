"""What the models of an experiment start from, in a sentence for tables and figures."""

from svfap.config import Config


def origin(config: Config, *, init: str, pretrain_notice: str) -> str:
    """Return the sentence; empty for models that start from random weights.

    Args:
        config: the configuration.
        init: `finetune.init` of the dataset.
        pretrain_notice: notices of the pre-training data, joined.
    """
    if init == "scratch":
        return ""
    if config.pretrain.checkpoint is not None:
        return f"Starts from the weights {config.pretrain.checkpoint.name}."
    names = f"Pre-trained on {', '.join(config.pretrain.datasets)}"
    return f"{names}: {pretrain_notice}" if pretrain_notice else f"{names}."
