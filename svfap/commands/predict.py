"""`python -m svfap predict VIDEO|FOLDER|CAMERA`: a trained model on your own videos, or live."""

import argparse
import csv
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd

from svfap.commands.output import check_free
from svfap.config import Preset
from svfap.errors import SvfapError
from svfap.use import bundle as bundles
from svfap.use import camera, timeline
from svfap.use.annotate import annotate
from svfap.use.card import CAUTION
from svfap.use.footage import Footage
from svfap.use.live import watch
from svfap.use.options import Options, printable, sources
from svfap.use.predictor import Predictor, VideoScores
from svfap.use.timeline import summary, text
from svfap.use.timeline_page import write_page

logger = logging.getLogger(__name__)

_SHOWN = 60  # windows of a single video that are printed


def run(arguments: Sequence[str]) -> str:
    """Score videos or a camera, write timelines, annotated videos and pages.

    Returns:
        The table for people.

    Raises:
        SvfapError: source, model or output cannot be used.
    """
    chosen = _parser().parse_args(arguments)
    options = Options(
        hop=chosen.hop, speaker=chosen.speaker, preset=chosen.crop_preset, pad=chosen.pad,
        batch_size=chosen.batch_size,
    )  # fmt: skip
    check_free(chosen.output, overwrite=chosen.overwrite)
    device = camera.device_of(chosen.source)
    if device is not None:
        return _live(device, options, chosen)
    videos = sources(Path(chosen.source))
    predictor = _predictor(chosen.checkpoint, options)
    outcomes = []
    for outcome in predictor.outcomes(videos):
        if outcome.reject and len(videos) > 1:
            logger.warning("%s left out: %s", outcome.video, outcome.reject)
        if outcome.footage is not None and not chosen.no_video:
            _show(outcome, outcome.footage, predictor, chosen.output / _stem(outcome.video, videos))
        outcomes.append(replace(outcome, footage=None))
    return _finish(outcomes, predictor, chosen.output)


def _finish(outcomes: Sequence[VideoScores], predictor: Predictor, output: Path) -> str:
    """Write the tables of all videos, and give them for people."""
    rejects = [
        (done.video, printable(str(done.path)), done.reject) for done in outcomes if done.reject
    ]
    if len(rejects) == len(outcomes):
        others = f" (and {len(rejects) - 1} more videos)" if len(rejects) > 1 else ""
        raise SvfapError(f"{rejects[0][1]}: {rejects[0][2]}{others}")
    folder = _prepared(output)
    frame = pd.concat([done.table for done in outcomes], ignore_index=True)
    timeline.write(frame, predictor.bundle, folder)
    with (folder / "rejects.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "path", "reason"), *rejects])
    parts = [text(summary(frame, predictor.facts)), predictor.facts.notices, CAUTION]
    if len(outcomes) == 1 and len(frame) <= _SHOWN:
        parts.insert(0, text(frame) + "\n")
    if rejects:
        parts.append(f"{len(rejects)} of {len(outcomes)} videos left out: {folder}/rejects.csv")
    return "\n".join(filter(None, [*parts, f"written to {folder}"]))


def _stem(name: str, videos: Iterable[str]) -> Path:
    """A video's name without its suffix, unless another differs by the suffix alone."""
    stem = Path(name).with_suffix("")
    alone = sum(Path(other).with_suffix("") == stem for other in videos) == 1
    return stem if alone else Path(name)


def _show(outcome: VideoScores, footage: Footage, predictor: Predictor, stem: Path) -> None:
    """Write the annotated video and the page of one video."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    video = stem.with_name(f"{stem.name}.mp4")
    facts = predictor.facts
    layout = annotate(footage, outcome.table, facts, video, shown=predictor.shown)
    write_page(
        video.with_suffix(".html"), outcome.table, predictor.bundle,
        video=video, layout=layout, seconds=footage.seconds,
    )  # fmt: skip


def _live(device: int | str, options: Options, chosen: argparse.Namespace) -> str:
    """Score a camera until it ends, `--seconds` are over, or Ctrl-C."""
    source = camera.Camera(device)
    predictor = _predictor(chosen.checkpoint, options)
    with source:
        watched = watch(source, predictor, seconds=chosen.seconds)
    if watched.table.empty:
        raise SvfapError(f"{chosen.source}: no face was seen for as long as a window takes")
    folder = _prepared(chosen.output)
    timeline.write(watched.table, predictor.bundle, folder)
    parts = [text(summary(watched.table, predictor.facts)), predictor.facts.notices, CAUTION]
    return "\n".join(filter(None, [*parts, watched.told(), f"written to {folder}"]))


def _predictor(source: str, options: Options) -> Predictor:
    """A model with a head."""
    bundle = bundles.load(source)
    bundle.require_head()
    return Predictor(bundle, options, shown=True)


def _prepared(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svfap predict",
        description="Score videos, a folder of them, or a camera, with a trained model.",
        epilog=CAUTION,
    )
    parser.add_argument("source", help="video, folder, number of a camera, or /dev/videoN")
    parser.add_argument(
        "--checkpoint", required=True, help="of the stage finetune, an exported folder, or hub id"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for all that is made")
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that exists")
    parser.add_argument("--hop", type=_positive, help="seconds between windows; default half a one")
    parser.add_argument("--speaker", choices=("main", "all"), default="main", help="whose faces")
    parser.add_argument("--crop-preset", choices=get_args(Preset), help="default: the model's own")
    parser.add_argument("--pad", action="store_true", help="take videos shorter than a window")
    parser.add_argument("--batch-size", type=int, default=8, help="windows scored at a time")
    parser.add_argument("--no-video", action="store_true", help="tables only")
    parser.add_argument("--seconds", type=_positive, help="how long to watch a camera")
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
