"""Command `plan`: what an experiment costs on a machine, and what holds it up."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from svfap.config import argument
from svfap.config.yaml_file import read
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.experiment.resolve import Experiment
from svfap.planning import cloud, rates, show, video_facts
from svfap.planning.estimate import Assumptions, forecast_stages
from svfap.planning.machines import choose_machine, presets
from svfap.planning.measured import with_measured_rates
from svfap.planning.workload import jobs_of

MACHINE_FLAGS = ("nodes", "cpus", "gpus", "tflops", "network")
# Share of the data sheet's peak. On an H200, pre-training reached 0.21 (0.17 without
# machine.compile) and fine-tuning 0.33 (0.27): benchmarks/README.md.
SHARE = 0.2


def run(arguments: Sequence[str]) -> str:
    """Return the forecast as text, or as JSON.

    Raises:
        SvfapError: the configuration, the machine or the rates are wrong.
    """
    chosen = _parser().parse_intermixed_args(arguments)
    if not 0 < chosen.gpu_share <= 1:
        raise SvfapError("--gpu-share is a share of the peak, above 0 and up to 1, such as 0.4")
    path = argument.path_in(chosen)
    experiment = resolve.resolve(read(path), where=str(path))
    if chosen.results:
        config = experiment.config.model_copy(update={"results": chosen.results})
        experiment = replace(experiment, config=config)
    known = rates.read(*chosen.rates)
    figures = {name: getattr(chosen, name) for name in MACHINE_FLAGS}
    changes = {name: value for name, value in figures.items() if value is not None}
    machine = choose_machine(chosen.machine, changes)
    given = Assumptions(
        machine=machine, rates=known, share=chosen.gpu_share, workers=chosen.workers
    )
    result = forecast(
        experiment, given, measured=bool(chosen.results or chosen.calibrate), to=chosen.calibrate
    )
    if chosen.cloud:
        result = _charged(result, chosen.cloud, experiment.config.machine.save_minutes)
    if chosen.json:
        return result.model_dump_json(indent=1, exclude_none=True)
    return result.as_text()


def forecast(
    experiment: Experiment, given: Assumptions, *, measured: bool = False, to: Path | None = None
) -> show.Forecast:
    """Forecast an experiment.

    Args:
        experiment: the checked configuration.
        given: machine, rates and settings.
        measured: whether to use the rates of the experiment's own results.
        to: file to write those rates to; None for none.
    """
    videos = video_facts.of_all(experiment)
    jobs = jobs_of(experiment, videos, jpeg_bytes=given.rates.jpeg_bytes)
    if measured:
        given = with_measured_rates(given, jobs, experiment.config.results)
    if to:
        to.write_text(given.rates.model_dump_json(indent=1) + "\n", encoding="utf-8")
    stages = forecast_stages(jobs, given)
    return show.Forecast(
        machine=given.machine,
        seconds=sum(stage.seconds for stage in stages.values()),
        stages=stages,
        bottlenecks=[*show.bottlenecks(stages, keep=experiment.config.crop.keep)],
        warnings=[*show.warnings(experiment, videos)],
        assumptions=[*show.assumptions(given, jobs, videos)],
    )


def _charged(found: show.Forecast, prices: Path, save_minutes: float) -> show.Forecast:
    """Return a forecast with its charges on a cloud, by a file of prices."""
    known = cloud.read(prices)
    charges = cloud.charges(found.stages, found.machine, known, save_minutes=save_minutes)
    based_on = [*found.assumptions, *cloud.assumptions(charges, known)]
    return found.model_copy(update={"charges": charges, "assumptions": based_on})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap plan",
        description="Forecast the cost of an experiment and its bottleneck. Runs nothing.",
    )
    add = parser.add_argument
    argument.add_to(parser)
    add("--machine", help=f"one of {', '.join(presets())} (default: this machine)")
    add("--nodes", type=int, help="machines of the cluster (default 1)")
    add("--cpus", type=int, help="cores of each machine")
    add("--gpus", type=int, help="GPUs of each machine")
    add("--gpu-tflops", type=float, dest="tflops", help="peak of a GPU's matrix products in BF16")
    add("--gpu-share", type=float, default=SHARE, help=f"share of that peak (default {SHARE})")
    add("--network", type=float, help="megabytes per second from outside (default 100)")
    add(
        "--cloud",
        type=Path,
        nargs="?",
        const=cloud.SHIPPED,
        metavar="PRICES",
        help="add prices on a cloud, from a file of your own or as shipped",
    )
    add("--workers", type=int, help="loader processes per GPU (default: the configuration's)")
    add("--rates", type=Path, nargs="*", default=[], help="files of --calibrate")
    add("--results", type=Path, help="results of a run of this configuration; take its rates")
    add(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="write the rates of a run to FILE: --results, or the configuration's results",
    )
    add("--json", action="store_true", help="print JSON")
    return parser
