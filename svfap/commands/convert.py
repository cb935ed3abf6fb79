"""`python -m svfap convert AUTHORS.pth CHECKPOINT`: convert the authors' released weights."""

import argparse
from collections.abc import Sequence

from svfap.commands import output
from svfap.config.stage_sections import PretrainJob
from svfap.errors import SvfapError
from svfap.overwriting import keep_inputs


def run(arguments: Sequence[str]) -> str:
    """Convert one file.

    Returns:
        The text to print: the checkpoint and how to use it.

    Raises:
        SvfapError: the file is not a released checkpoint, or does not fit the given sizes or
            dataset.
    """
    chosen = _parser().parse_args(arguments)
    keep_inputs([chosen.source], [chosen.output])
    if chosen.output.is_dir():
        raise SvfapError(f"{chosen.output}: is a folder; name the checkpoint to write")
    if chosen.output.exists() and not chosen.overwrite:
        raise SvfapError(f"{chosen.output}: exists; choose another file, or add --overwrite")
    if not chosen.source.is_file():
        raise SvfapError(
            f"{chosen.source}: cannot be read (no such file); name a file of the authors' weights"
        )
    # It imports torch, which takes seconds: a wrong argument must not wait for it.
    from svfap.use.official import convert

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
        prog="svfap convert",
        description="Convert a released file of the paper's authors into a checkpoint.",
    )
    parser.add_argument(
        "source", type=output.path, help="the authors' file, fine-tuned or pre-trained"
    )
    parser.add_argument("output", type=output.path, help="checkpoint to write")
    parser.add_argument("--dataset", default="", help="dataset of fine-tuning, such as DFEW")
    parser.add_argument("--heads", type=int, help="attention heads; default: one per 64 channels")
    parser.add_argument(
        "--depths", type=int, nargs="+", help="blocks per stage; default: as in the paper"
    )
    parser.add_argument("--image-size", type=int, help="side of the frames in pixels; default: 160")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    return parser
