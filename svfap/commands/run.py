"""Command `run`: check a configuration, then run the workflow on it by Snakemake."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from svfap.config import argument
from svfap.config.yaml_file import read
from svfap.errors import SvfapError, require
from svfap.experiment import layout, resolve

SNAKEFILE = Path(__file__).parents[2] / "Snakefile"
YAML = (".yaml", ".yml")
CORES = ("-c", "-j", "--cores", "--jobs", "--profile", "--workflow-profile")

# With these, a run comes before the report, or results may be in another place.
ELSEWHERE = {
    "--report-after-run",
    "-d",
    "--directory",
    "--default-storage-provider",
    "--profile",
    "--workflow-profile",
}


def run(arguments: Sequence[str]) -> str:
    """Become Snakemake, with a configuration that is right.

    Snakemake alone shows a traceback for a configuration that it cannot read.

    Raises:
        SvfapError: the configuration is wrong, or the workflow is not installed.
    """
    chosen, options = _parser().parse_known_args(arguments)
    path = argument.path_in(chosen)
    late = [option for option in options if option.endswith(YAML)]
    if late and path.suffix not in YAML:  # it is the value of an option before it
        raise SvfapError(f"write the configuration first: svfap run {late[0]} ...")
    require("svfap run", "snakemake")
    if not SNAKEFILE.is_file():
        raise SvfapError(
            "the workflow is not here; clone the repository, and run `make setup` in it"
        )
    experiment = resolve.resolve(read(path), where=str(path))
    named = {option.split("=")[0] for option in options}
    if "--report" in named and not named & ELSEWHERE:
        _check_report(path, experiment.config.results)
    cores = [] if any(option.startswith(CORES) for option in options) else ["--cores", "all"]
    program = str(Path(sys.executable).with_name("snakemake"))
    files = ["--snakefile", str(SNAKEFILE), "--configfile", str(path)]
    os.execv(program, [program, *cores, *files, "--rerun-incomplete", *options])


def _check_report(path: Path, results: Path) -> None:
    """Raise SvfapError if a report has no tables to show; Snakemake names a file of its own."""
    if not layout.BENCHMARK.path(results).exists():
        raise SvfapError(f"{results} has no tables yet; run `svfap run {path}` first")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap run",
        description="Run the workflow on a configuration. A mistake in it is one line. The same"
        " command resumes what was interrupted.",
        epilog="Options that are not listed go to Snakemake: -n shows the jobs and runs nothing,"
        " --cores 2 limits the cores, --forcerun STAGE repeats a stage.",
        allow_abbrev=False,
    )
    argument.add_to(parser)
    return parser
