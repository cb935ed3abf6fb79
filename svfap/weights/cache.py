"""The cache of public models: each is fetched and converted once, then read from disk."""

from dataclasses import replace
from pathlib import Path

from svfap.config.made_by import file_hash
from svfap.errors import SvfapError
from svfap.weights import converted
from svfap.weights.fetch import fetch
from svfap.weights.place import path_of
from svfap.weights.start import Choice, public


def prepare(name: str) -> Path:
    """Return the converted weights of a public model; fetch and convert it if it is not there.

    Processes that prepare the same model at once write equal files, and each file appears whole.

    Raises:
        SvfapError: the name is no public model, the hub does not deliver it, or it does not fit.
        OSError: the cache cannot be written.
    """
    chosen = public(name)
    if chosen is None:
        raise SvfapError(f"{name}: no public model; `python -m svfap weights` lists them")
    path = path_of(chosen)
    if not path.is_file():
        source = fetch(chosen)
        config = None
        if chosen.model is None and converted.is_own(source):
            config = fetch(replace(chosen, file="config.json", sha256=""))
        found = converted.read(source, config=config, notice=_notice(chosen, source))
        found.write(path)
    return path


def _notice(chosen: Choice, source: Path) -> str:
    """Return the sentence about the origin, which fine-tuned models keep."""
    licence = chosen.model.licence if chosen.model else "see the model's card"
    digest = file_hash(source)
    return f"Starts from the public weights {chosen} (SHA-256 {digest}; licence: {licence})."
