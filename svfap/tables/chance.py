"""What a model without knowledge reaches, in words below every table and class figure."""

from collections.abc import Iterable, Mapping

from svfap.config.stage_sections import DatasetFacts
from svfap.tables.references import CHANCE, is_main
from svfap.tables.results import OURS, Result


def chance_notes(datasets: Mapping[str, DatasetFacts], results: Iterable[Result]) -> dict[str, str]:
    """Return dataset -> the figures of chance, its answer, and whether ours are beyond them.

    Args:
        datasets: facts of the datasets.
        results: results of our model and of chance.
    """
    results = list(results)
    notes = {}
    for name, facts in datasets.items():
        own = [r for r in results if r.dataset == name and is_main(r, facts.targets)]
        chance = {r.metric: r for r in own if r.model == CHANCE}
        if chance:
            shown = ", ".join(f"{m} {r.value:.{r.decimals - 1}f}" for m, r in chance.items())
            first = chance[facts.metrics[0]]
            ours = next((r for r in own if (r.model, r.metric) == (OURS, first.metric)), None)
            text = f"Chance on {name}: {shown} ({first.answer})."
            notes[name] = " ".join(filter(None, (text, beyond(ours, first))))
    return notes


def beyond(ours: Result | None, chance: Result) -> str:
    """Return a sentence unless our interval lies above chance; "" too if it is undefined."""
    if ours is None:
        return ""
    if ours.interval.high < chance.value:
        return f"The {ours.metric} is below chance."
    if ours.interval.low <= chance.value:
        return (
            f"The interval of {ours.metric} covers chance: the model is not shown to do better"
            " than guessing."
        )
    return ""
