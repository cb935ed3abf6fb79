"""Command `new`: write a configuration for your own list of videos, with its choices explained."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from svfap.commands import new_folder, new_list, new_text, output, plan
from svfap.commands.new_list import OwnList
from svfap.doctor.installation import IN_CHECKOUT
from svfap.errors import SvfapError
from svfap.experiment import resolve
from svfap.experiment.resolve import Experiment
from svfap.planning import rates, show, video_facts
from svfap.planning.estimate import Assumptions
from svfap.planning.machines import Machine, choose_machine, gpus_here
from svfap.weights import start
from svfap.weights.catalogue import NON_COMMERCIAL
from svfap.weights.place import availability

PUBLIC = "videomae-base"  # the smallest model of the list whose commit and hash are known
# The paper's model has 78 M parameters. With fewer clips than this, a probe or a small model is
# better, and without a GPU it takes weeks.
ENOUGH_FOR_THE_PAPER = 5000


@dataclass(frozen=True)
class Advice:
    """A recipe, and the reason for it in one sentence."""

    recipe: new_text.Recipe
    reason: str


def run(arguments: Sequence[str]) -> str:
    """Write the configuration; return what it holds, what it costs, and the next command.

    Raises:
        SvfapError: the list is wrong, or the configuration exists.
    """
    chosen = _parser().parse_args(arguments)
    if not IN_CHECKOUT:
        raise SvfapError(
            "the workflow is not here; clone the repository, and run `make setup` in it"
        )
    if new_folder.is_folder_of_videos(chosen.csv):
        return new_folder.write_list(chosen.csv)
    if chosen.csv.suffix in (".yaml", ".yml"):
        raise SvfapError(f"{chosen.csv}: is a configuration already: svfap run {chosen.csv}")
    target: Path | None = chosen.output
    if target and target.suffix not in (".yaml", ".yml"):
        raise SvfapError(f"{target}: end its name in .yaml")
    videos = new_list.read(chosen.csv, name=chosen.name, task=chosen.task, subject=chosen.subject)
    target = target or Path("config") / f"{videos.name}.yaml"
    if target.exists():
        raise SvfapError(
            f"{target}: exists, and is never overwritten; choose another by --name or --output"
        )
    advice = _choose(videos, chosen.recipe, NON_COMMERCIAL in chosen.accept_licence)
    text, experiment = _fitting(videos, advice, str(target))
    known = Assumptions(machine=choose_machine(None, {}), rates=rates.read(), share=plan.SHARE)
    forecast = plan.forecast(experiment, known)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as file:
        file.write(text)
    return "\n".join([*_facts(videos, target, advice), *_cost(forecast, target)])


def _choose(videos: OwnList, wanted: new_text.Recipe | None, accepted: bool) -> Advice:
    """Choose the recipe that suits the number of videos and the machine, unless one is wanted."""
    if wanted == "probe" and not accepted:
        raise SvfapError(
            f"the weights of {PUBLIC} are under {NON_COMMERCIAL}, without commercial use; add"
            f" --accept-licence {NON_COMMERCIAL} if that fits your work"
        )
    if wanted:
        return Advice(wanted, f"you asked for `--recipe {wanted}`")
    if videos.task == "unlabelled":
        return Advice("small", "without labels, videos serve to pre-train a model")
    gpu = bool(gpus_here())
    if gpu and videos.videos >= ENOUGH_FOR_THE_PAPER:
        return Advice(
            "paper", f"{videos.videos:,} videos and a GPU are enough for the paper's model"
        )
    public = start.public(PUBLIC)
    assert public is not None
    where = availability(public)
    if where == "unreachable":
        lacking = f"{videos.videos:,} videos are few" if gpu else "there is no GPU"
        return Advice("small", f"{lacking}, and public weights cannot be fetched here")
    if accepted:
        return Advice("probe", "a head on a model that has seen many videos needs few labels")
    return Advice(
        "small",
        f"the public weights of {PUBLIC} forbid commercial use; `svfap new {videos.csv} --recipe"
        f" probe --accept-licence {NON_COMMERCIAL} --name NAME` starts from them",
    )


def _fitting(videos: OwnList, advice: Advice, where: str) -> tuple[str, Experiment]:
    """Return the configuration as text and checked, with a stride that suits its clips."""

    def written(stride: int | None = None) -> tuple[str, Experiment]:
        text = new_text.configuration(videos, advice.recipe, advice.reason, stride=stride)
        return text, resolve.resolve(yaml.safe_load(text), where=where)

    text, experiment = written()
    too_long = show.strides_too_long(experiment, video_facts.of_all(experiment))
    return written(too_long[videos.name][2]) if videos.name in too_long else (text, experiment)


def _facts(videos: OwnList, target: Path, advice: Advice) -> list[str]:
    """Return what was found and chosen, a fact a line."""
    lines = [f"{target}: written; it explains its choices", f"videos:   {new_text.summary(videos)}"]
    if videos.columns:
        called = (f"{ordinary} is '{own}'" for ordinary, own in videos.columns.items())
        lines.append(f"columns:  {', '.join(called)}")
    if videos.columns.get("subject") == "path":
        lines.append(
            "caution:  each video counts as another person; if somebody is in two videos, results"
            " are too good to be true"
        )
    if videos.ignored:
        lines.append(f"unused:   {', '.join(videos.ignored)}")
    lines += [f"check:    are '{a}' and '{b}' one class?" for a, b in videos.alike]
    if videos.missing:
        first, count = videos.missing[0], len(videos.missing)
        lines.append(
            f"missing:  {count} of {videos.videos} videos, such as {first.where}: {first.source}"
            f"{new_list.meant(first, videos.csv.parent) or '; correct the list'}"
        )
    return [*lines, f"recipe:   {new_text.TITLES[advice.recipe]}: {advice.reason}"]


def _cost(forecast: show.Forecast, target: Path) -> list[str]:
    """Return what a run costs by `svfap plan`, and the next command."""
    longest = max(forecast.stages, key=lambda name: forecast.stages[name].seconds)
    disk = sum(stage.disk_bytes for stage in forecast.stages.values())
    program = Path(".venv/bin/svfap")
    command = str(program) if program.exists() else "svfap"
    return [
        f"forecast: {show.clock(forecast.seconds)}, most of it {longest};"
        f" {disk / 1e9:.2g} GB on the disk ({_hardware(forecast.machine)})",
        *(f"warning:  {line}" for line in forecast.warnings),
        f"details:  {command} plan {target}",
        f"next:     {command} run {target}",
    ]


def _hardware(machine: Machine) -> str:
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpus = ", ".join(gpus_here()) or "no GPU"
    counted = "" if machine.gpus or gpus == "no GPU" else ", which the forecast leaves out"
    return f"{machine.cpus} CPUs, {gib:.0f} GiB of memory, {gpus}{counted}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap new",
        description="Write a configuration for your own list of videos, sensible for their number"
        " and this machine. Nothing is overwritten, and nothing starts.",
    )
    add = parser.add_argument
    add(
        "csv",
        type=output.path,
        help="list with the columns path, label and subject; of a folder of videos, a list is"
        " written that you fill in",
    )
    add(
        "--subject", default="", help="column that says who is in a video; path: each somebody else"
    )
    add("--name", default="", help="name of the experiment (default: the name of the list)")
    add("--output", type=output.path, help="configuration to write (default config/NAME.yaml)")
    tasks = ("classification", "regression", "unlabelled")
    add("--task", choices=tasks, help="what the labels are (default: guessed from them)")
    add("--recipe", choices=tuple(new_text.TITLES), help="what to train (default: what suits)")
    add("--accept-licence", action="append", default=[], help="licence that you accept")
    return parser
