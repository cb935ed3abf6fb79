"""CPU seconds for each unit of work of each stage, from records of real runs.

The package contains the rates of the demo in rates.json. The demo is short, so the seconds of its
trainings and evaluations per job and per frame were measured separately. `--results` takes the
rates from a recorded run, `--calibrate` writes them to a file, `--rates` reads the file.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import Field, NonNegativeFloat

from svfap.config.section import Section
from svfap.config.yaml_file import merge, parse
from svfap.errors import SvfapError

SHIPPED = Path(__file__).with_name("rates.json")
JOB = "jobs"  # what a job needs besides its work: interpreter, imports, figures
LOADED, PRODUCTS = "frames loaded", "1e9 multiply-adds"  # the work of training and evaluation


class Rates(Section):
    """The speed of one CPU."""

    seconds: dict[str, dict[str, NonNegativeFloat]] = Field(
        description="stage -> unit of work -> CPU seconds"
    )
    jpeg_bytes: float = Field(gt=0, description="size of a face frame, in bytes per pixel")
    source: str = Field(description="the run that the rates were measured on")


def read(*paths: Path) -> Rates:
    """Return the rates in files of `--calibrate`, the last file first, and in the shipped file.

    Raises:
        SvfapError: a file is missing or contains no rates.
    """
    values: dict[str, Any] = {}
    for path in (SHIPPED, *paths):
        where = f"{path}: contains no rates (write such a file with --calibrate {path})"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SvfapError(f"{where}: {error}") from None
        values = merge(values, parse(Rates, content, where=where).model_dump())
    return Rates.model_validate(values)
