"""From raw video to scored clips: our stages against the same work done the usual way.

Both crop short pieces of two real videos, store the faces, train one small model on them for a few
epochs and score them, on one thread. The usual way detects faces in every frame, stores a JPEG file
per frame, and reads, resizes and augments frames one by one with PIL. Model, steps and views are
the same. The model is so small that its steps do not hide the rest, as if a GPU computed them. The
training clips are scored, since only speed counts. `--full` trains for the paper's 100 epochs.
"""

import logging
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.common import Headline, cpu_seconds, make_parser, report
from benchmarks.crop import BoxDetector, their_detector, their_faces, wide_carphone
from benchmarks.plain import FrameFolders, score, train
from svfap.config import CropConfig, FinetuneConfig, ModelConfig, OptimConfig, ShardConfig
from svfap.config.stage_sections import EvaluateJob, FinetuneJob
from svfap.datasets.dataset import Clip, write_manifest
from svfap.demo import real_clips
from svfap.evaluation import scoring
from svfap.shards.store import ClipStore
from svfap.stages import crop, finetune, shard
from svfap.tracking import stage_run
from svfap.training import checkpoint
from svfap.video.decode import read_frames
from svfap.video.encode import write_video

OURS, THEIRS = "ours", "usual way"
PIECE, FPS = 30, 25  # frames of a piece, frames per second
PART = "real"
CLASSES = ("carphone", "astronaut")
MODEL = ModelConfig(patch_size=32, dim=64, heads=2, depths=(1, 1, 1), decoder_heads=2)
Parts = dict[str, list[float]]  # part of the chain -> CPU seconds of each run


@dataclass
class Stopwatch:
    """Stopwatch for the CPU seconds of each part of the chain, with one value per run."""

    taken: Parts = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure the CPU seconds of a block."""
        start = stage_run.cpu_seconds()
        yield
        self.taken[name].append(stage_run.cpu_seconds() - start)


@dataclass(frozen=True)
class ChainTask:
    """The work that both ways do.

    Attributes:
        clips: the raw videos with their classes.
        job: model and recipe.
        folder: folder in which every run makes a new folder.
    """

    clips: Sequence[Clip]
    job: FinetuneJob
    folder: Path

    def new_folder(self) -> Path:
        """Make an empty folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def main() -> None:
    """Measure both ways and report the results."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = make_parser(__doc__ or "").parse_args()
    logging.getLogger("svfap").setLevel(logging.WARNING)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = ChainTask(_pieces(folder / "raw"), _job(epochs=100 if given.full else 20), folder)
        watches = {OURS: Stopwatch(), THEIRS: Stopwatch()}
        detector = their_detector()
        contenders: dict[str, Callable[[], object]] = {
            OURS: partial(_ours, task, watches[OURS]),
            THEIRS: partial(_theirs, task, watches[THEIRS], detector),
        }
        rounds = 3 if given.full else 1
        taken = cpu_seconds(contenders, rounds=rounds, clock=stage_run.cpu_seconds)
    views = len(task.clips) * task.job.finetune.views
    rows = [_row(name, taken[name], watches[name].taken, views) for name in contenders]
    ours, theirs = (row["clips_per_cpu_second"] for row in rows)
    title, unit = "raw video to scored clips", "scored clips per CPU second"
    headline = Headline(title, ours, unit, theirs, ours / theirs)
    report(headline, rows, path=given.json)


def _row(name: str, seconds: Sequence[float], parts: Parts, views: int) -> dict[str, Any]:
    """Return the results of one way; the first run of each part was the warm-up."""
    whole = median(seconds)
    apart = {f"{part}_cpu_s": median(values[1:]) for part, values in parts.items()}
    return {"name": name, "clips_per_cpu_second": views / whole, "cpu_s": whole, **apart}


def _pieces(folder: Path) -> list[Clip]:
    """Cut two real videos into short ones; each of the two real videos is a class."""
    folder.mkdir()
    sources = {name: folder / f"{name}.mp4" for name in CLASSES}
    wide_carphone(sources["carphone"])
    real_clips.astronaut(sources["astronaut"])
    clips: list[Clip] = []
    for label, (name, path) in enumerate(sources.items()):
        frames = (np.ascontiguousarray(frame.bgr()[..., ::-1]) for frame in read_frames(path))
        while piece := list(islice(frames, PIECE)):
            short = folder / f"{name}-{len(clips)}.mp4"
            write_video(short, piece, fps=FPS)
            clips.append(Clip(short.stem, short, PART, name, (float(label),)))
    return clips


def _job(*, epochs: int) -> FinetuneJob:
    """Return the model and a recipe that both ways can follow: crops and flips, but no mixing."""
    recipe = FinetuneConfig(
        init="scratch",
        mixup=0,
        cutmix=0,
        rand_augment="",
        erasing=0,
        drop_path=0,
        min_crop=0.5,
        label_smoothing=0,
        optim=OptimConfig(epochs=epochs, warmup_epochs=0, batch_size=8),
    )
    return FinetuneJob(
        seed=0, task="classification", targets=CLASSES, stride=2, model=MODEL, finetune=recipe
    )


def _ours(task: ChainTask, watch: Stopwatch) -> None:
    """Run our stages as the workflow does."""
    folder = task.new_folder()
    manifest, crops = folder / "manifest.csv", folder / "crops" / "clips.csv"
    index, model = folder / "shards" / "index.parquet", folder / "model" / "checkpoint.pt"
    model.parent.mkdir()
    with watch.part("crop"):
        write_manifest(manifest, task.clips)
        config = CropConfig(preset="auto")
        crop.run(config, manifest=manifest, part=PART, output=crops, workers=1, log=_silent)
    with watch.part("pack"):
        shard.run(ShardConfig(), clips=crops, output=index, log=_silent)
    with watch.part("train"):
        finetune.run(
            task.job, pretrained=[], shards=[index], validation=[], output=model, log=_silent
        )
    with watch.part("score"):
        network, job = checkpoint.load_model(model)
        views = EvaluateJob(views=job.finetune.views)
        scoring.predict(network, ClipStore([index]), job, views, shown=False)


def _theirs(task: ChainTask, watch: Stopwatch, detector: BoxDetector) -> None:
    """Detect faces in every frame, store a file per frame, and read the files with PIL."""
    folder = task.new_folder()
    with watch.part("crop"):
        for clip in task.clips:
            frames = folder / clip.key
            frames.mkdir()
            for number, face in enumerate(their_faces(clip.path, detector)):
                cv2.imwrite(str(frames / f"{number:04d}.jpg"), face)
    clips = FrameFolders([(folder / c.key, int(c.target[0])) for c in task.clips], task.job)
    with watch.part("train"):
        network = train(clips, task.job)
    with watch.part("score"):
        score(network, clips, task.job)


def _silent(metrics: Mapping[str, float], step: int = 0) -> None:
    """Ignore metrics."""
