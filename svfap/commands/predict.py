"""`python -m svfap predict VIDEO|FOLDER|CAMERA`: score your own videos, or a camera live."""

import argparse
import csv
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pandas as pd

from svfap.commands.output import check_free, claim
from svfap.config import Preset
from svfap.errors import SvfapError
from svfap.use import bundle as bundles
from svfap.use import camera
from svfap.use.annotate import annotate
from svfap.use.card import CAUTION
from svfap.use.footage import Footage
from svfap.use.live import score_camera
from svfap.use.options import Options, find_videos, printable
from svfap.use.predictor import Predictor, VideoScores
from svfap.use.timeline import as_text, summarise, write_tables
from svfap.use.timeline_page import write_page

logger = logging.getLogger(__name__)

_MAX_PRINTED = 60  # most windows to print; a longer timeline is only written to files


def run(arguments: Sequence[str]) -> str:
    """Score videos or a camera; write timelines, annotated videos and pages.

    Returns:
        The text to print: scores, notices and the output folder.

    Raises:
        SvfapError: the source, model or output folder cannot be used.
    """
    chosen = _parser().parse_args(arguments)
    options = Options(
        hop=chosen.hop,
        speaker=chosen.speaker,
        preset=chosen.crop_preset,
        pad=chosen.pad,
        batch_size=chosen.batch_size,
    )
    check_free(chosen.output, overwrite=chosen.overwrite)
    device = camera.device_of(chosen.source)
    if device is not None:
        return _score_live(device, options, chosen)
    videos = find_videos(Path(chosen.source))
    predictor = _load_predictor(chosen.checkpoint, options)
    results = []
    for scores in predictor.score_videos(videos):
        if scores.reject and len(videos) > 1:
            logger.warning("%s left out: %s", scores.video, scores.reject)
        if scores.footage is not None and not chosen.no_video:
            stem = chosen.output / _stem(scores.video, videos)
            _write_video(scores, scores.footage, predictor, stem)
        results.append(replace(scores, footage=None))  # frees the decoded frames
    return _write_results(results, predictor, chosen.output)


def _write_results(results: Sequence[VideoScores], predictor: Predictor, output: Path) -> str:
    """Write the tables of all videos; return the text to print."""
    rejects = [
        (scores.video, printable(str(scores.path)), scores.reject)
        for scores in results
        if scores.reject
    ]
    if len(rejects) == len(results):
        others = f" (and {len(rejects) - 1} more videos)" if len(rejects) > 1 else ""
        raise SvfapError(f"{rejects[0][1]}: {rejects[0][2]}{others}")
    folder = claim(output, overwrite=True)  # it was checked before, and holds annotated videos now
    frame = pd.concat([scores.table for scores in results], ignore_index=True)
    write_tables(frame, predictor.bundle, folder)
    with (folder / "rejects.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("video", "path", "reason"), *rejects])
    parts = [as_text(summarise(frame, predictor.facts)), predictor.facts.notices, CAUTION]
    if len(results) == 1 and len(frame) <= _MAX_PRINTED:
        parts.insert(0, as_text(frame) + "\n")
    if rejects:
        parts.append(f"{len(rejects)} of {len(results)} videos left out: {folder}/rejects.csv")
    return "\n".join(filter(None, [*parts, f"written to {folder}"]))


def _stem(name: str, videos: Iterable[str]) -> Path:
    """Return a video's name without its suffix, unless another name differs only by its suffix."""
    stem = Path(name).with_suffix("")
    alone = sum(Path(other).with_suffix("") == stem for other in videos) == 1
    return stem if alone else Path(name)


def _write_video(scores: VideoScores, footage: Footage, predictor: Predictor, stem: Path) -> None:
    """Write the annotated video and the page of one video."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    video = stem.with_name(f"{stem.name}.mp4")
    facts = predictor.facts
    size = annotate(footage, scores.table, facts, video, show_progress=predictor.show_progress)
    write_page(
        video.with_suffix(".html"),
        scores.table,
        predictor.bundle,
        video=video,
        size=size,
        seconds=footage.seconds,
    )


def _score_live(device: int | str, options: Options, chosen: argparse.Namespace) -> str:
    """Score a camera until it ends, `--seconds` are over, or Ctrl-C; return the text to print."""
    source = camera.Camera(device)  # before the model is loaded: a missing camera fails at once
    predictor = _load_predictor(chosen.checkpoint, options)
    with source:
        live = score_camera(source, predictor, seconds=chosen.seconds)
    if live.table.empty:
        raise SvfapError(
            f"{chosen.source}: no face was seen for a whole window of {live.window:.2f} s;"
            " face the camera for longer"
        )
    folder = claim(chosen.output, overwrite=True)
    write_tables(live.table, predictor.bundle, folder)
    parts = [as_text(summarise(live.table, predictor.facts)), predictor.facts.notices, CAUTION]
    return "\n".join(filter(None, [*parts, live.latency_text(), f"written to {folder}"]))


def _load_predictor(source: str, options: Options) -> Predictor:
    """Load a model and check that it has a head."""
    bundle = bundles.load(source)
    bundle.require_head()
    return Predictor(bundle, options, show_progress=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svfap predict",
        description="Score videos, a folder of them, or a camera, with a trained model.",
        epilog=CAUTION,
    )
    parser.add_argument("source", help="video, folder, number of a camera, or /dev/videoN")
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="checkpoint of the stage finetune, exported folder, or hub id",
    )
    parser.add_argument("--output", required=True, type=Path, help="folder for all output")
    parser.add_argument("--overwrite", action="store_true", help="write into an existing folder")
    parser.add_argument(
        "--hop", type=_positive, help="seconds from one window to the next; default: half a window"
    )
    parser.add_argument(
        "--speaker",
        choices=("main", "all"),
        default="main",
        help="score the main face of each moment, or all faces",
    )
    parser.add_argument(
        "--crop-preset",
        choices=get_args(Preset),
        help="how to crop faces; default: as for training",
    )
    parser.add_argument(
        "--pad", action="store_true", help="also score videos shorter than a window"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, help="windows to score at a time; default: 8"
    )
    parser.add_argument(
        "--no-video", action="store_true", help="write tables only, no annotated videos and pages"
    )
    parser.add_argument(
        "--seconds", type=_positive, help="how long to score a camera; default: until Ctrl-C"
    )
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
