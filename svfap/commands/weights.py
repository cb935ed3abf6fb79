"""`python -m svfap weights`: list the public models to start from, fetch one, or convert a file."""

import argparse
from collections.abc import Sequence

from svfap.commands import output
from svfap.errors import SvfapError
from svfap.overwriting import keep_inputs
from svfap.weights.catalogue import MISFITS, MODELS, PublicModel


def run(arguments: Sequence[str]) -> str:
    """List models, show one, fetch one, or convert a file.

    Returns:
        The text to print.

    Raises:
        SvfapError: the model is unknown, is not delivered, its licence is not accepted, or does
            not fit.
    """
    chosen = _parser().parse_args(arguments)
    if not chosen.model:
        return _table()
    if chosen.output:
        return _convert(chosen)
    name = chosen.model.split("@")[0].split(":")[0]
    known = MODELS.get(name)
    if not chosen.fetch:
        if known is None:
            raise SvfapError(f"{name}: unknown; `python -m svfap weights` lists the models")
        return _facts(known)
    if known and known.needs_acceptance and known.licence not in chosen.accept_licence:
        raise SvfapError(
            f"{name} is under {known.licence}, without commercial use; add --accept-licence"
            f" {known.licence} if that fits your work"
        )
    # It imports torch, which takes seconds: a wrong argument must not wait for it.
    from svfap.weights.cache import prepare

    return f"{prepare(chosen.model)}: ready; set pretrain.checkpoint to {chosen.model}"


def _convert(chosen: argparse.Namespace) -> str:
    """Convert a file on this machine."""
    from svfap.weights import converted
    from svfap.weights.place import SUFFIX

    source = output.path(chosen.model)
    keep_inputs([source], [chosen.output])
    if chosen.output.suffix != SUFFIX:
        raise SvfapError(f"{chosen.output}: end its name in {SUFFIX}")
    if chosen.output.exists() and not chosen.overwrite:
        raise SvfapError(f"{chosen.output}: exists; choose another file, or add --overwrite")
    converted.read(source, notice=f"Starts from the weights {source.name}.").write(chosen.output)
    return f"{chosen.output}: converted; set pretrain.checkpoint to it"


def _table() -> str:
    """Return the models that fit and those that do not."""
    rows = [("name", "size", "input", "trained on", "licence", "tested against")]
    for model in MODELS.values():
        sizes = model.sizes
        shape = f"ViT {sizes['dim']} x {sizes['depths'][0]}"
        licence = model.licence + (" (accept it)" if model.needs_acceptance else "")
        frames = f"{sizes['image_size']} px, 16 frames x {model.stride}"
        rows.append((model.name, shape, frames, model.data, licence, model.proof))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    misfits = [f"{each.name}: {each.reason} ({each.source})" for each in MISFITS]
    return "\n".join([*lines, "", "Not in this list:", *misfits])


def _facts(model: PublicModel) -> str:
    """Return all facts of a model, one a line."""
    facts = {
        "hub": model.repo,
        "file": model.file or "unknown: choose it with :FILE",
        "revision": model.revision or f"unknown: write {model.name}@COMMIT",
        "SHA-256": model.sha256 or "unknown: recorded at the first fetch",
        "model": ", ".join(f"{key} {value}" for key, value in model.sizes.items()),
        "stride": model.stride,
        "trained on": model.data,
        "faces": model.crop,
        "licence": model.licence + (", no commercial use" if model.needs_acceptance else ""),
        "tested against": model.proof,
        "source": model.source,
    }
    return "\n".join([model.name, *(f"  {name + ':':<16}{value}" for name, value in facts.items())])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap weights",
        description="List the public models to start fine-tuning from; show or fetch one.",
    )
    parser.add_argument(
        "model", nargs="?", default="", help="NAME[@REVISION][:FILE], hub id, or file to convert"
    )
    parser.add_argument("--fetch", action="store_true", help="download and convert it now")
    parser.add_argument(
        "--accept-licence", action="append", default=[], help="licence that you accept"
    )
    parser.add_argument("--output", type=output.path, help="convert the file MODEL into this file")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser
