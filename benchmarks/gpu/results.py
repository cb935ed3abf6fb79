"""The results of all parts in one JSON file, replaced as a whole after each measurement."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from svfap.replacing import replacing

Row = dict[str, Any]
RESULTS = "results.json"


def read(out: Path) -> dict[str, Any]:
    """Return all results so far: facts of the machine, and `parts`, each with its rows."""
    path = out / RESULTS
    if not path.is_file():
        return {"machine": machine(), "parts": {}}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def update(out: Path, part: str, **values: Any) -> None:  # noqa: ANN401
    """Set values of a part, such as its `rows`."""
    content = read(out)
    content["parts"].setdefault(part, {"rows": [], "error": None}).update(values)
    with replacing(out / RESULTS) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def rows(results: Mapping[str, Any], part: str, **wanted: object) -> list[Row]:
    """Return the rows of a part that have all wanted values; none if the part has not run."""
    found: Iterable[Row] = results["parts"].get(part, {}).get("rows", [])
    return [row for row in found if wanted.items() <= row.items()]


def peak_rate(results: Mapping[str, Any]) -> float | None:
    """Return the highest measured rate of a matrix product in operations per second."""
    rates = [row["tflops"] * 1e12 for row in rows(results, "peak") if "tflops" in row]
    return max(rates, default=None)
