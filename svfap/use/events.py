"""Turn windows into events: stretches of time with one label, for programs that annotate videos.

Tiers of ELAN and Praat hold one label at a time, but windows may overlap. So the scores of a moment
are the means over all windows that span it; without overlap, these are the window's own scores.
"""

from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.use.bundle import ModelFacts
from svfap.use.find_videos import printable
from svfap.use.timeline import LABEL

# Sums over windows are exact to about 1e-15, so a tie of two classes stays a tie.
_EXACT = 9
_MILLISECONDS = 3  # decimals of seconds


class Event(NamedTuple):
    """A stretch of time with one text.

    Attributes:
        start: second at which it starts.
        end: second at which it ends.
        text: the label, or the value.
    """

    start: float
    end: float
    text: str


def find_events(
    table: pd.DataFrame, facts: ModelFacts, *, first: float = 0.0
) -> dict[str, list[Event]]:
    """Return the events of one video by tier, in order; moments without a face have none.

    Args:
        table: the scores of its windows, see `build_timeline`.
        facts: facts about the model, including the names of the targets.
        first: second of the first frame; the table counts from there, the events from 0.

    Returns:
        Name of the tier -> its events. Classification has the tier `label`, regression a tier per
        target. The names of tiers say the face if there are several.
    """
    names = list(facts.job.targets)
    several = table["face"].nunique() > 1
    tiers: dict[str, list[Event]] = {}
    for face, rows in table.groupby("face"):
        suffix = f" (face {face})" if several else ""
        edges, means = _mean_over_time(rows, names)
        if facts.job.task == "classification":
            best = np.nan_to_num(means).argmax(axis=1)
            texts = {LABEL: [printable(names[place]) for place in best]}
        else:
            texts = {
                printable(name): [f"{value:.2f}" for value in column]
                for name, column in zip(names, means.T, strict=True)
            }
        edges = (edges + first).round(_MILLISECONDS)
        seen = ~np.isnan(means[:, 0])
        for name, column in texts.items():
            tiers[name + suffix] = _merge(
                edges, [t if s else "" for t, s in zip(column, seen, strict=True)]
            )
    return tiers


def _mean_over_time(
    rows: pd.DataFrame, names: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the moments at which windows start or end, and the mean scores between them.

    Returns:
        Seconds (n + 1,), ascending, and scores (n, targets), NaN where there is no window.
    """
    start, end = (rows[name].to_numpy(np.float64) for name in ("start", "end"))
    scores = rows[names].to_numpy(np.float64)
    counted = np.column_stack([np.ones(len(rows)), scores])
    edges = np.unique([start, end])
    changes = np.zeros((len(edges), counted.shape[1]))
    np.add.at(changes, np.searchsorted(edges, start), counted)
    np.subtract.at(changes, np.searchsorted(edges, end), counted)
    sums = changes.cumsum(axis=0)[:-1]
    counts = sums[:, :1].round()
    means = np.divide(sums[:, 1:], counts, out=np.full_like(sums[:, 1:], np.nan), where=counts > 0)
    return edges, means.round(_EXACT)


def _merge(edges: NDArray[np.float64], texts: list[str]) -> list[Event]:
    """Merge neighbours of equal text; an empty text is no event."""
    events = []
    stretches = zip(pairwise(edges.tolist()), texts, strict=True)
    for text, group in groupby(stretches, key=lambda stretch: stretch[1]):
        times = [span for span, _ in group]
        if text:
            events.append(Event(times[0][0], times[-1][1], text))
    return events
