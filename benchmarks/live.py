"""A camera on one core: windows per second of each form of a model, with the crop of its frames.

A camera has 25 frames per second, and a hop of 0.5 s needs 2 windows per second: in real time, the
crop of 25 frames and 2 windows cost at most one CPU second. The weights are random, which changes
no time. `--full` adds SVFAP-B.
"""

import logging
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.common import Headline, carphone, cpu_seconds, make_parser, report, spread
from svfap.config import FinetuneConfig, ModelConfig
from svfap.config.stage_sections import FinetuneJob
from svfap.models import VideoModel
from svfap.use.bundle import Bundle, ModelFacts
from svfap.use.exchange import to_int8, to_onnx
from svfap.use.live import FaceFollower
from svfap.use.onnx_file import OnnxScorer
from svfap.use.options import Options
from svfap.use.predictor import Predictor
from svfap.use.window_sampler import WindowSampler
from svfap.video.decode import read_frames
from svfap.video.image import Image
from svfap.video.resize import Frames

FPS, STRIDE, NEEDED = 25, 4, 2.0
WIDTH, HEIGHT = 640, 480
PLAIN, BF16, ONNX, INT8 = "torch, float32", "torch, bf16", "ONNX, float32", "ONNX, int8"
SIZES = {"SVFAP-S": {"dim": 384, "heads": 6, "depths": (8, 4, 2)}, "SVFAP-B": {}}


def main() -> None:
    """Measure cropping and all forms of the model, and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = make_parser(__doc__ or "")
    parser.add_argument("--video", type=Path, help="default: carphone, scaled to 640 x 480")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pictures = [
        np.asarray(cv2.resize(frame.bgr(), (WIDTH, HEIGHT)), np.uint8)
        for frame in read_frames(given.video or carphone())
    ]
    rows: list[dict[str, Any]] = []
    for size in SIZES if given.full else ["SVFAP-S"]:
        bundle = _bundle(ModelConfig(**SIZES[size]))
        predictor = Predictor(bundle, Options(hop=1 / NEEDED))
        crop = {"crop": partial(_crop_a_second, predictor, cycle(pictures))}
        cropping = spread(cpu_seconds(crop, rounds=given.rounds)["crop"])["median"]
        with tempfile.TemporaryDirectory() as folder:
            contenders = _contenders(bundle, Path(folder))
            taken = cpu_seconds(contenders, rounds=given.rounds)
        for name, seconds in taken.items():
            window = spread(seconds)["median"]
            rows.append(
                {
                    "name": f"{size}, {name}",
                    "window_seconds": window,
                    "crop_seconds": cropping,
                    "load": cropping + NEEDED * window,
                    "windows_per_second": (1 - cropping) / window,
                }
            )
    best, plain = rows[3], rows[0]
    headline = Headline(
        "SVFAP-S live, with its crop",
        best["windows_per_second"],
        "windows/s",
        plain["windows_per_second"],
        best["windows_per_second"] / plain["windows_per_second"],
    )
    report(headline, rows, path=given.json)


def _bundle(config: ModelConfig) -> Bundle:
    """Return a model of seven classes with random weights."""
    torch.manual_seed(0)
    job = FinetuneJob(
        seed=0,
        task="classification",
        targets=tuple("abcdefg"),
        stride=STRIDE,
        model=config,
        finetune=FinetuneConfig(),
    )
    facts = ModelFacts(job=job, crop={"preset": "auto"}, fps=float(FPS))
    return Bundle("random", facts, VideoModel(config, len(job.targets)).state_dict())


def _crop_a_second(predictor: Predictor, frames: Iterable[Image]) -> None:
    """Follow the face through the next 25 frames, and sample what the model sees."""
    follower, sampler = FaceFollower(predictor, fps=FPS), WindowSampler(predictor, fps=FPS)
    for number, frame in enumerate(islice(frames, FPS)):
        picture = follower.cut(frame).picture
        if picture is not None:
            sampler.add(picture, 1 + number / FPS)


def _contenders(bundle: Bundle, folder: Path) -> dict[str, Callable[[], object]]:
    """Return functions that score one window with each form of the model."""
    model = bundle.facts.job.model
    shape = (model.num_frames, model.image_size, model.image_size, 3)
    window: Frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    network = bundle.scorer()
    found: dict[str, Callable[[], object]] = {PLAIN: partial(network.score, [window])}
    video = torch.from_numpy(window[None])

    @torch.inference_mode()
    def bf16() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network(video)

    found[BF16] = bf16
    for name, write in ((ONNX, to_onnx), (INT8, to_int8)):
        path = folder / f"{write.__name__}.onnx"
        write(bundle, path)
        found[name] = partial(OnnxScorer(path, model.image_size).score, [window])
    return found


if __name__ == "__main__":
    main()
