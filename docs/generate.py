"""Generate pages of the site from the README, the code and the published numbers."""

import inspect
import json
import re
import typing
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic_core import PydanticUndefined

from svfap.commands import datasets
from svfap.config import Config, DatasetConfig, LoraConfig, OptimConfig, ProbeConfig
from svfap.config.section import Section
from svfap.config.variants import Variant
from svfap.datasets import DATASETS
from svfap.experiment import stage_list
from svfap.tables.paper import rows_of
from svfap.tables.render import Table, markdown

ROOT = Path(__file__).parent.parent
PICTURE = "workflow/report/pipeline.svg"
# Files outside docs that pages link to, and their pages on the site.
OUTSIDE = {
    "workflow/report/pipeline.svg": "pipeline.svg",
    "benchmarks/README.md": "benchmarks.md",
    "README.md": "index.md",
}
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
LINK = re.compile(r"\[([^\]\[]+)\]\(([^)#\s]+)\)")
NUMBER = re.compile(r"[\d.,]*")
MOST_FIGURES = 6
STAGE_OPTIONS = "{show_root_heading: false, show_root_toc_entry: false, heading_level: 4}"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the generated pages in the navigation, in place of their folder's name."""
    folders = {
        "datasets": [f"datasets/{name}.md" for name in DATASETS],
        "api": [{title: f"api/{title}.md"} for title in _api()],
    }
    for group in config.nav or []:
        for title, pages in group.items():
            group[title] = []
            for page in pages:
                group[title] += folders.get(page, [page]) if isinstance(page, str) else [page]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = {
        "index.md": (ROOT / "README.md").read_text("utf-8").replace("](docs/", "]("),
        **{f"datasets/{name}.md": f"# {name}\n\n{_dataset(name)}" for name in DATASETS},
        **{f"api/{title}.md": _reference(title, modules) for title, modules in _api().items()},
        "benchmarks.md": (ROOT / "benchmarks" / "README.md").read_text("utf-8"),
    }
    written = {file.src_uri for file in files}
    for path, text in pages.items():
        if path not in written:
            files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "pipeline.svg", abs_src_path=str(ROOT / PICTURE)))
    return files


def on_page_markdown(text: str, page: Page, **_: object) -> str:
    """Replace each `<!-- generated: NAME -->` of a page, and links to files that are no page."""
    makers = {
        "configuration": _configuration,
        "consent": _consent,
        "dataset": lambda: _dataset(Path(page.file.src_uri).stem),
        "datasets": _overview,
        "results": _results,
        "stage_table": stage_list.markdown_table,
        "stages": _stages,
    }
    text = re.sub(r"<!-- generated: (\w+) -->", lambda mark: makers[mark[1]](), text)
    folder = ROOT if page.file.src_uri == "index.md" else (ROOT / "docs" / page.file.src_uri).parent
    return LINK.sub(lambda link: _on_site(link, folder), text)


def _on_site(link: re.Match[str], folder: Path) -> str:
    """Return a link as it works on the site, or its text if the site lacks the file."""
    goal = (folder / link[2]).resolve()
    if ":" in link[2] or not goal.is_file() or goal.is_relative_to(ROOT / "docs"):
        return link[0]
    name = OUTSIDE.get(str(goal.relative_to(ROOT)))
    return f"[{link[1]}]({name})" if name else link[1]


def _grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table below a heading; without a title, only the table."""
    columnwise = zip(*rows, strict=True)
    align = "".join("r" if all(map(NUMBER.fullmatch, cells)) else "l" for cells in columnwise)
    table = Table(title, tuple(columns), tuple(map(tuple, rows)), align)
    text = markdown([table], heading="").split("\n", 2)[2]
    return text if title else text.split("\n", 2)[2]


def _overview() -> str:
    rows = []
    for name, dataset in DATASETS.items():
        counts = f"{dataset.published.clips:,}", str(len(dataset.folds))
        about = datasets.ACCESS[dataset.about.access], dataset.about.licence
        rows.append((f"[{name}](datasets/{name}.md)", dataset.task, *counts, *about))
    return _grid("", ("dataset", "task", "clips", "folds", "get it", "licence"), rows)


def _consent() -> str:
    rows = [
        (f"[{name}](datasets/{name}.md)", dataset.about.people, dataset.about.licence)
        for name, dataset in DATASETS.items()
    ]
    return _grid("", ("dataset", "people, and source of the labels", "licence"), rows)


def _dataset(name: str) -> str:
    """What `python -m svfap datasets NAME` shows, except for the state of this machine."""
    text = datasets.describe(name, DatasetConfig(), Path("data")).rpartition("\n\n")[0]
    example = f"```yaml\ndatasets:\n  {name}: {{}}\n```"
    shown = f"`python -m svfap datasets {name}` also shows what is missing on your machine."
    figures = _published(name, title="Published figures")
    return "\n\n".join([f"```text\n{text}\n```", shown, example, figures])


def _published(name: str, *, title: str) -> str:
    """Published figures on a dataset with units and sources; one row per model, or per figure."""
    known: dict[tuple[str, str], dict[str, str]] = {}
    for row in [*rows_of("paper_results"), *rows_of("other_results")]:
        if _plain(name).startswith(_plain(row["dataset"])):
            unit = {"percent": "in %"}.get(row["unit"], row["unit"])
            figure = " ".join(filter(None, (row["target"], row["metric"], unit)))
            known.setdefault((row["model"], row["source"]), {})[figure] = row["value"]
    figures = [*dict.fromkeys(figure for values in known.values() for figure in values)]
    if len(figures) > MOST_FIGURES:
        columns = ["Figure", *(f"{model} ({source})" for model, source in known)]
        rows = [[name, *(values.get(name, "") for values in known.values())] for name in figures]
    else:
        columns = ["Model", *figures, "Source"]
        rows = [
            [model, *(values.get(name, "") for name in figures), source]
            for (model, source), values in known.items()
        ]
    return _grid(title, columns, rows) if rows else ""


def _results() -> str:
    """Published figures of all datasets, and the paper's comparison of models."""
    known = [*rows_of("paper_results"), *rows_of("other_results")]
    names = dict.fromkeys(row["dataset"] for row in known)
    parts = [_published(name, title=name) for name in names]
    models = [
        (row["model"], row["data"], row["parameters"], row["flops"], row["UAR"], row["WAR"])
        for row in rows_of("paper_models")
    ]
    columns = ("Model", "Pre-trained on", "Params (M)", "FLOPs (G)", "UAR", "WAR")
    parts.append(_grid("Pre-trained models on DFEW, fold 1 (paper, table 7)", columns, models))
    notes = [f"- {row['about']}: {row['note']}" for row in rows_of("paper_notes")]
    return "\n\n".join([*parts, "## Notes", "\n".join(notes)]) + "\n"


def _configuration() -> str:
    """Every key of the configuration."""
    sections = {"": Config, "datasets.NAME": DatasetConfig, "variants.NAME": Variant}
    for name, field in Config.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, Section):
            sections[name] = field.annotation
    sections["pretrain.optim, finetune.optim"] = OptimConfig
    sections |= {"finetune.probe": ProbeConfig, "finetune.lora": LoraConfig}
    parts = []
    for name, section in sections.items():
        summary = (inspect.getdoc(section) or "").splitlines()[0]
        table = _grid("", ("key", "type", "default", "meaning"), [*_keys(section)])
        parts += [f"## {name or 'At the top'}", summary, table]
    return "\n\n".join(parts) + "\n"


def _keys(section: type[Section]) -> Iterator[tuple[str, str, str, str]]:
    for key, field in section.model_fields.items():
        nested = inspect.isclass(field.annotation) and issubclass(field.annotation, Section)
        default = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else f"`{_yaml(default)}`"
        limits = [
            f"{BOUNDS[name]} {getattr(limit, name):g}"
            for limit in field.metadata
            for name in BOUNDS
            if hasattr(limit, name)
        ]
        text = field.description or (inspect.getdoc(field.annotation) if nested else "") or ""
        about = "; ".join(filter(None, (text.split("\n")[0], ", ".join(limits))))
        kind = "section" if nested else _kind(field.annotation)
        yield f"`{key}`", kind, "" if nested else shown, about


def _yaml(value: object) -> str:
    """A default as YAML writes it."""
    return "''" if value == "" else json.dumps(value, default=str).replace('"', "")


def _kind(annotation: object) -> str:
    """A type in words."""
    inner, origin = typing.get_args(annotation), typing.get_origin(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is dict:
        return "mapping by name"
    if origin is tuple:
        kinds = dict.fromkeys(_kind(each) for each in inner if each is not Ellipsis)
        return f"list of {', '.join(kinds)}"
    if inner:
        return ", ".join(_kind(each) for each in inner)
    return {Path: "path", str: "text", float: "number", int: "whole number", bool: "yes or no"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def _stages() -> str:
    """What each stage does and receives."""
    parts = ["## The stages one by one"]
    for stage in stage_list.STAGE_NAMES:
        module = import_module(f"svfap.stages.{stage}")
        summary = (inspect.getdoc(module) or "").splitlines()[0].split(": ", 1)[-1]
        parts += [f"### {stage}", f"{summary[0].upper()}{summary[1:]}"]
        parts.append(f"::: svfap.stages.{stage}.run\n    options: {STAGE_OPTIONS}")
    return "\n\n".join(parts)


def _api() -> dict[str, list[str]]:
    """Page of the API reference -> its modules."""
    pages: dict[str, list[str]] = {"svfap": ["svfap"]}
    for path in sorted((ROOT / "svfap").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1].startswith("__"):
            continue
        page = ".".join(parts[:-1])
        pages.setdefault(page, []).append(".".join(parts))
    return dict(sorted(pages.items()))


def _reference(title: str, modules: Sequence[str]) -> str:
    return "\n\n".join([f"# {title}", *(f"::: {module}" for module in modules)]) + "\n"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
