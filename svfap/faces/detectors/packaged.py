"""Weights that come inside an installed package, which is not imported."""

import importlib.util
from pathlib import Path

from svfap.errors import SvfapError


def packaged(package: str, name: str) -> Path:
    """A file beside the code of an installed package.

    Raises:
        SvfapError: the package or the file is missing.
    """
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).with_name(name) if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SvfapError(
            f"{name} not found: install the Python package {package}, as requirements.lock has it"
        )
    return path
