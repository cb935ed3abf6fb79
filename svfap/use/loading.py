"""Load a model from Python: check what the user gave, then read the weights; see `svfap.load`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError
from svfap.progress import in_notebook
from svfap.use import bundle as bundles
from svfap.use.devices import choose_device
from svfap.use.options import FLAG, check_choice, in_few_words, make_options
from svfap.use.predictor import Predictor


def load(source: str | Path, *, progress: bool | None, options: Mapping[str, Any]) -> Predictor:
    """Load a model.

    Raises:
        SvfapError: see `svfap.load`.
    """
    if not isinstance(source, str | os.PathLike) or not os.fspath(source):
        given = in_few_words(source)
        raise SvfapError(f"{given} is no model; name a checkpoint, an exported folder or hub id")
    check_choice("progress", progress, (None, *FLAG))
    chosen = make_options(options)
    choose_device(chosen.device)  # before the weights are read
    shown = in_notebook() if progress is None else progress
    return Predictor(bundles.load(source), chosen, show_progress=shown)
