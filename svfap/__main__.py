"""`svfap STAGE ...` or `python -m svfap STAGE ...`: a stage's signature is its command line.

Commands other than stages parse their own arguments and return the text to print.
"""

from svfap import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()  # before the imports, which take a while

import argparse
import ast
import contextlib
import errno
import importlib
import inspect
import io
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

from svfap import __version__, redact
from svfap.commands import COMMANDS
from svfap.config.section import Section
from svfap.config.yaml_file import parse, read
from svfap.errors import SvfapError, missing_extra, require
from svfap.experiment import layout
from svfap.experiment.job_environment import forget_other_launchers
from svfap.experiment.signature import stage_signature
from svfap.experiment.stage_list import STAGE_NAMES
from svfap.overwriting import keep_inputs
from svfap.threads import wait_passively
from svfap.tracking import stage_run
from svfap.tracking.environment import tracking_uri

MODULES = {name: f"stages.{name}" for name in STAGE_NAMES} | {
    name: f"commands.{name.replace('-', '_')}" for name in COMMANDS
}
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage or command.

    Returns:
        The exit status: 0 on success, 2 for an error the user can fix, 130 after Ctrl-C, 141 if the
        reader of the output, such as `head`, has enough.
    """
    _prepare()
    words = sys.argv[1:] if arguments is None else arguments
    name = words[0] if words else ""
    try:
        _run(words)
    except BrokenPipeError:
        _drop_output()
        return 128 + signal.SIGPIPE
    except SvfapError as error:
        return _print_error(name, str(error))
    except ModuleNotFoundError as error:
        missing = missing_extra(error, name)
        if missing is None:
            raise
        return _print_error(name, str(missing))
    except OSError as error:
        _drop_output()
        if error.errno in DISK_FULL:
            advice = "make room, then the same command resumes"
        elif error.errno in NOT_WRITABLE:
            advice = "choose a folder that you may write to"
        else:
            raise
        # The error of a failed write, unlike a failed open's, does not name the file.
        where = error.filename or dict(pairwise(words)).get("--output", "disk")
        return _print_error(name, f"{where}: {os.strerror(error.errno)}; {advice}")
    except KeyboardInterrupt:
        interrupts.ignore()
        advice = "" if name in COMMANDS else "; the same command resumes"
        return _print_error(name, f"interrupted{advice}", code=130)
    return 0


def _prepare() -> None:
    """Set up logging, signals and libraries for this process."""
    warning = forget_other_launchers()
    level = logging.INFO if stage_run.first_process() else logging.ERROR
    redact.install(level, "svfap: %(message)s")
    if warning:
        logging.getLogger(__name__).warning(warning)
    # The workflow's shells ignore SIGTERM (workflow/rules/common.smk), and children inherit that.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Jupyter hands its own back end to programs, and Matplotlib refuses one that it cannot find.
    os.environ["MPLBACKEND"] = "agg"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a label may not fit the encoding
    wait_passively()


def _run(words: Sequence[str]) -> None:
    """Run the stage or command of a command line."""
    try:
        name, rest = _split_command_line(words)
        interrupts.raise_again()
        if name in COMMANDS:
            print(_load(name)(rest))
        else:
            signature = stage_signature(name)
            _run_stage(name, signature, _parse_flags(name, signature, rest))
    finally:
        # A reader that has gone, or a full disk, is noticed here, also after `--help`. At exit, it
        # would be too late: Python would print a traceback.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()


def _drop_output() -> None:
    """Drop what cannot be written to stdout and stderr, which Python would try again at exit."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _load(name: str) -> Callable[..., Any]:
    """Import the function of a stage or command."""
    run: Callable[..., Any] = importlib.import_module(f"svfap.{MODULES[name]}").run
    return run


def _run_stage(stage: str, signature: Callable[..., None], values: dict[str, Any]) -> None:
    """Check the configuration and run a stage under tracking."""
    if tracking_uri() != "off":
        require(stage, "mlflow")
    sections = {
        name: _read_section(parameter.annotation, values.pop(name), flag=f"--{name}")
        for name, parameter in inspect.signature(signature).parameters.items()
        if _is_section(parameter.annotation)
    }
    output: Path = values["output"]
    given = {k: v if isinstance(v, list) else [v] for k, v in values.items() if k != "output"}
    inputs = {k: [p for p in v if isinstance(p, Path)] for k, v in given.items()}
    params = sections["config"].model_dump(mode="json") | {
        k: str(v) for k, v in values.items() if not isinstance(v, list)
    }
    for path in chain(*inputs.values()):
        if not path.exists():
            raise SvfapError(f"{path}: no such file; run the stage that writes it first")
    keep_inputs(chain(*inputs.values()), [output])
    # The machine is recorded in tags: a stopped run with other params is another run.
    tags = layout.place_of(output) | {
        k: v.model_dump(mode="json") for k, v in sections.items() if k != "config"
    }
    with stage_run.track_stage(
        stage, params=params, inputs=inputs, output=output, tags=tags
    ) as log:
        _load(stage)(**sections, **values, log=log)


def _split_command_line(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the name of the stage or command, and the remaining arguments."""
    summaries = [f"  {each:<15}{_summary(module)}" for each, module in MODULES.items()]
    count = len(STAGE_NAMES)
    parser = argparse.ArgumentParser(
        prog="svfap",
        description="Run a command, or one stage of the pipeline; Snakemake calls them in order.",
        epilog="\n".join(["stages:", *summaries[:count], "", "commands:", *summaries[count:]]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"svfap {__version__}")
    parser.add_argument("stage", choices=tuple(MODULES), metavar="NAME")
    return parser.parse_args(arguments[:1]).stage, arguments[1:]


def _summary(module: str) -> str:
    """Return the first line of a module's docstring, without the name of the stage."""
    # The module is parsed, not imported: stages import torch, which takes seconds.
    path = Path(__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.splitlines()[0].split(": ", 1)[-1]


def _parse_flags(
    stage: str, function: Callable[..., None], arguments: Sequence[str]
) -> dict[str, Any]:
    """Parse the flags of a stage: one for each parameter of its function except `log`."""
    parser = argparse.ArgumentParser(
        prog=f"svfap {stage}",
        description=inspect.getdoc(function),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, parameter in inspect.signature(function).parameters.items():
        kind = parameter.annotation
        flag = f"--{name.replace('_', '-')}"
        if name == "log":
            continue
        if _is_section(kind):
            needed = parameter.default is parameter.empty
            about = "JSON, or the path of a YAML file"
            parser.add_argument(flag, required=needed, default="{}", help=about)
        elif typing.get_origin(kind) is list:
            parser.add_argument(flag, nargs="*", default=[], type=typing.get_args(kind)[0])
        else:
            needed = parameter.default is parameter.empty
            parser.add_argument(flag, required=needed, default=parameter.default, type=kind)
    return vars(parser.parse_args(arguments))


def _is_section(kind: object) -> bool:
    return inspect.isclass(kind) and issubclass(kind, Section)


def _read_section(section: type[Section], text: str, *, flag: str) -> Section:
    """Return a section from JSON or from the path of a YAML file."""
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else read(Path(text))
    except (ValueError, RecursionError) as error:  # RecursionError: deeply nested brackets
        raise SvfapError(f"{flag}: {error}") from None
    return parse(section, values, where=flag)


def _print_error(stage: str, message: str, *, code: int = 2) -> int:
    """Print an error in one line; return the exit status."""
    line = redact.redacted(f"svfap {stage}: error: {' '.join(message.split())}")
    with contextlib.suppress(BrokenPipeError):
        print(line, file=sys.stderr)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        interrupts.ignore()
