"""The options of the GPU benchmark, and the sizes that it measures."""

from dataclasses import dataclass
from pathlib import Path

from svfap.config import ModelConfig
from svfap.shards.frame_format import FrameFormat

FORMS: tuple[FrameFormat, ...] = ("jpeg", "raw")
STRIDE, MIN_CROP = 4, 0.66  # the paper's pre-training (section 4.1)


@dataclass(frozen=True)
class Sizes:
    """The sizes of all measurements.

    Attributes:
        model: sizes of the model.
        batches: clips per batch; training and loading take the first.
        products: sides of the square matrices whose product gives the peak.
        copied: bytes of a copy.
        indexes: number of shard indexes per format; processes write them side by side.
        clips: number of clips per index of each format.
        frames: number of frames per clip.
        workers: numbers of loader processes.
        window: seconds of one measurement.
        training: seconds of the real training.
        agreement: clips per batch when devices are compared.
    """

    model: ModelConfig
    batches: tuple[int, ...]
    products: tuple[int, ...]
    copied: int
    indexes: int
    clips: dict[FrameFormat, int]
    frames: int
    workers: tuple[int, ...]
    window: float
    training: float
    agreement: int


FULL = Sizes(
    model=ModelConfig(),
    batches=(256, 128, 64),
    products=(4096, 8192, 16384),
    copied=2**30,
    indexes=16,
    # 2 GB of JPEGs and 4 GB of pixels: far more than the caches of the processor.
    clips={"jpeg": 96, "raw": 17},
    frames=200,
    workers=(2, 8, 15),
    window=4.0,
    training=60.0,
    agreement=4,
)
TINY = Sizes(
    model=ModelConfig(
        image_size=32,
        patch_size=8,
        num_frames=16,
        dim=24,
        heads=2,
        depths=(1, 2, 2),
        bottleneck_tokens=2,
        decoder_dim=16,
        decoder_heads=2,
        decoder_depth=1,
    ),
    batches=(4, 2),
    products=(256,),
    copied=2**20,
    indexes=2,
    clips={"jpeg": 8, "raw": 8},
    frames=70,
    workers=(1, 2),
    window=0.2,
    training=1.0,
    agreement=2,
)


@dataclass(frozen=True)
class Setting:
    """What every part of the benchmark receives.

    Attributes:
        out: folder of the results.
        work: folder of clips, compiled kernels and trainings.
        reference: a checkout of the authors' repository.
        tiny: whether to rehearse with sizes that take seconds on a CPU.
        batch: the only number of clips per batch to measure in part `steps`; None for all.
    """

    out: Path
    work: Path
    reference: Path | None
    tiny: bool
    batch: int | None = None

    @property
    def sizes(self) -> Sizes:
        """The sizes of all measurements."""
        return TINY if self.tiny else FULL
