"""Read a configuration and explain its mistakes in one line."""

import difflib
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from svfap.config import Config, FinetuneConfig, TrainingMachine, reserved
from svfap.config.explain import explain, syntax_problem
from svfap.config.paths import check_folder
from svfap.config.section import Section
from svfap.errors import SvfapError

S = TypeVar("S", bound=Section)
LISTS = (".csv", ".tsv", ".xlsx")
NEAR = 0.7  # likeness above which a known key is suggested for a misspelt one


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
    if path.suffix.lower() in LISTS:
        raise SvfapError(
            f"{path}: a list of videos is no configuration; `svfap new {path}` writes one for it"
        )
    try:
        values = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except SvfapError as error:
        raise SvfapError(f"{path}: {error}") from None
    except OSError as error:
        raise SvfapError(f"{path}: cannot be read ({error.strerror}); {_meant(path)}") from None
    except UnicodeDecodeError as error:
        raise SvfapError(
            f"{path}: not UTF-8 text (byte {error.start + 1}); save it as UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise SvfapError(f"{path}: {syntax_problem(error)}") from None
    except Exception as error:  # PyYAML passes on errors of int, datetime and others, too
        problem = " ".join(str(error).split()) or type(error).__name__
        raise SvfapError(f"{path}: not valid YAML: {problem}") from None
    if values is None:
        raise SvfapError(f"{path}: is empty; write keys with values, like config/config.yaml")
    return values


def _meant(path: Path) -> str:
    """Return advice for a configuration that cannot be read: one in `config` of that name."""
    near = Path("config") / f"{path.stem}.yaml"
    return f"did you mean {near}?" if near.is_file() else "name a YAML file"


class _Loader(yaml.SafeLoader):
    """The safe loader, which refuses a key that occurs twice: PyYAML would take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        firsts: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            first = firsts.setdefault(str(key.value), key)
            if first is not key:
                lines = f"{first.start_mark.line + 1} and {key.start_mark.line + 1}"
                raise SvfapError(f"key '{key.value}' occurs twice, in lines {lines}; delete one")
        return super().construct_mapping(node, deep)


def check(values: object, *, where: str = "config") -> Config:
    """Check a whole configuration, including its paths and the overrides of its datasets."""
    config = parse(Config, values, where=where)
    check_folder(config.data, key=f"{where}: data")
    check_folder(config.results, key=f"{where}: results")
    reserved.check_results(config.results, where=where)
    reserved.check_datasets(config.datasets, where=where)
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
    return f"unknown key '{key}'; {_suggestion(section, location)}"


def _suggestion(section: type[BaseModel], location: tuple[str, ...]) -> str:
    """Return a hint at the key that was meant: a near one beside it, or one in another section."""
    *parents, name = location
    known = _keys_at(section, parents)
    elsewhere = [path for path in _all_keys(section) if path[-1] == name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
    if not near and not elsewhere:
        names = {path[-1] for path in _all_keys(section)}
        others = difflib.get_close_matches(name, names, n=1, cutoff=NEAR)
        elsewhere = [path for path in _all_keys(section) if path[-1] in others]
    if near or not elsewhere:
        # Without a near key, the least different one beside it is still a hint.
        best = near or difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        return f"did you mean '{'.'.join((*parents, *best))}'?"
    return f"did you mean {' or '.join(repr('.'.join(path)) for path in elsewhere[:3])}?"


def _all_keys(section: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the location of every key of a section and of the sections in it."""
    for name, field in section.model_fields.items():
        yield (*above, name)
        kind = field.annotation
        if isinstance(kind, type) and _is_section(kind):
            yield from _all_keys(kind, (*above, name))


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
