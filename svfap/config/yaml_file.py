"""Read a configuration and explain its mistakes in one line."""

import difflib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from svfap.config import Config, FinetuneConfig, TrainingMachine
from svfap.config.explain import explain
from svfap.config.section import Section
from svfap.errors import SvfapError

S = TypeVar("S", bound=Section)


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings key by key; `changes` win."""
    merged = dict(base)
    for key, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if nested else value
    return merged


def parse(section: type[S], values: object, *, where: str = "config") -> S:
    """Check values against a section, and return it.

    Raises:
        SvfapError: some keys or values are wrong; the message names each, what is expected, and the
            nearest valid key.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        lines = [_explain(section, problem) for problem in error.errors()]
        raise SvfapError(f"{where}: " + "; ".join(lines)) from None


def load(path: Path) -> Config:
    """Read and check a YAML configuration.

    Raises:
        SvfapError: the file is missing, not YAML, or does not fit `Config`.
    """
    return check(read(path), where=str(path))


def read(path: Path) -> object:
    """Return the values in a YAML file: plain data, since the safe loader refuses Python objects.

    Raises:
        SvfapError: the file is missing, empty or not YAML.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror}); name a YAML file") from None
    except Exception as error:  # PyYAML passes on errors of int, datetime and others, too
        problem = " ".join(str(error).split()) or type(error).__name__
        raise SvfapError(f"{path}: not valid YAML: {problem}") from None
    if values is None:
        raise SvfapError(f"{path}: is empty; write keys with values, like config/config.yaml")
    return values


def check(values: object, *, where: str = "config") -> Config:
    """Check a whole configuration, including the overrides of its datasets."""
    config = parse(Config, values, where=where)
    for name in config.datasets:
        finetune_for(config, name, where=where)
    return config


def finetune_for(config: Config, dataset: str, *, where: str = "config") -> FinetuneConfig:
    """Return the `finetune` section with a dataset's overrides."""
    changed = merge(config.finetune.model_dump(), config.datasets[dataset].finetune)
    return parse(FinetuneConfig, changed, where=f"{where}: datasets.{dataset}.finetune")


def _explain(section: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """Describe a problem of pydantic in one clause; name the nearest key for a misspelt one."""
    location = tuple(str(step) for step in problem["loc"])
    key = ".".join(location)
    if problem["type"] != "extra_forbidden":
        return f"{key}: {explain(problem)}" if key else explain(problem)
    if "optim" in location[:-1] and location[-1] in TrainingMachine.model_fields:
        return f"'{key}' describes the machine: move it to `machine.{location[-1]}`"
    known = _keys_at(section, location[:-1])
    # With `cutoff=0`, even a very different key is offered as a hint.
    near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.0)
    return f"unknown key '{key}'; did you mean '{'.'.join((*location[:-1], *near))}'?"


def _keys_at(section: type[BaseModel], location: Iterable[str]) -> list[str]:
    """Return the valid keys of the section at a location."""
    for step in location:
        field = section.model_fields.get(step)
        if field is not None and isinstance(field.annotation, type):
            section = field.annotation if _is_section(field.annotation) else section
        elif field is not None:  # a mapping of sections, such as `datasets`
            sections = [t for t in typing.get_args(field.annotation) if _is_section(t)]
            section = sections[0] if sections else section
    return list(section.model_fields)


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
