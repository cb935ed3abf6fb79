"""The one place that knows what a secret is, and removes it from text that is shown or stored.

Secrets are the user and password of an address, the values of a query that may sign it, the values
of environment variables that hold passwords or tokens, and words that have the form of a token.
Errors (`svfap.errors`), logs and tracebacks (`install`), and records of runs (`svfap.tracking`)
pass through `redacted`.
"""

import functools
import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

HIDDEN = "***"
SHORTEST_VALUE = 5  # hiding a shorter value of a variable would hide parts of ordinary words
# A query may sign an address. These parameters identify a file and give no access; a message needs
# them to say which file it means.
HARMLESS = frozenset(
    re.findall(r"\w+", "v list id name file path download dl raw export format version page part t")
)
_WORD = r"(?:pass(?:word|wd|phrase)|pwd|token|secret|api_?key|access_?key(?:_?id)?|private_?key)"
SECRET_NAME = re.compile(rf"(?!PWD$)(?:.*[_.\-])?(?:{_WORD}|pass)", re.IGNORECASE)
# The user ends at the last "@" before the path. A password may contain "/", "?" or "#" although it
# should not; then it follows a colon without being a port.
USERINFO = re.compile(
    r"(?<=://)(?:[^\s/?#@:\"'<>]*:(?!\d+[/?#])[^\s\"'<>]*@|[^\s/?#\"'<>]*@)", re.IGNORECASE
)
QUERY = re.compile(r"(?P<url>[a-z][a-z0-9+.\-]*://[^\s\"'<>?#]*)(?P<query>[?#][^\s\"'<>]*)", re.I)
PARAMETER = re.compile(r"(?P<name>[^?&#;=]+)=(?P<value>[^&#;]*)")
ASSIGNED = re.compile(
    rf"(?P<name>\b(?:\w+[_.\-])?{_WORD}\\?[\"']?\s*[=:]\s*|--(?:\w+-)*{_WORD}\s+)"
    r"(?P<quote>\\?[\"']?)(?P<value>(?<=[\"'])[^\"']+|[^\s\"'&;,}\\]+)",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(r"\b(?P<kind>basic|bearer) +[A-Za-z0-9+/=._~\-]{6,}", re.IGNORECASE)
TOKENS = re.compile(  # Hugging Face, GitHub, GitLab, Slack, AWS, and JSON web tokens
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w\-]{16,}"
    r"|xox[abprs]-[\w\-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]*)"
)


def redacted(text: str) -> str:
    """Return text in which every secret is replaced by `***`; userinfo of an address is dropped."""
    for value in _values_of_variables():
        text = text.replace(value, HIDDEN)
    if "://" in text:
        text = QUERY.sub(
            lambda found: found["url"] + _query(found["query"]), USERINFO.sub("", text)
        )
    text = ASSIGNED.sub(lambda found: found["name"] + found["quote"] + HIDDEN, text)
    return TOKENS.sub(HIDDEN, AUTHORIZATION.sub(rf"\g<kind> {HIDDEN}", text))


def redacted_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values with redacted texts; the text of a key such as `token` is hidden whole."""
    return {
        redacted(key): HIDDEN if _is_secret(key, value) else _redacted_value(value)
        for key, value in values.items()
    }


class RedactingFormatter(logging.Formatter):
    """Log formatter that redacts messages and their tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted text of a log record."""
        return redacted(super().format(record))


def install(level: int, layout: str) -> None:
    """Log to stderr, and print the traceback of an uncaught exception, without secrets.

    Args:
        level: lowest level of shown messages.
        layout: format of a message, as `logging` defines it.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(layout))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # no news of its cache of fonts
    sys.excepthook = _print_traceback


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))


def _is_secret(key: str, value: object) -> bool:
    return isinstance(value, str) and bool(value) and bool(SECRET_NAME.fullmatch(key))


def _redacted_value(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return redacted_values(value)
    return [*map(_redacted_value, value)] if isinstance(value, list | tuple) else value


def _query(query: str) -> str:
    """Return a query or fragment in which only harmless parameters keep their values."""
    return PARAMETER.sub(
        lambda found: (
            found[0] if found["name"].lower() in HARMLESS else f"{found['name']}={HIDDEN}"
        ),
        query,
    )


def _values_of_variables() -> tuple[str, ...]:
    """Return the secret values in the environment, the longest first."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.fullmatch(name)}
    return _with_passwords(tuple(sorted(found)), os.environ.get("MLFLOW_TRACKING_URI", ""))


@functools.lru_cache(maxsize=8)
def _with_passwords(values: tuple[str, ...], uri: str) -> tuple[str, ...]:
    """Return the values that are worth hiding, and the password of an address as it is sent."""
    from urllib.parse import unquote

    userinfo = USERINFO.search(uri)
    password = userinfo[0].rstrip("@").partition(":")[2] if userinfo else ""
    found = {*values, password, unquote(password)}
    return tuple(sorted((v for v in found if len(v) >= SHORTEST_VALUE), key=len, reverse=True))
