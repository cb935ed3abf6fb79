"""How fast things go: CPU seconds for a unit of each kind of work, measured, never guessed.

Rates come from a calibration (`--calibrate`), are corrected by the records of a run of the same
configuration, or are taken over from the JSON that a benchmark of `benchmarks/` writes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from svfap.errors import SvfapError

SHIPPED = Path(__file__).with_name("rates.json")
WORK = (
    "start", "start torch", "frames drawn", "cropping begun", "megapixels decoded",
    "megapixels searched", "megapixels written", "frames packed", "sheets", "tables", "pictures",
    "pretraining begun", "fine-tuning begun", "load pretrain", "load finetune", "load evaluate",
    "step pretrain", "step finetune", "step evaluate",
)  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """Speeds of one machine.

    Attributes:
        seconds: CPU seconds for a unit of each kind of `WORK`: a job for "start", a frame for
            "load", 1e9 multiply-adds for "step".
        jpeg_bytes: of a pixel of a face frame.
        source: where the rates were taken.
        corrections: stage -> what its CPU time is multiplied by, from a measured run.
    """

    seconds: Mapping[str, float]
    jpeg_bytes: float
    source: str
    corrections: Mapping[str, float] = field(default_factory=dict)

    def cpu(self, uses: Mapping[str, float]) -> float:
        """CPU seconds of units of work."""
        return sum(count * self.seconds[name] for name, count in uses.items())


def write(path: Path, rates: Rates) -> None:
    """Write rates as JSON."""
    path.write_text(json.dumps(asdict(rates), indent=1) + "\n", encoding="utf-8")


def read(path: Path, *, base: Rates | None = None) -> Rates:
    """Rates of a file.

    Args:
        path: what `write` wrote, or the JSON of `benchmarks.loader`.
        base: what a benchmark's figure changes.

    Raises:
        SvfapError: the file is missing or tells no rate.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "headline" in values:
            return _benchmarked(path, values, base or read(SHIPPED))
        rates = Rates(**values)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise SvfapError(
            f"{path}: holds no rates ({reason}); make such a file with --calibrate {path}"
        ) from None
    missing = [name for name in WORK if name not in rates.seconds]
    if missing:
        raise SvfapError(f"{path}: lacks the rate '{missing[0]}'; make it anew with --calibrate")
    return rates


def _benchmarked(path: Path, values: Mapping[str, Any], base: Rates) -> Rates:
    """Rates with what a benchmark of the loader has measured."""
    headline, frames = values["headline"], 16
    if headline.get("unit") not in {"clips/CPU s", "clips per CPU second"}:
        raise SvfapError(
            f"{path}: a benchmark in {headline.get('unit')}, which tells no rate; give that of"
            " benchmarks.loader"
        )
    rate = 1 / (headline["value"] * frames)
    loads = {name: rate for name in ("load pretrain", "load finetune")}
    source = f"{base.source}; loading as {path.name} has it"
    return replace(base, seconds={**base.seconds, **loads}, source=source)
