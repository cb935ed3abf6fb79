"""`python -m svfap export CHECKPOINT FOLDER`: write a model and its card, optionally as ONNX."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from svfap.commands import output
from svfap.commands.output import check_free, claim
from svfap.errors import SvfapError
from svfap.overwriting import keep_inputs
from svfap.use.hub import check_push, push
from svfap.use.shared_files import FILES, FORMATS


def run(arguments: Sequence[str]) -> str:
    """Write the folder of a model.

    Returns:
        The text to print: the folder, and how far other formats differ from the model.

    Raises:
        SvfapError: the model or its predictions are damaged, the folder is not empty or holds the
            model, a format cannot be written, or the hub refuses the model.
    """
    chosen = _parser().parse_args(arguments)
    check_free(chosen.folder, overwrite=chosen.overwrite)
    if chosen.push is not None:
        check_push(chosen.push)
    elif chosen.public:
        raise SvfapError("--public says how to push; add --push OWNER/NAME")
    model = Path(chosen.checkpoint)
    inputs = [model, *(model / name for name in FILES), *(chosen.predictions or ())]
    keep_inputs(inputs, [chosen.folder / name for name in FILES])
    # These import torch, which takes seconds: a wrong argument must not wait for it.
    from svfap.use import bundle as bundles
    from svfap.use.fold_metrics import fold_warning, with_metrics
    from svfap.use.share import write_folder

    bundle = bundles.load(chosen.checkpoint)
    bundle.require_head()
    bundle = with_metrics(bundle, chosen.predictions or ())
    dataset = chosen.dataset or bundle.dataset
    folder = claim(chosen.folder, overwrite=chosen.overwrite)
    differences = write_folder(
        bundle, folder, formats=chosen.format, dataset=dataset, name=chosen.push or ""
    )
    lines = [f"{file} differs from the model by at most {d:.1e}" for file, d in differences.items()]
    if not bundle.metrics:
        lines.append("no predictions found, so the card has no metrics (add --predictions)")
    lines += filter(None, [fold_warning(bundle)])
    if chosen.push is not None:
        lines.append(f"pushed: {push(folder, chosen.push, public=chosen.public)}")
    return "\n".join([*lines, f"written to {folder}; read its README.md before you share it"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap export", description="Write a model as a folder to share."
    )
    parser.add_argument(
        "checkpoint",
        help="checkpoint or folder of the stage finetune, exported folder, or hub id",
    )
    parser.add_argument(
        "folder", type=output.path, help="folder for weights, configuration and card"
    )
    parser.add_argument(
        "--format", nargs="*", choices=FORMATS, default=[], help="further formats to write"
    )
    parser.add_argument(
        "--predictions",
        nargs="*",
        type=Path,
        help="predictions.parquet of every fold; default: search beside the checkpoint",
    )
    parser.add_argument("--dataset", help="dataset of fine-tuning; default: as the predictions say")
    parser.add_argument(
        "--push", metavar="OWNER/NAME", help="also write the folder to the Hugging Face hub"
    )
    parser.add_argument(
        "--public", action="store_true", help="with --push: a new repository is not private"
    )
    parser.add_argument("--overwrite", action="store_true", help="write into an existing folder")
    return parser
