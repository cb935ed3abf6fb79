"""Rates of this machine: the real stages on a few real and rendered videos, about a minute.

Stages run on one thread and CPU time is counted, so that what else the machine does disturbs
little. The model, the recipe and the crops are the configuration's.
"""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2

from svfap.config import CropConfig, ShardConfig
from svfap.datasets.dataset import Clip, write_manifest
from svfap.demo import real_clips
from svfap.demo.videos import render_video
from svfap.errors import SvfapError
from svfap.experiment import runs
from svfap.experiment.resolve import Experiment
from svfap.planning.rates import Rates
from svfap.planning.timing import silent, timed
from svfap.tracking.environment import set_tracking_defaults
from svfap.video.decode import declared_frames, read_frames

EXPRESSIONS = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
PART = "part"


def calibrate(plan: Experiment) -> Rates:
    """Measure all rates with a configuration's model, recipe and crops.

    Raises:
        SvfapError: a stage fails, for example because the disk is full.
    """
    with tempfile.TemporaryDirectory() as name, _tracked_in(Path(name)) as folder:
        cv2.setNumThreads(1)
        seconds, jpeg_bytes = _data(plan, folder)
        seconds |= _starts(plan, folder)
        from svfap.planning import calibrate_training

        targets = next(iter(plan.labelled))
        seconds |= calibrate_training.rates(plan, targets, folder)
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs"
    model = f"{plan.config.model.dim} wide, {plan.config.model.image_size} pixels"
    return Rates(seconds, jpeg_bytes, f"calibrated on {machine}, with a model {model}")


def _data(plan: Experiment, folder: Path) -> tuple[dict[str, float], float]:
    """Rendering, decoding, searching, writing, packing and reviewing; and bytes of a pixel."""
    from svfap.stages import crop, shard

    name = next(iter(plan.labelled))
    clips, drawn = _videos(folder / "raw")
    crops = folder / "crops" / "clips.csv"
    frames = sum(declared_frames(clip.path) for clip in clips)
    config = plan.crop(name).model_copy(update={"max_rejects": 0.9})

    def cut(preset: str, place: str, clips: list[Clip] = clips) -> float:
        manifest, output = folder / place / "manifest.csv", folder / place / "clips.csv"
        output.parent.mkdir()
        write_manifest(manifest, clips)
        chosen = config.model_copy(update={"preset": preset})
        arguments = {"manifest": manifest, "part": PART, "output": output, "workers": 1}
        return timed(lambda: crop.run(chosen, **arguments, log=silent))  # type: ignore[arg-type]

    cut("auto", "warm")
    pixels, looked = _pixels(clips, config)
    decoding = timed(lambda: _decode(clips))
    first, whole = cut("frames", "first", clips[:1]), cut("frames", "whole")
    searching = cut("auto", "crops") - whole
    share = declared_frames(clips[0].path) / frames
    begun = max(0.0, (first - share * whole) / (1 - share))
    index = folder / "shards" / "index.parquet"
    packing = timed(lambda: shard.run(ShardConfig(), clips=crops, output=index, log=silent))
    written = frames * config.size**2
    kept = sum(path.stat().st_size for path in crops.parent.glob("faces/*.mkv"))
    return {
        "frames drawn": drawn,
        "megapixels decoded": decoding / pixels,
        "cropping begun": begun,
        "megapixels searched": max(0.0, searching) / looked,
        "megapixels written": max(0.0, whole - begun - decoding) / (written / 1e6),
        "frames packed": packing / frames,
        "sheets": _sheets(plan, name, crops),
    }, kept / written


def _sheets(plan: Experiment, name: str, crops: Path) -> float:
    """CPU seconds of a review, what it imports included."""

    def review() -> None:
        from svfap.stages import review

        output = crops.parent / "crops.png"
        review.run(plan.review(name), crops=[crops], output=output, log=silent)

    return timed(review)


def _videos(folder: Path) -> tuple[list[Clip], float]:
    """Seven rendered videos and a real one; and the CPU seconds of a rendered frame."""
    folder.mkdir(parents=True)
    clips = []
    drawn = 0.0
    for number, expression in enumerate(EXPRESSIONS):
        path = folder / f"{expression}.mp4"
        drawn += timed(partial(render_video, path, 0, expression))
        clips.append(Clip(expression, path, PART, "rendered", (float(number),)))
    real = Clip("carphone", folder / "carphone.mp4", PART, "real", (0.0,))
    real_clips.carphone(real.path)
    frames = sum(declared_frames(clip.path) for clip in clips)
    return [*clips, real], drawn / frames


def _pixels(clips: list[Clip], config: CropConfig) -> tuple[float, float]:
    """Megapixels of all frames, and of those that are searched, as far as they are shrunk."""
    total = looked = 0.0
    for clip in clips:
        width, height = next(iter(read_frames(clip.path))).size
        pixels = declared_frames(clip.path) * width * height / 1e6
        total += pixels
        looked += pixels * min(1.0, config.max_side / max(width, height)) ** 2 / config.every
    return total, looked


def _decode(clips: list[Clip]) -> None:
    for clip in clips:
        for frame in read_frames(clip.path):
            frame.bgr()


def _starts(plan: Experiment, folder: Path) -> dict[str, float]:
    """What a job costs besides its work: the interpreter, imports, MLflow."""
    light = ("shard", "--config", "{}", "--clips", folder / "crops" / "clips.csv", "--output",
             folder / "start" / "index.parquet")  # fmt: skip
    cost = runs.cost(runs.expand(plan)).model_dump_json()
    heavy = ("cost", "--config", cost, "--output", folder / "tables" / "costs.csv")
    return {"start": timed(lambda: _call(*light)), "start torch": timed(lambda: _call(*heavy))}


def _call(*arguments: str | Path) -> None:
    """Run a stage in a process of its own, as the workflow does."""
    command = [sys.executable, "-m", "svfap", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SvfapError(f"calibration: {done.stderr.strip().splitlines()[-1]}")


@contextlib.contextmanager
def _tracked_in(folder: Path) -> Iterator[Path]:
    """One thread, and MLflow in a folder unless it is off, until the end of the block."""
    before = dict(os.environ)
    if before.get("MLFLOW_TRACKING_URI") != "off":
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        set_tracking_defaults(folder)
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
