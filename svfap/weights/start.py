"""What `pretrain.checkpoint` names: a file, an exported folder, or a public model.

A public model is written `NAME`, `NAME@REVISION` or `OWNER/REPOSITORY@REVISION`, each with `:FILE`
at the end if the file is not the usual one. What exists on this machine is a path.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svfap.config import Config
from svfap.config.paths import check_file
from svfap.errors import SvfapError
from svfap.weights.catalogue import MODELS, PublicModel

WEIGHTS = "model.safetensors"  # in an exported folder, as the hub expects
_HUB_ID = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
_PUBLIC = re.compile(
    rf"(?P<name>[a-z0-9-]+|{_HUB_ID})(@(?P<revision>[\w./-]+))?(:(?P<file>[\w./-]+))?"
)


@dataclass(frozen=True)
class Choice:
    """A public file of weights: repository, commit, file, and its hash if it is known."""

    repo: str
    revision: str
    file: str
    sha256: str = ""
    model: PublicModel | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}:{self.file}"


def public(checkpoint: Path | str | None) -> Choice | None:
    """Return the public file that `pretrain.checkpoint` names; None for a path or nothing.

    Raises:
        SvfapError: the name lacks a revision or a file, which the message says.
    """
    text = str(checkpoint or "")
    match = _PUBLIC.fullmatch(text)
    if not match or Path(text).exists():
        return None
    name, revision, file = (match[key] or "" for key in ("name", "revision", "file"))
    model = _known(name, file)
    if model is None and not ("/" in name and revision):
        return None
    repo = model.repo if model else name
    chosen = Choice(
        repo,
        revision or (model.revision if model else ""),
        file or (model.file if model else WEIGHTS),
        # Another commit or file has another hash.
        model.sha256
        if model and file in ("", model.file) and revision in ("", model.revision)
        else "",
        model,
    )
    if not chosen.revision:
        raise SvfapError(
            f"pretrain.checkpoint: {name} needs a revision, since none is recorded here; copy the"
            f" commit of https://huggingface.co/{repo}/commits/main and write {name}@COMMIT"
        )
    if not chosen.file:
        raise SvfapError(
            f"pretrain.checkpoint: {name} needs a file; choose one of"
            f" https://huggingface.co/{repo}/tree/main and write {name}@{chosen.revision}:FILE"
        )
    return chosen


def _known(name: str, file: str) -> PublicModel | None:
    """Return the model of the catalogue with a name, or with a hub id and a file."""
    if "/" not in name:
        return MODELS.get(name)
    same = (model for model in MODELS.values() if model.repo == name)
    return next((model for model in same if model.file in ("", file or WEIGHTS)), None)


def defaults_of(values: object) -> dict[str, Any]:
    """Return sizes, stride and crop size of the public model that a configuration names.

    They are the defaults of the keys that the user leaves out; without such a model, none.
    """
    pretrain = values.get("pretrain") if isinstance(values, Mapping) else None
    checkpoint = pretrain.get("checkpoint") if isinstance(pretrain, Mapping) else None
    match = _PUBLIC.fullmatch(str(checkpoint or ""))
    model = _known(match["name"], match["file"] or "") if match else None
    if model is None or Path(str(checkpoint)).exists():
        return {}
    return {
        "model": model.sizes,
        "finetune": {"stride": model.stride},
        "crop": {"size": max(160, model.sizes["image_size"])},
    }


def check(config: Config, *, where: str) -> None:
    """Check `pretrain.checkpoint`: a path exists, a public model is complete and its licence taken.

    Raises:
        SvfapError: the message says what to change.
    """
    checkpoint = config.pretrain.checkpoint
    if checkpoint is None:
        return
    chosen = public(checkpoint)
    if chosen is None:
        check_file(file_of(checkpoint, where=where), key=f"{where}: pretrain.checkpoint")
    elif chosen.model and chosen.model.needs_acceptance:
        licence = chosen.model.licence
        if licence not in config.pretrain.accept_licences:
            raise SvfapError(
                f"{where}: pretrain.accept_licences: {chosen.model.name} is under {licence},"
                f" without commercial use; if that fits your work, write accept_licences:"
                f" [{licence}]"
            )


def file_of(checkpoint: Path, *, where: str = "config") -> Path:
    """Return the file of weights of a path: itself, or the one in an exported folder."""
    if checkpoint.is_dir():
        if not (checkpoint / WEIGHTS).exists():
            raise SvfapError(
                f"{where}: pretrain.checkpoint: {checkpoint} is a folder without {WEIGHTS}; name a"
                " file, or a folder that `python -m svfap export` wrote"
            )
        return checkpoint / WEIGHTS
    if not checkpoint.exists() and checkpoint.suffix not in {".pt", ".pth", ".safetensors"}:
        near = difflib.get_close_matches(str(checkpoint), MODELS, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise SvfapError(
            f"{where}: pretrain.checkpoint: {checkpoint} does not exist, and no public model has"
            f" this name; {hint}`python -m svfap weights` lists them, and others are"
            " OWNER/REPOSITORY@REVISION"
        )
    return checkpoint
