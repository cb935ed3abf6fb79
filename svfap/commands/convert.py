"""`python -m svfap convert AUTHORS.pth CHECKPOINT`: authors' weights made a checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from svfap.config.stage_sections import PretrainJob
from svfap.errors import SvfapError
from svfap.use.official import convert


def run(arguments: Sequence[str]) -> str:
    """Convert one file.

    Returns:
        What it is and where it is.

    Raises:
        SvfapError: the file is no released checkpoint, or does not fit what is said of it.
    """
    chosen = _parser().parse_args(arguments)
    if chosen.output.exists() and not chosen.overwrite:
        raise SvfapError(f"{chosen.output}: exists; choose another file, or add --overwrite")
    given = {"heads": chosen.heads, "depths": chosen.depths, "image_size": chosen.image_size}
    sizes = {key: value for key, value in given.items() if value}
    converted = convert(chosen.source, dataset=chosen.dataset, sizes=sizes)
    converted.write(chosen.output)
    if isinstance(converted.job, PretrainJob):
        use = "pre-trained; set pretrain.checkpoint to it"
    else:
        use = f"fine-tuned; try: python -m svfap predict VIDEO --checkpoint {chosen.output}"
    return f"{chosen.output}: {use}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svfap convert",
        description="Make a checkpoint of this package from a released file of the authors.",
    )
    parser.add_argument("source", type=Path, help="the authors' file, fine-tuned or pre-trained")
    parser.add_argument("output", type=Path, help="checkpoint to write")
    parser.add_argument("--dataset", default="", help="what it is fine-tuned on, such as DFEW")
    parser.add_argument("--heads", type=int, help="default: one for every 64 channels")
    parser.add_argument("--depths", type=int, nargs="+", help="default: as the paper shares out")
    parser.add_argument("--image-size", type=int, help="default: 160")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    return parser
