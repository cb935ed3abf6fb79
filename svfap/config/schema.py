"""The whole configuration: frozen, typed, and checked before the first job runs.

`config/config.yaml` is read into `Config`. Every stage receives only the keys that its output
depends on (`svfap.config.stage_sections`), so a changed key reruns no other job. The section
`machine` reaches the stages apart from these keys and reruns nothing.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from svfap.config.machine import MachineConfig
from svfap.config.model import ModelConfig
from svfap.config.paths import ExpandedPath
from svfap.config.section import Name, Section
from svfap.config.training import FinetuneConfig, PretrainConfig
from svfap.config.variants import Variant

Column = Literal["path", "id", "label", "subject", "fold", "start", "end"]
Detector = Literal["yunet", "centerface", "face-alignment", "face-alignment-sfd"]
Preset = Literal["auto", "openface", "voxceleb2", "frames"]
FIXED_PRESETS = ("voxceleb2", "frames")  # their squares do not depend on where the face is


class CropConfig(Section):
    """How to turn raw videos into face clips."""

    preset: Preset | None = Field(
        default=None, description="how to cut faces; null: as in the paper"
    )
    detector: Detector = Field(default="yunet", description="face detector")
    stream: int | None = Field(
        default=None,
        ge=0,
        description="number of a video's stream of pictures, from 0, not counting covers;"
        " null: the stream that ffmpeg takes",
    )
    speaker: Literal["main", "largest", "all"] = Field(
        default="main",
        description="clips per video: of the main face, of the largest, or one per face",
    )
    size: int = Field(default=160, ge=32, le=1024, description="side of a face clip in pixels")
    fps: float | None = Field(
        default=None, gt=0, le=240, description="frame rate of clips; null: the video's own"
    )
    margin: float = Field(
        default=0.25, ge=0, le=2, description="space around the face, in face sizes"
    )
    every: int = Field(default=5, ge=1, description="detect in every n-th frame, and after cuts")
    max_side: int = Field(
        default=640, ge=64, description="longest side of frames for detection, in pixels"
    )
    max_gap: float = Field(
        default=1.0, ge=0, description="longest gap in a track to fill, in seconds"
    )
    min_score: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="lowest confidence of a detection; null: the detector's own",
    )
    min_rate: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="lowest share of searched frames in which a clip's face is found",
    )
    missing: Literal["reject", "hold", "blank"] = Field(
        default="reject",
        description="what clips show where the face is missing; reject: nothing, the clip ends;"
        " hold: the place where it was last seen; blank: black frames",
    )
    min_frames: int = Field(default=8, ge=1, description="reject shorter clips")
    smoothing: float = Field(
        default=0.4, ge=0, description="seconds over which face positions are averaged"
    )
    quality: int = Field(default=92, ge=1, le=100, description="JPEG quality of face clips")
    max_rejects: float = Field(
        default=0.2, ge=0, le=1, description="highest share of rejected videos; more is an error"
    )
    keep: bool = Field(
        default=True,
        description="false: delete the face clips once they are in shards; set it before the first"
        " run, because a change crops and trains again",
    )

    @model_validator(mode="after")
    def _one_face_of_the_whole_video(self) -> "CropConfig":
        if self.missing != "reject" and self.speaker == "all":
            raise ValueError(
                f"missing: {self.missing} makes one clip of a whole video; set speaker to main or"
                " largest, or missing to reject"
            )
        return self


class ShardConfig(Section):
    """How to pack face clips into WebDataset shards."""

    format: Literal["jpeg", "raw"] = Field(
        default="jpeg", description="raw: ten times the space, several times the reading speed"
    )
    # VoxCeleb2 then has 400 shards as JPEG, few enough to keep each of them open, and 4,300 as raw
    # pixels. Object stores take files of up to 5 GB at once.
    max_megabytes: int = Field(
        default=4000,
        ge=1,
        description="size of a shard; 4000: few enough files for a million clips, and small sets"
        " have one file per part",
    )


class DatasetConfig(Section):
    """Choices for one dataset; its facts are in `svfap/datasets`."""

    csv: ExpandedPath | None = Field(
        default=None, description="list of your own videos; null: a known dataset"
    )
    task: Literal["classification", "regression", "unlabelled"] = Field(
        default="classification", description="task of your own videos"
    )
    columns: dict[Column, str] = Field(
        default_factory=dict,
        description="columns that your CSV calls otherwise, such as {label: emotion};"
        " {subject: path} if each video shows another person",
    )
    classes: tuple[str, ...] = Field(
        default=(), description="order of your classes; (): as in the CSV"
    )
    folds: int = Field(default=5, ge=2, description="number of folds if the CSV names none")
    root: ExpandedPath | None = Field(
        default=None, description="folder of your copy; null: data/raw/NAME"
    )
    variant: str = Field(default="", description="one of `python -m svfap datasets NAME`")
    validation: float = Field(
        default=0, ge=0, le=0.5, description="share of training subjects for validation"
    )
    allow_incomplete: bool = Field(
        default=False, description="accept a copy that lacks clips or labels"
    )
    names_as_written: bool = Field(
        default=False, description="accept names in your CSV that look alike, or missing, as names"
    )
    changed_by: Literal["date", "content", "never"] = Field(
        default="date",
        description="how a changed video is noticed; content: a new date alone reruns nothing;"
        " never: raw videos may be deleted after cropping",
    )
    only: tuple[str, ...] = Field(default=(), description="folds to run; (): all")
    finetune: dict[str, Any] = Field(default_factory=dict, description="overrides of `finetune`")


class Config(Section):
    """All keys of `config/config.yaml`."""

    data: ExpandedPath = Field(
        default=Path("data"), description="folder of raw videos, face clips and shards"
    )
    results: ExpandedPath = Field(
        default=Path("results"), description="folder of checkpoints, predictions and tables"
    )
    seed: int = Field(default=0, description="seed of all random numbers")
    datasets: dict[Name, DatasetConfig] = Field(
        min_length=1, description="datasets to use, by name"
    )
    crop: CropConfig = CropConfig()
    shard: ShardConfig = ShardConfig()
    model: ModelConfig = ModelConfig()
    pretrain: PretrainConfig = PretrainConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    baseline: bool = Field(
        default=True, description="score a classical baseline too, and show it in every table"
    )
    protect: bool = Field(
        default=False, description="write-protect checkpoints, so that no run replaces them"
    )
    machine: MachineConfig = MachineConfig()
    variants: dict[Name, Variant] = Field(default_factory=dict, description="further runs, by name")

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
