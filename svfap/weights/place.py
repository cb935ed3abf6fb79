"""Where converted public weights lie on this machine, and whether a public file is available."""

import os
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError

from svfap.errors import SvfapError
from svfap.sources.request import request
from svfap.sources.source_error import TransientError
from svfap.weights.start import Choice

SUFFIX = ".safetensors"
HUB = "https://huggingface.co"
SECONDS = 5.0  # to wait for the hub

Availability = Literal["here", "reachable", "unreachable"]


def folder() -> Path:
    """Return the folder of converted weights; the variable `SVFAP_WEIGHTS` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SVFAP_WEIGHTS") or Path(base) / "svfap" / "weights")


def path_of(chosen: Choice) -> Path:
    """Return the path of the converted weights, which exist after `cache.prepare`."""
    name = f"{chosen.repo}@{chosen.revision}--{chosen.file}".replace("/", "--")
    return folder() / f"{name.removesuffix(SUFFIX)}{SUFFIX}"


def availability(chosen: Choice) -> Availability:
    """Return whether a public file is on this machine, or the hub can be reached to fetch it."""
    from huggingface_hub import constants, try_to_load_from_cache

    kept = try_to_load_from_cache(chosen.repo, chosen.file, revision=chosen.revision)
    if path_of(chosen).is_file() or isinstance(kept, str):
        return "here"
    if constants.HF_HUB_OFFLINE:
        return "unreachable"
    hub = os.environ.get("HF_ENDPOINT", HUB)
    try:
        request(f"{hub}/api/models/{chosen.repo}", {}, timeout=SECONDS).close()
    except (HTTPError, SvfapError, TransientError):
        return "unreachable"
    return "reachable"
