"""Columns of predictions for people: a name for each class or regressed value."""

import numpy as np
from numpy.typing import NDArray

from svfap.config.labels import LabelNames, Task

TRUE_LABEL, PREDICTED_LABEL = "true_label", "predicted_label"
SCORES: dict[Task, str] = {
    "classification": "p_NAME is the probability of the class NAME, from 0 to 1",
    "regression": "true_NAME and predicted_NAME are in the unit of the labels",
}


def named_columns(
    labels: LabelNames, targets: NDArray[np.number], scores: NDArray[np.number]
) -> dict[str, list[str] | NDArray[np.number]]:
    """Return column -> values of n rows.

    Args:
        labels: names of the c classes or d regressed values.
        targets: class indices (n, 1), or true values (n, d).
        scores: class probabilities (n, c), or predicted values (n, d).
    """
    if labels.task == "classification":
        names = dict(enumerate(labels.names))
        return {
            TRUE_LABEL: [names.get(int(index), "") for index in targets[:, 0]],
            PREDICTED_LABEL: [names[int(index)] for index in scores.argmax(axis=1)],
            **{f"p_{name}": scores[:, index] for index, name in names.items()},
        }
    columns: dict[str, list[str] | NDArray[np.number]] = {}
    for number, name in enumerate(labels.names):
        columns |= {f"true_{name}": targets[:, number], f"predicted_{name}": scores[:, number]}
    return columns
