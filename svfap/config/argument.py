"""The argument that names a configuration: the same in every command that takes one."""

import argparse
from pathlib import Path

DEFAULT = Path("config/config.yaml")  # the demo


def add_to(parser: argparse.ArgumentParser) -> None:
    """Let a command take `CONFIG` or `--configfile CONFIG`."""
    about = f"the experiment (default {DEFAULT})"
    parser.add_argument("config", metavar="CONFIG", type=Path, nargs="?", help=about)
    parser.add_argument("--configfile", metavar="CONFIG", type=Path, help="the same")


def path_in(parsed: argparse.Namespace) -> Path:
    """Return the path of the configuration that parsed arguments name."""
    named: Path | None = parsed.config or parsed.configfile
    return named or DEFAULT
