"""Check what a user names as a model, before torch is imported, which takes seconds."""

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError
from svfap.sources import is_url
from svfap.sources.addresses import why_no_path
from svfap.use.shared_files import FILES

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?$")
NO_HEAD = "it was pre-trained only and has no labels; fine-tune it first (stage finetune)"


def check_source(source: str | Path) -> None:
    """Check that something may be a model: a checkpoint, an exported folder, or a hub id.

    Raises:
        SvfapError: it is an address, a single file of an exported folder, or does not exist.
    """
    path = Path(source)
    if is_url(str(source)):
        raise SvfapError(
            f"{source}: addresses are not read; download the model first, or name a model on the"
            " Hugging Face hub as OWNER/NAME"
        )
    alone = path.suffix == ".safetensors" or (path.name in FILES and path.suffix != ".onnx")
    if alone and path.is_file():
        raise SvfapError(f"{source}: is one file of a model; name its folder, {path.parent}")
    try:
        exists = path.exists()
    except OSError as error:  # such as a name that is too long
        raise SvfapError(f"{source}: cannot be read ({error.strerror})") from None
    if not exists and (path.suffix in {".pt", ".pth"} or not HUB_ID.match(str(source))):
        advice = why_no_path(str(source)) or "name a checkpoint, an exported folder or a hub id"
        raise SvfapError(f"{source}: no such file or folder; {advice}")


def check_predicts(source: str | Path) -> None:
    """Check that something may be a model with a head.

    Raises:
        SvfapError: see `check_source`; or it is the checkpoint of a pre-training.
    """
    check_source(source)
    if _settings(Path(source)).keys() & {"pretrain"}:
        raise SvfapError(f"{source}: {NO_HEAD}")


def _settings(path: Path) -> dict[str, Any]:
    """Return the settings in a checkpoint; none if it cannot be read, which loading it reports."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(each for each in archive.namelist() if each.endswith("/data.pkl"))
            with archive.open(name) as file:
                content = _PlainValues(file).load()
        return dict(content["config"])
    except Exception:
        return {}


class _PlainValues(pickle.Unpickler):
    """Reads the plain values beside the tensors; nothing that the file names is run."""

    def find_class(self, _module: str, _name: str) -> Callable[..., None]:
        """Return a function that makes nothing, in place of each class."""
        return lambda *_, **__: None

    def persistent_load(self, _: object) -> None:
        """Leave the numbers of a tensor out."""
