"""The options of a request: the options of `svfap.load`, written as text."""

import json
from collections.abc import Mapping

from svfap.errors import SvfapError
from svfap.serve.refusal import Refused
from svfap.use.options import make_options

FORMATS = ("json", "csv", "html", "mp4", "zip", "stream")
_OWN = {"format", "name", "token"}  # parameters of a request that are no options of a model
_TEXTS = {"speaker", "preset"}
NOT_OFFERED = {"device"}  # options of `svfap.load` that only the owner of the server may choose


def read_format(parameters: Mapping[str, str]) -> str:
    """Return the format of the answer.

    Raises:
        Refused: there is no such format.
    """
    form = parameters.get("format", "json")
    if form not in FORMATS:
        raise Refused(400, f"format is {form!r}; choose one of {', '.join(FORMATS)}")
    return form


def read_options(
    parameters: Mapping[str, str], *, ignore: frozenset[str] = frozenset()
) -> dict[str, object]:
    """Return the options of a request as JSON values.

    Args:
        parameters: the query, and the fields of the form.
        ignore: further parameters that are no options.

    Raises:
        Refused: there is no such option, or its value makes no sense.
    """
    chosen = {k: _value(k, v) for k, v in parameters.items() if k not in _OWN | ignore and v != ""}
    try:
        for name in NOT_OFFERED & {*chosen}:
            raise SvfapError(f"no option {name!r} here; the server has chosen it")
        make_options(chosen, hidden=NOT_OFFERED)
    except SvfapError as error:
        raise Refused(400, str(error)) from None
    return chosen


def _value(name: str, text: str) -> object:
    """Return a number or a truth value; another text stays one, and is refused by its option."""
    if name in _TEXTS:
        return text
    try:
        # Programs in Python send True and False.
        return json.loads(text.lower() if text in ("True", "False") else text)
    except (ValueError, RecursionError):  # RecursionError: deeply nested brackets
        return text
