"""Say in plain English what is wrong with a value of the configuration."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_NEEDED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number that is not infinite",
    "string": "text, in quotation marks if it looks like a number",
    "path": "a path",
    "list": "a list, like [a, b]",
    "tuple": "a list, like [a, b]",
    "set": "a list, like [a, b]",
    "dict": "keys with values, like {key: value}",
    "mapping": "keys with values, like {key: value}",
    "model": "keys with values, like {key: value}",
    "dataclass": "keys with values, like {key: value}",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_SHOWN = 60  # letters of a wrong value to show


def syntax_problem(error: yaml.MarkedYAMLError) -> str:
    """Say where a file is not valid YAML, and why, in one clause."""
    mark, problem = error.problem_mark or error.context_mark, error.problem or str(error)
    line = f"line {mark.line + 1}: " if mark else ""
    text = mark.buffer.splitlines()[mark.line : mark.line + 1] if mark and mark.buffer else []
    if "'\\t'" in problem:
        return f"{line}a tab; indent by blanks instead"
    if re.match(r"\s*[\w-]+:[^\s]", "".join(text)):
        return f"{line}not valid YAML; write a blank after ':'"
    if "<stream end>" in problem or "unexpected end of stream" in problem:
        return f"{line}not valid YAML: {problem}; close a bracket or quotation mark"
    if "expected" in problem or "not allowed here" in problem:
        return f"{line}not valid YAML: {problem}; correct its indentation or punctuation"
    return f"{line}not valid YAML: {problem}"


def explain(problem: Mapping[str, Any]) -> str:
    """Describe one error of pydantic that is not an unknown key.

    Args:
        problem: an item of `ValidationError.errors()`.
    """
    kind, message = str(problem["type"]), str(problem["msg"])
    context = problem.get("ctx", {})
    if kind == "missing":
        return "is missing; add it"
    if kind in {"value_error", "assertion_error"}:
        return message.split(", ", 1)[1]  # "Value error, " and the text of our own validator
    if kind in {"too_short", "too_long"}:
        return message[:1].lower() + message[1:]
    advice = f"{message[:1].lower()}{message[1:]}"
    if kind == "literal_error":
        advice = f"write {context['expected']}"
    elif kind in _LIMITS:
        bound, words = _LIMITS[kind]
        advice = f"write a number {words} {context[bound]:g}"
    elif kind == "string_pattern_mismatch":
        advice = f"it must match {context['pattern']}"
    elif kind.partition("_")[0] in _NEEDED:
        advice = f"write {_NEEDED[kind.partition('_')[0]]}"
    return f"is {_shown(problem)}; {advice}"


def _shown(problem: Mapping[str, Any]) -> str:
    """Return a wrong value as it was written, cut if it is long."""
    value = problem["input"]
    if value is None:
        return "empty"
    text = f"'{value}'" if isinstance(value, str) else f"{value}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
