"""`svfap doctor [--configfile FILE]`: is this machine ready for a long run?

Every check prints a line that begins with `ok`, `warn` (a run works, but read this) or `fix` (a run
would fail; the line says what to do).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from svfap.config import Config, CropConfig, argument
from svfap.config.yaml_file import load
from svfap.doctor import installation, machine, project
from svfap.doctor.finding import FIX, OK, WARN, Finding, State
from svfap.errors import SvfapError
from svfap.weights import start

__all__ = ["FIX", "OK", "WARN", "Finding", "lines"]

Check = Callable[[], Finding]


def lines(arguments: Sequence[str]) -> Iterator[tuple[State, str]]:
    """Check this machine; yield state and line of each finding as soon as its check is done."""
    parser = argparse.ArgumentParser(
        prog="svfap doctor",
        description="Is this machine ready for a long run? Exit status 0 if it is, else 2.",
    )
    argument.add_to(parser)
    path = argument.path_in(parser.parse_intermixed_args(arguments))
    checks = _checks(path)
    width = max(map(len, checks))
    for name, check in checks.items():
        finding = _run_check(check)
        text = " ".join(finding.text.split())
        yield finding.state, f"{finding.state:<4}  {name:<{width}}  {text}"


def _checks(path: Path) -> dict[str, Check]:
    """Return the checks by the name that their lines show."""
    # A wrong configuration is a finding too. Checks that need no configuration run anyway.
    config: Config | None = None
    try:
        config = load(path)
        start.check(config, where=str(path))
        settings = Finding(OK, str(path))
    except SvfapError as error:
        settings = Finding(FIX, str(error))
        if path == argument.DEFAULT and not (path.exists() or installation.in_project()):
            text = "none here, which is enough for `predict`; the pipeline needs --configfile FILE"
            settings = Finding(OK, text)
    checks: dict[str, Check] = {"configuration": lambda: settings}
    checks |= {"extras": installation.extras, "OpenCV": installation.opencv}
    checks |= {"torch": machine.torch, "GPU": machine.gpu}
    for folder in dict.fromkeys([config.data, config.results]) if config else []:
        checks[f"disk {folder}"] = partial(machine.disk, folder)
    checks["decoder"] = machine.decoder
    checks["detector"] = partial(project.detector, config.crop if config else CropConfig())
    if config:
        checks["fonts"] = partial(project.fonts_of, config)
        for name in config.datasets:
            checks[f"dataset {name}"] = partial(project.dataset, config, name)
    results = config.results if config else Path("results")
    return checks | {"MLflow": partial(machine.mlflow, results), "SLURM": machine.slurm}


def _run_check(check: Check) -> Finding:
    """Return the finding of a check; a SvfapError or a broken package becomes one to fix."""
    try:
        return check()
    except SvfapError as error:
        return Finding(FIX, str(error))
    except ImportError as error:  # such as a shared library that a package needs
        return Finding(FIX, f"{error}; run: {installation.REPAIR}")
