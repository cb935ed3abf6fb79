"""`python -m svfap STAGE ...`: a stage's signature is its command line.

Beside the stages there are commands, which read their arguments themselves and print an answer.
"""

import argparse
import ast
import errno
import importlib
import inspect
import json
import logging
import os
import signal
import sys
import typing
from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from svfap.config.section import Section
from svfap.config.yaml_file import parse, read
from svfap.errors import SvfapError
from svfap.experiment.stage_list import STAGE_NAMES
from svfap.tracking import stage_run

COMMANDS = ("predict", "export", "convert", "datasets", "plan", "doctor", "sync-tracking")
MODULES = {name: f"stages.{name}" for name in STAGE_NAMES} | {
    name: f"commands.{name.replace('-', '_')}" for name in COMMANDS
}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
DISK_ERRORS = DISK_FULL | {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; 0 if it went well, 2 if the user can mend what did not."""
    level = logging.INFO if stage_run.first_process() else logging.ERROR
    logging.basicConfig(level=level, format="svfap: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the workflow's shells ignore it
    name, rest = _choose(sys.argv[1:] if arguments is None else arguments)
    try:
        module = importlib.import_module(f"svfap.{MODULES[name]}")
        if name in COMMANDS:
            print(module.run(rest))
        else:
            function: Callable[..., None] = module.run
            _run(name, function, _parse(name, function, rest))
    except SvfapError as error:
        return _complain(name, str(error))
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        advice = "choose a folder that you may write to"
        if error.errno in DISK_FULL:
            advice = "make room, then the same command goes on from here"
        where = error.filename or dict(pairwise(rest)).get("--output", "disk")
        return _complain(name, f"{where}: {os.strerror(error.errno)}; {advice}")
    except KeyboardInterrupt:
        return _complain(name, "interrupted; the same command goes on from here", code=130)
    return 0


def _run(stage: str, function: Callable[..., None], values: dict[str, Any]) -> None:
    """Check the configuration and run a stage under tracking."""
    kind = inspect.signature(function).parameters["config"].annotation
    config = _config(kind, values.pop("config"))
    output: Path = values["output"]
    given = {k: v if isinstance(v, list) else [v] for k, v in values.items() if k != "output"}
    inputs = {k: [p for p in v if isinstance(p, Path)] for k, v in given.items()}
    params = config.model_dump(mode="json") | {
        k: str(v) for k, v in values.items() if not isinstance(v, list)
    }
    for path in chain(*inputs.values()):
        if not path.exists():
            raise SvfapError(f"{path}: no such file; run the stage that makes it first")
    with stage_run.track_stage(stage, params=params, inputs=inputs, output=output) as log:
        function(config, **values, log=log)


def _choose(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split the name of the stage or command off the command line."""
    summaries = [f"  {each:<15}{_summary(module)}" for each, module in MODULES.items()]
    count = len(STAGE_NAMES)
    parser = argparse.ArgumentParser(
        prog="python -m svfap",
        description="Run one stage of the pipeline; Snakemake calls them in order.",
        epilog="\n".join(["stages:", *summaries[:count], "", "commands:", *summaries[count:]]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=tuple(MODULES), metavar="STAGE")
    return parser.parse_args(arguments[:1]).stage, arguments[1:]


def _summary(module: str) -> str:
    """What the first line of a module says of it."""
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0].split(": ", 1)[-1]


def _parse(stage: str, function: Callable[..., None], arguments: Sequence[str]) -> dict[str, Any]:
    """Read the flags that a stage's signature asks for."""
    parser = argparse.ArgumentParser(
        prog=f"python -m svfap {stage}",
        description=inspect.getdoc(function),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, parameter in inspect.signature(function).parameters.items():
        kind = parameter.annotation
        flag = f"--{name.replace('_', '-')}"
        if name == "log":
            continue
        if inspect.isclass(kind) and issubclass(kind, Section):
            parser.add_argument(flag, required=True, help="JSON, or the path of a YAML file")
        elif typing.get_origin(kind) is list:
            parser.add_argument(flag, nargs="*", default=[], type=typing.get_args(kind)[0])
        else:
            parser.add_argument(flag, required=True, type=kind)
    return vars(parser.parse_args(arguments))


def _config(kind: type[Section], text: str) -> Section:
    """A section from JSON or from a YAML file."""
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else read(Path(text))
    except (ValueError, RecursionError) as error:
        raise SvfapError(f"--config: {error}") from None
    return parse(kind, values, where="--config")


def _complain(stage: str, message: str, *, code: int = 2) -> int:
    """Say in one line what the user can mend."""
    print(f"svfap {stage}: error: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
