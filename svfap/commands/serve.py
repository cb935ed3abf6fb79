"""`python -m svfap serve MODEL`: a local page and a JSON API that score videos and a webcam."""

import argparse
import math
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import fields

from svfap.commands import output
from svfap.errors import SvfapError
from svfap.serve.refusal import Limits
from svfap.use.card import CAUTION
from svfap.use.model_source import check_predicts

_TOKEN = "SVFAP_TOKEN"  # the variable: other users of a machine can read command lines
_SHORTEST_TOKEN = 8
_COUNTS = {"queue", "workers", "cameras"}
_ABOUT = {
    "megabytes": "largest upload in MB",
    "seconds": "longest video in seconds",
    "timeout": "most seconds of scoring one video",
    "queue": "most requests that wait; more are answered with 503",
    "workers": "videos to score at the same time; each loads the model",
    "cameras": "browsers whose cameras are scored at the same time",
}


def run(arguments: Sequence[str]) -> str:
    """Serve a model until Ctrl-C.

    Raises:
        SvfapError: the model, the address, the port or the token cannot be used.
    """
    chosen = _parser().parse_args(arguments)
    check_predicts(chosen.model)
    if chosen.keep is not None:
        output.claim(chosen.keep, overwrite=True)
    from svfap.serve.gate import is_loopback
    from svfap.serve.run import serve

    token = chosen.token if chosen.token is not None else os.environ.get(_TOKEN, "")
    if chosen.token is not None or token:
        token = _checked(token)
    elif not is_loopback(chosen.host):
        token = secrets.token_hex(16)  # has no `-`, which would look like an option
    serve(
        chosen.model,
        host=chosen.host,
        port=chosen.port,
        token=token,
        limits=Limits(**{field.name: getattr(chosen, field.name) for field in fields(Limits)}),
        keep=chosen.keep,
    )
    return "the server has ended"


def _checked(token: str) -> str:
    """Return a token that fits a header and an address, and is not guessed at once."""
    fits = token.isascii() and all(c.isalnum() or c in "-_.~" for c in token)
    if len(token) < _SHORTEST_TOKEN or not fits:
        raise SvfapError(
            f"a token has at least {_SHORTEST_TOKEN} letters, digits or -_.~; leave the option out,"
            " and one is made"
        )
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="svfap serve",
        description="Serve a page and a JSON API that score videos and a webcam.",
        epilog=CAUTION,
    )
    parser.add_argument(
        "model",
        help="checkpoint or folder of the stage finetune, exported folder, or hub id",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1"
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="default: 8000; 0 takes a free one"
    )
    parser.add_argument(
        "--token",
        help=f"secret that requests need; better given as the variable {_TOKEN}. Without one, a"
        " server that other machines can reach makes its own and prints it",
    )
    parser.add_argument(
        "--keep", type=output.path, help="folder in which results are kept; default: none are kept"
    )
    for field in fields(Limits):
        default: float = getattr(Limits, field.name)
        parser.add_argument(
            f"--{field.name}",
            type=_number(whole=field.name in _COUNTS),
            default=default,
            help=f"{_ABOUT[field.name]}; default: {default:g}",
        )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 0 to 65535")
    return int(text)


def _number(*, whole: bool) -> Callable[[str], float]:
    """Return a function that reads a number above 0, or only a whole one."""

    def read(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            kind = "whole number" if whole else "number"
            raise argparse.ArgumentTypeError(f"{text} is not a {kind} above 0")
        return value

    return read
