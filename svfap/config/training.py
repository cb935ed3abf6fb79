"""The sections of pre-training and fine-tuning.

Defaults are the paper's recipe (arXiv 2401.00416, section 4). Where the paper does not state a
value, the default is VideoMAE's, because the paper follows VideoMAE.
"""

from typing import Literal

from pydantic import Field, model_validator

from svfap.config.paths import ExpandedPath
from svfap.config.section import Section

Precision = Literal["auto", "bf16", "fp16", "fp32"]
Activation = Literal["none", "sigmoid", "tanh"]
Pool = Literal["mean", "sites", "attention"]
LoraTarget = Literal["q", "k", "v", "proj", "fc1", "fc2"]  # names in `svfap/models/layers.py`
Tune = Literal["full", "probe", "lora"]
DROP_PATH = 0.1  # VideoMAE's, as the paper follows it


class OptimConfig(Section):
    """AdamW, warm-up, cosine decay; learning rates are per 256 clips and scale with the batch."""

    epochs: int = Field(default=100, ge=1, description="passes over the training clips")
    warmup_epochs: float = Field(default=5, ge=0, description="epochs of linear warm-up")
    batch_size: int = Field(default=256, ge=1, description="clips per step, over all devices")
    repeats: int = Field(default=1, ge=1, description="augmented crops per decoded clip")
    lr: float = Field(default=3e-4, gt=0, description="peak learning rate")
    min_lr: float = Field(default=1e-5, ge=0, description="last learning rate")
    weight_decay: float = Field(default=0.05, ge=0, description="weight decay of AdamW")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="betas of AdamW")
    clip_grad: float | None = Field(
        default=None, description="highest gradient norm; null: no clipping"
    )
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="decay of averaged weights; null: no averaging"
    )
    precision: Precision = Field(default="auto", description="auto: bf16 on a GPU, fp32 on a CPU")
    max_skips: int = Field(
        default=10, ge=1, description="stop after this many steps in a row without a finite loss"
    )


class PretrainConfig(Section):
    """Masked facial video autoencoding (paper sections 3.2 and 4.1)."""

    datasets: tuple[str, ...] = Field(
        default=(), description="names under `datasets` to pre-train on"
    )
    checkpoint: ExpandedPath | None = Field(
        default=None,
        description="start from this model: a file, an exported folder, or a public model of"
        " `python -m svfap weights`; null: pre-train one",
    )
    accept_licences: tuple[str, ...] = Field(
        default=(), description="licences of public models that you accept, such as CC-BY-NC-4.0"
    )
    stride: int = Field(default=4, ge=1, description="distance between sampled frames")
    mask_ratio: float = Field(default=0.9, gt=0, lt=1, description="share of masked tokens")
    target_fraction: float = Field(
        default=1, gt=0, le=1, description="share of the masked tokens to decode and score"
    )
    min_crop: float = Field(
        default=0.66, gt=0, le=1, description="shortest side of a random crop, as a share"
    )
    fusion: bool = Field(default=True, description="decode the sum of all stages; false: the last")
    fraction: float = Field(default=1, gt=0, le=1, description="share of the clips to use")
    held_out: int = Field(
        default=0,
        ge=0,
        description="people to leave out, whose reconstruction is drawn and measured; 0: the"
        " picture shows training clips",
    )
    seed: int | None = Field(default=None, description="seed of pre-training; null: the run's")
    optim: OptimConfig = OptimConfig()


class ProbeConfig(Section):
    """A head on features of the frozen encoder; rates are V-JEPA's for its frozen evaluation.

    They are in facebookresearch/jepa, `configs/evals/vith16_k400_16x8x3.yaml`: 64 GPUs with 4 clips
    each make the 256 clips that rates here are for.
    """

    views: int = Field(default=2, ge=1, description="views per clip to learn from, spread evenly")
    flip: bool = Field(default=False, description="learn from mirrored views too")
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate, in place of optim.lr")
    weight_decay: float = Field(
        default=0.01, ge=0, description="weight decay, in place of optim.weight_decay"
    )


class LoraConfig(Section):
    """Low-rank updates of frozen layers (LoRA, arXiv 2106.09685).

    Rank, layers and rate are its authors' for RoBERTa base on MNLI: 5e-4 at 128 sequences a step,
    which is 1e-3 per 256. Alpha is 16 in their script and 8 in the paper (appendix D, table 9).
    """

    rank: int = Field(default=8, ge=1, description="rank of each update")
    alpha: float = Field(default=8, gt=0, description="updates are scaled by alpha / rank")
    targets: tuple[LoraTarget, ...] = Field(
        default=("q", "v"), min_length=1, description="linear layers of each block to update"
    )
    lr: float = Field(default=1e-3, gt=0, description="peak learning rate, in place of optim.lr")


class FinetuneConfig(Section):
    """Fine-tuning on one dataset (paper section 4.1)."""

    stride: int | None = Field(
        default=None, ge=1, description="distance between sampled frames; null: dataset's"
    )
    init: Literal["pretrained", "scratch"] = Field(
        default="pretrained", description="weights to start from; scratch: random ones"
    )
    tune: Tune = Field(
        default="full",
        description="weights to train: all; a head on frozen features (probe); or low-rank updates"
        " and the head (lora)",
    )
    freeze: int = Field(
        default=0, ge=0, description="first blocks that stay as pre-trained, with `tune: full`"
    )
    pool: Pool = Field(
        default="mean",
        description="how the head pools tokens; sites: the mean over time at each site, which tells"
        " places apart and helps small models; attention: by a learned query",
    )
    probe: ProbeConfig = ProbeConfig()
    lora: LoraConfig = LoraConfig()
    final: bool = Field(
        default=False, description="train once more on all clips, for use on new videos"
    )
    layer_decay: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="factor of the learning rate from layer to layer, with `tune: full`",
    )
    drop_path: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="rate at which the last block is dropped; null: 0.1, and 0 for a probe",
    )
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="probability spread over all classes"
    )
    mixup: float = Field(default=0.8, ge=0, description="alpha of mixup; 0: none")
    cutmix: float = Field(default=1.0, ge=0, description="alpha of CutMix; 0: none")
    min_crop: float = Field(
        default=0.08, gt=0, le=1, description="smallest area of a random crop, as a share"
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a horizontal flip")
    rand_augment: str = Field(
        default="rand-m7-n4-mstd0.5-inc1", description="RandAugment in timm's notation; '': none"
    )
    erasing: float = Field(default=0.25, ge=0, le=1, description="probability of random erasing")
    activation: Activation = Field(
        default="none", description="activation of the head, for regression"
    )
    target_scale: Literal["standardise", "raw"] | None = Field(
        default=None,
        description="regress values with mean 0 and deviation 1, or raw ones;"
        " null: raw for datasets of the paper and with an activation",
    )
    fusion: bool = Field(default=False, description="pool the sum of all stages; false: the last")
    fraction: float = Field(default=1, gt=0, le=1, description="share of each class to use")
    balance: Literal["none", "sampler", "loss"] = Field(
        default="none", description="sampler: oversample rare classes; loss: reweight them"
    )
    views: int = Field(default=2, ge=1, description="test clips per video, spread evenly")
    optim: OptimConfig = OptimConfig(batch_size=96, lr=1e-3, min_lr=1e-6, betas=(0.9, 0.999))

    @model_validator(mode="after")
    def _tunable(self) -> "FinetuneConfig":
        if self.init == "scratch" and (self.tune != "full" or self.freeze):
            key = f"tune: {self.tune}" if self.tune != "full" else "freeze"
            raise ValueError(
                f"{key} keeps random weights with init: scratch; remove one of the two"
            )
        if self.freeze and self.tune != "full":
            raise ValueError(f"tune: {self.tune} freezes all blocks; remove freeze")
        if self.tune == "probe" and self.drop_path:
            raise ValueError("tune: probe trains no block to drop; remove drop_path")
        return self

    @property
    def dropped(self) -> float:
        """Rate at which the last block is dropped in training."""
        default = 0.0 if self.tune == "probe" else DROP_PATH
        return default if self.drop_path is None else self.drop_path

    @property
    def rates(self) -> OptimConfig:
        """The optimiser's settings with the rates of `tune`."""
        if self.tune == "probe":
            own = {"lr": self.probe.lr, "weight_decay": self.probe.weight_decay}
            return self.optim.model_copy(update=own)
        if self.tune == "lora":
            return self.optim.model_copy(update={"lr": self.lora.lr})
        return self.optim
