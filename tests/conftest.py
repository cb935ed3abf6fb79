"""Fixtures: a toy corpus of real mp4 files, shards made from it, a model that trains in seconds."""

import os
import signal

os.environ.setdefault("MLFLOW_TRACKING_URI", "off")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so; the processes of tests of Ctrl-C would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many tests as cores run at once

from pathlib import Path

import pytest
from helpers.toy_videos import render_toys

from svfap.config import ModelConfig


@pytest.fixture(scope="session")
def toy_videos(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], Path]:
    """(subject, expression) -> a rendered H.264 mp4."""
    return render_toys(tmp_path_factory.mktemp("videos"))


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
