"""Fixtures: a toy corpus of real mp4 files, shards made from it, a model that trains in seconds."""

import os

os.environ.setdefault("MLFLOW_TRACKING_URI", "off")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many tests as cores run at once

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from svfap.config import ModelConfig
from svfap.demo.videos import render_video
from svfap.shards import Sample, write_shards
from svfap.video.facevideo import encode_jpeg

TOY_CLASSES = ("happy", "surprise")
TOY_SUBJECTS = (0, 1, 2, 3)
TOY_NAMES = (  # as users' files are called, and as nobody should call them
    "s0 happy.mp4",
    "-rf 'its'.mp4",
    '"quoted" & more; $(touch pwned).mp4',
    "`touch pwned`|>pwned.mp4",
    "{x} %s %d [1] *.mp4",
    "nai\u0308ve \U0001f600 \u05d0.mp4",
    "back\\slash #1?.mp4",
    f"{'long' * 55}.mp4",
)


@pytest.fixture(scope="session")
def toy_videos(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], Path]:
    """(subject, expression) -> a rendered H.264 mp4."""
    return render_toys(tmp_path_factory.mktemp("videos"))


def render_toys(folder: Path) -> dict[tuple[int, str], Path]:
    """Render a synthetic video of each subject and expression, under names that test a shell."""
    folder.mkdir(parents=True, exist_ok=True)
    videos = dict(
        zip(product(TOY_SUBJECTS, TOY_CLASSES), map(folder.joinpath, TOY_NAMES), strict=True)
    )
    for (subject, expression), path in videos.items():
        render_video(path, subject, expression)
    return videos


@pytest.fixture
def toy_model() -> ModelConfig:
    """The smallest model of the paper's structure: three stages, tubelets, bottleneck."""
    return ModelConfig(
        image_size=32,
        patch_size=8,
        num_frames=8,
        dim=24,
        heads=2,
        depths=(1, 2, 2),
        bottleneck_tokens=2,
        decoder_dim=16,
        decoder_heads=2,
        decoder_depth=1,
    )


def make_shards(
    folder: Path,
    targets: Sequence[float],
    *,
    frames: int = 12,
    side: int = 40,
    seed: int = 0,
    form: str = "jpeg",
) -> Path:
    """Shards of noise whose brightness tells the class, frame numbers in the corner pixel."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def samples():
        for number, target in enumerate(targets):
            key = f"c{seed}_{number:03d}"
            level = 60 + 120 * target
            video = rng.normal(level, 20, (frames, side, side, 3)).clip(0, 255).astype(np.uint8)
            jpegs = [encode_jpeg(cv2.blur(frame, (3, 3)), quality=95) for frame in video]
            yield Sample(key, key, f"p{number % 3}", (float(target),), 25.0), jpegs

    index = folder / "index.parquet"
    write_shards(index, samples(), max_bytes=10**7, form=form)
    return index
