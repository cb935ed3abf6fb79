"""The argument that names a configuration: the same in every command that takes one."""

import argparse
from pathlib import Path

DEFAULT = Path("config/config.yaml")  # the demo


def add_to(parser: argparse.ArgumentParser) -> None:
    """Let a command take `CONFIG` or `--configfile CONFIG`; the value is `configfile`."""
    about = f"the experiment (default {DEFAULT})"
    # Without a default of its own, it leaves the option's value.
    parser.add_argument(
        "configfile", metavar="CONFIG", type=Path, nargs="?", default=argparse.SUPPRESS, help=about
    )
    parser.add_argument(
        "--configfile", metavar="CONFIG", type=Path, default=DEFAULT, help="the same"
    )
