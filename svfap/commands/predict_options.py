"""The options of the command `predict`."""

import argparse
import math
from typing import get_args

from svfap.commands import output
from svfap.config import Preset
from svfap.use.card import CAUTION
from svfap.use.options import WINDOW


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="svfap predict",
        description="Score videos, folders of them, or a camera, with a trained model.",
        epilog=CAUTION,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="videos, folders, or one camera: its number, or /dev/videoN",
    )
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="checkpoint or folder of the stage finetune, exported folder, or hub id",
    )
    _add_windows(parser)
    _add_outputs(parser)
    return parser


def _add_windows(parser: argparse.ArgumentParser) -> None:
    """Add the options on what is scored."""
    parser.add_argument(
        "--hop",
        type=_hop,
        help="seconds from one window to the next, or `window` for windows without overlap;"
        " default: half a window",
    )
    parser.add_argument(
        "--speaker",
        choices=("main", "all"),
        default="main",
        help="score the main face of each moment, or all faces",
    )
    parser.add_argument(
        "--crop-preset", choices=get_args(Preset), help="how to crop faces; default: as in training"
    )
    parser.add_argument(
        "--pad", action="store_true", help="also score videos shorter than a window"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, help="windows to score at a time; default: 8"
    )
    parser.add_argument(
        "--stream", type=int, help="number of the video in a file of several; default: as ffmpeg"
    )
    parser.add_argument(
        "--seconds", type=_positive, help="how long to score a camera; default: until Ctrl-C"
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the options on what is written."""
    parser.add_argument("--output", required=True, type=output.path, help="folder for all output")
    parser.add_argument("--overwrite", action="store_true", help="write into an existing folder")
    parser.add_argument(
        "--no-video", action="store_true", help="write tables only, no annotated videos and pages"
    )
    parser.add_argument(
        "--eaf", action="store_true", help="also write the labels over time for ELAN"
    )
    parser.add_argument(
        "--textgrid", action="store_true", help="also write the labels over time for Praat"
    )


def _hop(text: str) -> float | str:
    try:
        return text if text == WINDOW else _positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error} or {WINDOW!r}") from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
