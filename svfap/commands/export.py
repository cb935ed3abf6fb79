"""`python -m svfap export CHECKPOINT FOLDER`: a model to share, with its card; ONNX if wanted."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from svfap.commands.output import claim
from svfap.use import bundle as bundles
from svfap.use.figures import evaluated
from svfap.use.share import FORMATS, share


def run(arguments: Sequence[str]) -> str:
    """Write the folder of a model.

    Returns:
        What was written, and how far other formats differ.

    Raises:
        SvfapError: the model or its predictions are damaged, the folder is taken, or a format
            cannot be written.
    """
    chosen = _parser().parse_args(arguments)
    bundle = bundles.load(chosen.checkpoint)
    bundle.require_head()
    bundle = evaluated(bundle, chosen.predictions or ())
    dataset = chosen.dataset or bundle.dataset
    folder = claim(chosen.folder, overwrite=chosen.overwrite)
    written = share(bundle, folder, formats=chosen.format, dataset=dataset)
    told = [f"{file} differs from the model by at most {d:.1e}" for file, d in written.items()]
    if not bundle.metrics:
        told.append("no predictions are at hand, so the card has no figures (--predictions)")
    return "\n".join([*told, f"written to {folder}; read its README.md before you share it"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svfap export", description="Write a model as a folder to share."
    )
    parser.add_argument("checkpoint", help="of the stage finetune, an exported folder, or hub id")
    parser.add_argument("folder", type=Path, help="takes weights, configuration and card")
    parser.add_argument("--format", nargs="*", choices=FORMATS, default=[], help="further formats")
    parser.add_argument(
        "--predictions", nargs="*", type=Path, help="default: those beside it in the results"
    )
    parser.add_argument("--dataset", help="default: as the predictions say")
    parser.add_argument("--overwrite", action="store_true", help="write into a folder that exists")
    return parser
