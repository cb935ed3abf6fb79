"""CPU seconds for each unit of work of each stage, from records of real runs.

The package contains the rates of the demo in rates.json. The demo is short, so what its trainings
and evaluations need per job and what they need per frame were measured apart. `--results`
takes the rates from a recorded run, `--calibrate` writes them to a file, `--rates` reads the file.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeFloat, ValidationError

from svfap.config.section import Section
from svfap.errors import SvfapError

SHIPPED = Path(__file__).with_name("rates.json")
JOB = "jobs"  # what a job needs besides its work: interpreter, imports, figures
LOADED, PRODUCTS = "frames loaded", "1e9 multiply-adds"  # the work of training and evaluation
LOADER_UNITS = ("clips/CPU s", "clips per CPU second")  # of earlier benchmarks, of today's
LOADER_FRAMES = 16  # frames that benchmarks/loader.py reads of each clip


class Rates(Section):
    """The speed of one CPU."""

    seconds: dict[str, dict[str, NonNegativeFloat]] = Field(
        description="stage -> unit of work -> CPU seconds"
    )
    jpeg_bytes: float = Field(gt=0, description="size of a face frame, in bytes per pixel")
    source: str = Field(description="the run that the rates were measured on")


def write(path: Path, rates: Rates) -> None:
    """Write rates as JSON."""
    path.write_text(rates.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read(path: Path, *, base: Rates | None = None) -> Rates:
    """Read rates.

    Args:
        path: a file of `write`, or the JSON of `benchmarks.loader`.
        base: the rates of what the file does not contain; None if it contains all.

    Raises:
        SvfapError: the file is missing or contains no rates.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "headline" in values:
            return _with_loader(base or read(SHIPPED), values["headline"], path)
        rates = Rates.model_validate(values)
        known = base.seconds if base else {}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise SvfapError(
            f"{path}: contains no rates ({_reason(error)}); write such a file with"
            f" --calibrate {path}"
        ) from None
    seconds = {stage: units | rates.seconds.get(stage, {}) for stage, units in known.items()}
    return rates.model_copy(update={"seconds": rates.seconds | seconds})


def _with_loader(base: Rates, headline: dict[str, Any], path: Path) -> Rates:
    """Return rates with the loading speed that a benchmark measured."""
    if headline["unit"] not in LOADER_UNITS:
        raise SvfapError(
            f"{path}: a benchmark in {headline['unit']} gives no rate; use benchmarks.loader's JSON"
        )
    rate = 1 / (headline["value"] * LOADER_FRAMES)
    loads = {stage: base.seconds[stage] | {LOADED: rate} for stage in ("pretrain", "finetune")}
    source = f"{base.source}; loading by {path.name}"
    return base.model_copy(update={"seconds": base.seconds | loads, "source": source})


def _reason(error: Exception) -> str:
    """Return what is wrong with a file, in a few words."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return getattr(error, "strerror", None) or " ".join(str(error).split())
