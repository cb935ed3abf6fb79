"""The one configuration: frozen, typed, checked in full before the first job runs.

`config/config.yaml` is read into `Config`; every stage is handed just the section it needs, so
that a changed key reruns exactly what depends on it. Defaults are the paper's recipe (arXiv
2401.00416, section 4); where the paper is silent, VideoMAE's, which it follows.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from svfap.config.section import Name, Section
from svfap.config.variants import Variant

Detector = Literal["yunet", "centerface", "face-alignment", "face-alignment-sfd"]
Preset = Literal["auto", "openface", "voxceleb2", "frames"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]
Activation = Literal["none", "sigmoid", "tanh"]


class CropConfig(Section):
    """From raw video to face clips."""

    preset: Preset | None = Field(default=None, description="null: as the paper crops the dataset")
    detector: Detector = Field(default="yunet", description="face detector back end")
    speaker: Literal["main", "largest", "all"] = Field(
        default="main", description="whose clip: the main face's, the largest's, or one of each"
    )
    size: int = Field(default=160, ge=32, le=1024, description="side of the face clip in pixels")
    fps: float | None = Field(default=None, gt=0, le=240, description="null: the video's own")
    margin: float = Field(default=0.25, ge=0, le=2, description="room around the face, in faces")
    every: int = Field(default=5, ge=1, description="detect in every n-th frame and on cuts")
    max_side: int = Field(default=640, ge=64, description="frames are shrunk to this for detection")
    max_gap: float = Field(default=1.0, ge=0, description="seconds without a face to fill in")
    min_score: float | None = Field(
        default=None, gt=0, lt=1, description="least detection confidence; null: the detector's own"
    )
    min_rate: float = Field(
        default=0.5, gt=0, le=1, description="least share of a clip's looks that show its face"
    )
    min_frames: int = Field(default=8, ge=1, description="shorter clips are rejected")
    smoothing: float = Field(default=0.4, ge=0, description="window in seconds")
    quality: int = Field(default=92, ge=1, le=100, description="JPEG quality of the face frames")
    max_rejects: float = Field(default=0.2, ge=0, le=1, description="tolerated share of rejects")


class ShardConfig(Section):
    """From face clips to WebDataset shards."""

    format: Literal["jpeg", "raw"] = Field(
        default="jpeg", description="raw: ten times the space, read at several times the speed"
    )
    max_megabytes: int = Field(default=256, ge=1, description="size at which a new shard is begun")


class ModelConfig(Section):
    """TPSBT encoder and pre-training decoder (paper section 3.1); defaults are SVFAP-B."""

    image_size: int = Field(default=160, ge=16)
    patch_size: int = Field(default=16, ge=1)
    num_frames: int = Field(default=16, ge=2)
    tubelet: int = Field(default=2, ge=1)
    dim: int = Field(default=512, ge=8, description="width C")
    heads: int = Field(default=8, ge=1)
    depths: tuple[int, ...] = Field(default=(12, 6, 3), description="blocks of each stage")
    pyramid: Literal["conv", "avg", "max", "none"] = Field(
        default="conv", description="how later stages lower the frame rate; none: they do not"
    )
    temporal_kernel: int = Field(default=2, ge=1, description="slices merged between two stages")
    bottleneck: bool = Field(default=True, description="false: plain blocks in every stage")
    bottleneck_tokens: int = Field(default=8, ge=1, description="G, tokens per frame after stage 1")
    decoder_dim: int = Field(default=384, ge=8)
    decoder_heads: int = Field(default=6, ge=1)
    decoder_depth: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        slices = self.num_frames // self.tubelet
        merged = self.temporal_kernel ** (len(self.depths) - 1)
        rules = {
            "image_size must be a multiple of patch_size": self.image_size % self.patch_size,
            "dim must be a multiple of heads": self.dim % self.heads,
            "decoder_dim must be a multiple of decoder_heads": self.decoder_dim
            % self.decoder_heads,
            "num_frames must be a multiple of tubelet": self.num_frames % self.tubelet,
            f"num_frames must be a multiple of {self.tubelet * merged} (tubelet, times"
            " temporal_kernel once per stage after the first)": slices % merged,
        }
        for rule, remainder in rules.items():
            if remainder:
                raise ValueError(rule)
        return self


class OptimConfig(Section):
    """AdamW, warm-up and cosine decay; learning rates are per 256 clips and scaled by the batch."""

    epochs: int = Field(default=100, ge=1)
    warmup_epochs: float = Field(default=5, ge=0)
    batch_size: int = Field(default=256, ge=1, description="clips per step, over all devices")
    device_batch: int | None = Field(
        default=None, ge=1, description="clips that a device takes at once; gradients add up"
    )
    repeats: int = Field(default=1, ge=1, description="crops taken of each decoded clip")
    lr: float = Field(default=3e-4, gt=0)
    min_lr: float = Field(default=1e-5, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    clip_grad: float | None = Field(default=None, description="largest gradient norm")
    ema: float | None = Field(default=None, gt=0, lt=1, description="decay of averaged weights")
    precision: Precision = Field(default="auto", description="auto: bf16 on a GPU, fp32 on a CPU")
    compile: bool = Field(default=False, description="torch.compile the model")
    max_skips: int = Field(default=10, ge=1, description="steps in a row without a finite loss")
    workers: int | None = Field(
        default=None, ge=0, description="loader processes; null: with a GPU, all cores but one"
    )
    save_minutes: float = Field(default=10, gt=0, description="time between two checkpoints")


class PretrainConfig(Section):
    """Masked facial video autoencoding (paper sections 3.2 and 4.1)."""

    datasets: tuple[str, ...] = Field(default=(), description="names under `datasets`")
    checkpoint: Path | None = Field(default=None, description="take this, pre-train nothing")
    stride: int = Field(default=4, ge=1, description="distance between sampled frames")
    mask_ratio: float = Field(default=0.9, gt=0, lt=1)
    target_fraction: float = Field(
        default=1, gt=0, le=1, description="share of the masked tokens that is decoded and scored"
    )
    min_crop: float = Field(default=0.66, gt=0, le=1, description="least side of the crop")
    fusion: bool = Field(default=True, description="decode the sum of all stages, not the last")
    fraction: float = Field(default=1, gt=0, le=1, description="share of the clips that is used")
    seed: int | None = Field(default=None, description="null: the run's own")
    optim: OptimConfig = OptimConfig()


class FinetuneConfig(Section):
    """Fine-tuning on one dataset (paper section 4.1)."""

    stride: int | None = Field(default=None, ge=1, description="null: the dataset's own")
    init: Literal["pretrained", "scratch"] = "pretrained"
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    mixup: float = Field(default=0.8, ge=0)
    cutmix: float = Field(default=1.0, ge=0)
    min_crop: float = Field(default=0.08, gt=0, le=1, description="least area of the random crop")
    flip: float = Field(default=0.5, ge=0, le=1)
    rand_augment: str = Field(
        default="rand-m7-n4-mstd0.5-inc1", description="timm notation; '': none"
    )
    erasing: float = Field(default=0.25, ge=0, le=1)
    activation: Activation = Field(default="none", description="of the head, for regression")
    fusion: bool = Field(default=False, description="pool the sum of all stages, not the last")
    fraction: float = Field(default=1, gt=0, le=1, description="share of each class that is used")
    balance: Literal["none", "sampler", "loss"] = Field(
        default="none", description="rare classes are shown as often, or weigh as much in the loss"
    )
    views: int = Field(default=2, ge=1, description="test clips spread evenly over the video")
    optim: OptimConfig = OptimConfig(batch_size=96, lr=1e-3, min_lr=1e-6, betas=(0.9, 0.999))


class DatasetConfig(Section):
    """What is chosen for one dataset; its facts live in `svfap/datasets`."""

    csv: Path | None = Field(default=None, description="list of your own videos")
    task: Literal["classification", "regression", "unlabelled"] = Field(
        default="classification", description="of your own videos"
    )
    classes: tuple[str, ...] = Field(default=(), description="order of classes; (): as found")
    folds: int = Field(default=5, ge=2, description="folds, if the CSV names none")
    root: Path | None = Field(default=None, description="your copy; null: data/raw/NAME")
    variant: str = Field(default="", description="see `python -m svfap datasets NAME`")
    validation: float = Field(
        default=0, ge=0, le=0.5, description="share of training subjects held back to choose by"
    )
    allow_incomplete: bool = Field(default=False, description="go on with clips or labels missing")
    only: tuple[str, ...] = Field(default=(), description="folds to run; (): all")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")


class Config(Section):
    """The whole of `config/config.yaml`."""

    data: Path = Field(default=Path("data"), description="raw videos, face clips, shards")
    results: Path = Field(default=Path("results"), description="checkpoints, predictions, tables")
    seed: int = Field(default=0, description="of everything that is drawn at random")
    datasets: dict[Name, DatasetConfig] = Field(min_length=1, description="what to run on")
    crop: CropConfig = CropConfig()
    shard: ShardConfig = ShardConfig()
    model: ModelConfig = ModelConfig()
    pretrain: PretrainConfig = PretrainConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    variants: dict[Name, Variant] = Field(default_factory=dict, description="more runs, by name")

    @model_validator(mode="after")
    def _pretrain_data(self) -> "Config":
        unknown = sorted({*self.pretrain.datasets} - {*self.datasets})
        if unknown:
            raise ValueError(f"pretrain.datasets: '{unknown[0]}' is not under `datasets`; add it")
        scratch = self.finetune.init == "scratch"
        if not (self.pretrain.datasets or self.pretrain.checkpoint or scratch):
            raise ValueError(
                "pretrain needs `datasets` or a `checkpoint`, unless finetune.init is scratch"
            )
        return self
