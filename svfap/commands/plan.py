"""Command `plan`: what an experiment costs on a machine, and what holds it up."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.planning import measured, rates, show
from svfap.planning.estimate import stages
from svfap.planning.forecast import Forecast
from svfap.planning.machines import Machine, cpus, preset, presets
from svfap.planning.rates import Rates
from svfap.planning.workload import workload

CONFIG = Path("config/config.yaml")
SHARE = 0.4


def run(arguments: Sequence[str]) -> str:
    """The plan as text, or as JSON.

    Raises:
        SvfapError: the configuration, the machine or the rates are wrong.
    """
    chosen = _parser().parse_args(arguments)
    plan = resolve.resolve(_read(chosen.configfile), where=str(chosen.configfile))
    known = _rates(chosen, plan)
    machine = _machine(chosen)
    work = workload(plan, jpeg_bytes=known.jpeg_bytes)
    if chosen.workers is not None:
        work = replace(work, jobs=tuple(replace(j, workers=chosen.workers) for j in work.jobs))
    compared: measured.Compared = {}
    if chosen.results:
        known, compared = measured.correct(known, chosen.results, plan.config.data, work)
    planned = stages(work, machine, known, share=chosen.gpu_share)
    forecast = Forecast(work, machine, known, chosen.gpu_share, planned, compared)
    return show.as_json(forecast) if chosen.json else show.as_text(forecast)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svfap plan",
        description="What an experiment costs on a machine, and what holds it up; runs nothing.",
    )
    add = parser.add_argument
    add("--configfile", type=Path, default=CONFIG, help=f"the experiment, {CONFIG} by default")
    add("--machine", help=f"one of {', '.join(presets())}")
    add("--nodes", type=int, help="machines of the cluster")
    add("--cpus", type=int, help="cores of a machine")
    add("--gpus", type=int, help="GPUs of a machine")
    add("--gpu-tflops", type=float, help="peak of a GPU's dense matrix products in BF16")
    add("--gpu-share", type=float, default=SHARE, help=f"of that peak is reached ({SHARE})")
    add("--network", type=float, help="megabytes a second from outside (100)")
    add("--workers", type=int, help="loader processes of each GPU; default: the configuration's")
    add("--rates", type=Path, nargs="*", default=[], help="files of --calibrate or a benchmark")
    add("--calibrate", type=Path, metavar="FILE", help="measure this machine's rates, keep them")
    add("--results", type=Path, help="a run of this configuration, to compare with and correct by")
    add("--json", action="store_true", help="print JSON")
    return parser


def _read(path: Path) -> Any:  # noqa: ANN401
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror}); name a YAML file") from None
    except yaml.YAMLError as error:
        raise SvfapError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _rates(chosen: argparse.Namespace, plan: resolve.Experiment) -> Rates:
    """Those of a calibration, or of the files, or else those that the package has."""
    known = rates.read(rates.SHIPPED)
    if chosen.calibrate:
        from svfap.planning.calibrate import calibrate

        known = calibrate(plan)
        rates.write(chosen.calibrate, known)
    for path in chosen.rates:
        known = rates.read(path, base=known)
    return known


def _machine(chosen: argparse.Namespace) -> Machine:
    """A preset with the user's own figures, or this machine with them."""
    if not 0 < chosen.gpu_share <= 1:
        raise SvfapError("--gpu-share is a share of the peak, above 0 and up to 1, such as 0.4")
    given = {
        "nodes": chosen.nodes, "cpus": chosen.cpus, "gpus": chosen.gpus,
        "tflops": chosen.gpu_tflops, "network": chosen.network,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    if chosen.machine:
        return replace(preset(chosen.machine), **changes)
    own = {"nodes": 1, "cpus": cpus(), "gpus": 0, "tflops": 0.0, "network": 100.0} | changes
    return Machine(name="own figures" if changes else "this machine", source="", **own)
