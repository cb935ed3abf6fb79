"""`python -m svfap STAGE ...`: a stage's signature is its command line.

`python -m svfap datasets [NAME]` is no stage: it makes nothing and tells what there is.
"""

import argparse
import ast
import errno
import importlib
import inspect
import json
import logging
import signal
import sys
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from svfap import tracking
from svfap.configfile import parse
from svfap.errors import SvfapError
from svfap.section import Section

STAGES = (
    "track", "download", "crop", "review", "shard", "pretrain", "finetune", "evaluate", "cost",
    "tabulate",
)  # fmt: skip
DATASETS = "datasets"
DISK_ERRORS = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST,
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; 0 if it went well, 2 if the user can mend what did not."""
    level = logging.INFO if tracking.first_process() else logging.ERROR
    logging.basicConfig(level=level, format="svfap: %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the workflow's shells ignore it
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == [DATASETS]:
        return _show_datasets(given[1:])
    stage, rest = _choose(given)
    function: Callable[..., None] = importlib.import_module(f"svfap.stages.{stage}").run
    values = _parse(stage, function, rest)
    try:
        _run(stage, function, values)
    except SvfapError as error:
        return _complain(stage, str(error))
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        advice = "make room, or choose a folder that you may write to"
        return _complain(stage, f"{error.filename}: {error.strerror}; {advice}")
    except KeyboardInterrupt:
        return _complain(stage, "interrupted; the same command goes on from here", code=130)
    return 0


def _show_datasets(arguments: Sequence[str]) -> int:
    """Print what is known of datasets."""
    from svfap import catalogue

    try:
        print(catalogue.run(arguments))
    except SvfapError as error:
        return _complain(DATASETS, str(error))
    return 0


def _run(stage: str, function: Callable[..., None], values: dict[str, Any]) -> None:
    """Check the configuration and run a stage under tracking."""
    kind = inspect.signature(function).parameters["config"].annotation
    config = _config(kind, values.pop("config"))
    output: Path = values["output"]
    paths = [v for k, v in values.items() if k != "output"]
    inputs = [p for v in paths for p in (v if isinstance(v, list) else [v]) if isinstance(p, Path)]
    params = config.model_dump(mode="json") | {
        k: str(v) for k, v in values.items() if not isinstance(v, list)
    }
    for path in inputs:
        if not path.exists():
            raise SvfapError(f"{path}: no such file; run the stage that makes it first")
    with tracking.run(stage, params=params, inputs=inputs, output=output) as log:
        function(config, **values, log=log)


def _choose(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split the name of the stage off the command line."""
    folder = Path(__file__).parent / "stages"
    summaries = []
    for stage in STAGES:
        doc = ast.get_docstring(ast.parse((folder / f"{stage}.py").read_text(encoding="utf-8")))
        summaries.append(f"  {stage:<10}{(doc or '').splitlines()[0].split(': ', 1)[-1]}")
    summaries.append(f"  {DATASETS:<10}all datasets, or one: facts, how to get it, what is missing")
    parser = argparse.ArgumentParser(
        prog="python -m svfap",
        description="Run one stage of the pipeline; Snakemake calls them in order.",
        epilog="stages:\n" + "\n".join(summaries),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stage", choices=(*STAGES, DATASETS), metavar="STAGE")
    return parser.parse_args(arguments[:1]).stage, arguments[1:]


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
        inline = text.lstrip().startswith("{")
        values = json.loads(text) if inline else yaml.safe_load(Path(text).read_text("utf-8"))
    except (OSError, json.JSONDecodeError, yaml.YAMLError) as error:
        raise SvfapError(f"--config: {' '.join(str(error).split())}") from None
    return parse(kind, values, where="--config")


def _complain(stage: str, message: str, *, code: int = 2) -> int:
    """Say in one line what the user can mend."""
    print(f"svfap {stage}: error: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
