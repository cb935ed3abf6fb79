"""The first screen of results: a table for each dataset, what it means, where to look next."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.evaluation.bootstrap import Difference
from svfap.evaluation.metrics import METRICS
from svfap.experiment import layout
from svfap.tables.cells import MISSING, NOT_RUN, by_dataset, interval_text
from svfap.tables.chance import beyond
from svfap.tables.references import BASELINES, CHANCE, is_main
from svfap.tables.render import Table, markdown
from svfap.tables.results import OURS, Result

LEARNT_LITTLE = (
    "so far it has learnt less than a classical method learns from the same clips in seconds"
)


def summary_tables(config: TabulateConfig, results: Iterable[Result]) -> list[Table]:
    """Return a table for each dataset.

    Args:
        config: facts of the datasets.
        results: results of our model, and of whatever it is compared with.
    """
    measured = by_dataset(results)
    return [_table(name, facts, measured[name]) for name, facts in config.datasets.items()]


def summary(config: TabulateConfig, results: Iterable[Result], folder: Path) -> str:
    """Return the first screen as Markdown.

    Args:
        config: facts of the datasets.
        results: results of our model, and of whatever it is compared with.
        folder: the folder of results, for the paths to look at next.
    """
    tables = summary_tables(config, results)
    lines = [f"- {path}: {shown}" for path, shown in _next_paths(config, folder)]
    return "\n".join([markdown(tables, heading="Summary"), "Look next at", "", *lines, ""])


def _table(dataset: str, facts: DatasetFacts, results: Iterable[Result]) -> Table:
    """Return a row for each model, ours last, and a sentence on what they mean."""
    by_model: dict[str, dict[str, Result]] = {}
    for result in results:
        if is_main(result, facts.targets):
            by_model.setdefault(result.model, {})[result.metric] = result
    metric = facts.metrics[0]
    ours = by_model[OURS][metric]
    rows = []
    for model in sorted(by_model, key=lambda model: model == OURS):
        found = by_model[model]
        lead = found[metric].lead
        cells = (_value(found.get(name)) for name in facts.metrics)
        rows.append((model, *cells, _signed(lead, metric) if lead else MISSING))
    columns = ("Model", *facts.metrics, f"ours ahead, {metric}")
    title = f"{dataset}: {', '.join(filter(None, (ours.folds, ours.resampled)))}"
    notes = (_meaning(metric, by_model, facts), facts.notice)
    return Table(
        title, columns, tuple(rows), "l" + "r" * (len(columns) - 1), tuple(filter(None, notes))
    )


def _meaning(metric: str, by_model: Mapping[str, Mapping[str, Result]], facts: DatasetFacts) -> str:
    """Return what the figures say about our model, in words."""
    ours = by_model[OURS][metric]
    if not ours.clips:
        return "The model has not been tested yet."
    unseen = "people" if ours.resampled.endswith("subjects") else "clips"
    text = f"On {unseen} that it has not seen, the model reaches {metric} {_value(ours)}"
    chance = by_model[CHANCE][metric]
    text += f"; chance gives {_value(chance)} ({chance.answer})."
    text = f"{text} {beyond(ours, chance)}".strip()
    for name, found in by_model.items():
        lead = found[metric].lead
        if lead is None:
            continue
        verdict = "is not shown to differ from"
        if lead.interval.low > 0:
            verdict = "is better than"
        elif lead.interval.high < 0:
            verdict = "is worse than"
        baseline = name == BASELINES[facts.task]
        shown = name if baseline else f'the variant "{name}"'
        text += f" It {verdict} {shown} (difference {_signed(lead, metric)})"
        worse = baseline and lead.interval.high < 0
        text += f": {LEARNT_LITTLE}." if worse else "."
    return text


def _value(result: Result | None) -> str:
    if result is None:
        return MISSING
    if not result.clips:
        return NOT_RUN
    decimals = result.decimals - 1
    return f"{result.value:.{decimals}f}{interval_text(result.interval, decimals)}"


def _signed(lead: Difference, metric: str) -> str:
    decimals = 1 if METRICS[metric].percent else 3
    return f"{lead.value:+.{decimals}f}{interval_text(lead.interval, decimals)}"


def _next_paths(config: TabulateConfig, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield three files that show more, and what each shows."""
    dataset = next(iter(config.datasets))
    yield layout.BENCHMARK.path(folder).with_suffix(".html"), "all results, and how to read them"
    if config.pretrain_names:
        picture = layout.RECONSTRUCTION.path(folder)
        yield picture, "faces that the pre-trained model completes from a few patches"
    else:
        yield layout.CURVES_FIGURE.path(folder, dataset=dataset), "how the training went"
    yield layout.CROPS_FIGURE.path(folder, dataset=dataset), "the face clips that it learns from"
