"""What a model without knowledge reaches, in words below every table and class figure."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from svfap.config.stage_sections import DatasetFacts
from svfap.tables.references import CHANCE, is_main
from svfap.tables.results import OURS, Result


def chance_notes(
    datasets: Mapping[str, DatasetFacts],
    units: Mapping[str, pd.DataFrame],
    results: Iterable[Result],
) -> dict[str, str]:
    """Return dataset -> the figures of chance, its answer, and whether ours are beyond them.

    Args:
        datasets: facts of the datasets.
        units: dataset -> rows of `predictions.by_group` of the main run.
        results: results of our model and of chance.
    """
    results = list(results)
    notes = {}
    for name, facts in datasets.items():
        own = [r for r in results if r.dataset == name and is_main(r, facts.targets)]
        chance = {r.metric: r for r in own if r.model == CHANCE}
        if chance and len(units[name]):
            shown = ", ".join(f"{m} {r.value:.{r.decimals - 1}f}" for m, r in chance.items())
            text = f"Chance on {name}: {shown} ({constant_answer(units[name], facts)})."
            metric = facts.metrics[0]
            ours = next((r for r in own if r.model == OURS and r.metric == metric), None)
            notes[name] = " ".join(filter(None, (text, beyond(ours, chance[metric]))))
    return notes


def constant_answer(units: pd.DataFrame, facts: DatasetFacts) -> str:
    """Return the one answer of chance in words, with the share of clips of that class."""
    if facts.task == "regression":
        return "the mean value for every clip"
    labels = np.stack(units["target"].to_list())[:, 0].astype(int)
    counts = np.bincount(labels, minlength=len(facts.targets))
    most = int(counts.argmax())
    return (
        f"always the most frequent class, {facts.targets[most]}, which"
        f" {counts[most]:,} of {len(labels):,} clips have"
    )


def beyond(ours: Result | None, chance: Result) -> str:
    """Return a sentence unless our interval lies above chance; "" too if it is undefined."""
    if ours is None or not ours.clips:
        return ""
    if ours.interval.high < chance.value:
        return f"The {ours.metric} is below chance."
    if ours.interval.low <= chance.value:
        return (
            f"The interval of {ours.metric} covers chance: the model is not shown to do better"
            " than guessing."
        )
    return ""
