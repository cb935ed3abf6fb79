"""Figures of merit, each a pure function of all predictions at once.

Nothing here is averaged over batches, devices or folds: the paper pools the predictions of all
folds and computes each figure once (arXiv 2401.00416, section 4.2.1). All functions return
fractions; `Metric.percent` says which of them tables show times 100.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def confusion_matrix(targets: ArrayLike, predicted: ArrayLike, *, num_classes: int) -> Counts:
    """Count clips by true class (rows) and predicted class (columns).

    Args:
        targets: true class indices, (n,).
        predicted: predicted class indices, (n,).
        num_classes: side of the matrix, whether or not every class occurs.

    Raises:
        ValueError: the lengths differ, or an index lies outside `range(num_classes)`.
    """
    true, guess = _labels(targets), _labels(predicted)
    if true.shape != guess.shape:
        raise ValueError(f"{true.size} targets but {guess.size} predictions")
    both = np.concatenate((true, guess))
    if both.size and (both.min() < 0 or both.max() >= num_classes):
        raise ValueError(f"class indices must lie in 0..{num_classes - 1}")
    cells = np.bincount(true * num_classes + guess, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def per_class_accuracy(matrix: Counts) -> Floats:
    """Share of each class that is recognised, (num_classes,); nan where a class never occurs."""
    return _ratio(np.diag(matrix), matrix.sum(axis=1))


def uar(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Unweighted average recall over the classes that occur in the targets; nan without clips."""
    recalls = per_class_accuracy(_matrix(targets, predicted))
    occurring = recalls[~np.isnan(recalls)]
    return float(occurring.mean()) if occurring.size else float("nan")


def war(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Weighted average recall, that is accuracy; nan without clips."""
    matrix = _matrix(targets, predicted)
    return float(_ratio(np.trace(matrix), matrix.sum()))


def weighted_f1(targets: ArrayLike, predicted: ArrayLike) -> float:
    """F1 averaged over classes, each weighted by its number of clips; nan without clips."""
    matrix = _matrix(targets, predicted)
    support = matrix.sum(axis=1)
    return float(_ratio(np.nansum(_f1(matrix) * support), support.sum()))


def macro_f1(targets: ArrayLike, predicted: ArrayLike) -> float:
    """F1 averaged over the classes that occur in targets or predictions; nan without clips."""
    scores = _f1(_matrix(targets, predicted))
    occurring = scores[~np.isnan(scores)]
    return float(occurring.mean()) if occurring.size else float("nan")


def pcc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Pearson correlation of each target (paper eq. 14).

    Args:
        targets: true values, (n, d) or (n,).
        predicted: predicted values of the same shape.

    Returns:
        (d,); nan where targets or predictions are constant, as correlation is undefined there.
    """
    true, guess = _values(targets, predicted)
    _, _, var_true, var_guess, covariance = _moments(true, guess)
    return _ratio(covariance, np.sqrt(var_true * var_guess))


def ccc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Concordance correlation of each target with population moments (paper eq. 14).

    Args:
        targets: true values, (n, d) or (n,).
        predicted: predicted values of the same shape.

    Returns:
        (d,); 0 for constant predictions of varying targets, nan where both are one same constant.
    """
    true, guess = _values(targets, predicted)
    mean_true, mean_guess, var_true, var_guess, covariance = _moments(true, guess)
    return _ratio(2 * covariance, var_true + var_guess + (mean_true - mean_guess) ** 2)


def acc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """One minus the mean absolute error of each target, (d,); nan without clips."""
    true, guess = _values(targets, predicted)
    return 1 - _ratio(np.abs(true - guess).sum(axis=0), np.full(true.shape[1], len(true)))


@dataclass(frozen=True)
class Metric:
    """A figure of merit as datasets name it.

    Attributes:
        title: its name in words.
        task: the task that it applies to.
        percent: whether tables show it times 100 with two decimals, as the paper does; four
            decimals of the plain figure otherwise.
        compute: (targets (n, d), scores (n, c)) -> one value for classification, where scores are
            class probabilities and the first of equal ones wins; d values for regression.
    """

    title: str
    task: Literal["classification", "regression"]
    percent: bool
    compute: Callable[[Floats, Floats], Floats]


def _of_labels(function: Callable[[ArrayLike, ArrayLike], float]) -> Callable[..., Floats]:
    """A figure of labels as a figure of targets (n, 1) and class probabilities (n, c)."""

    def compute(targets: Floats, scores: Floats) -> Floats:
        return np.array([function(targets[:, 0], scores.argmax(axis=1))])

    return compute


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "UAR": Metric("unweighted average recall", "classification", True, _of_labels(uar)),
        "WAR": Metric("weighted average recall", "classification", True, _of_labels(war)),
        "WF1": Metric("weighted F1", "classification", True, _of_labels(weighted_f1)),
        "MF1": Metric("macro F1", "classification", True, _of_labels(macro_f1)),
        "PCC": Metric("Pearson correlation", "regression", False, pcc),
        "CCC": Metric("concordance correlation", "regression", False, ccc),
        "ACC": Metric("1 - mean absolute error", "regression", False, acc),
    }
)


def _labels(values: ArrayLike) -> Counts:
    return np.asarray(values).reshape(-1).astype(np.int64)


def _matrix(targets: ArrayLike, predicted: ArrayLike) -> Counts:
    """The confusion matrix of just as many classes as the labels need."""
    both = np.concatenate((_labels(targets), _labels(predicted)))
    return confusion_matrix(targets, predicted, num_classes=int(both.max(initial=0)) + 1)


def _f1(matrix: Counts) -> Floats:
    """F1 of each class; nan where it occurs neither in targets nor in predictions."""
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def _values(targets: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 (n, d), in which sums over 100,000 clips keep ten digits."""
    true, guess = (np.asarray(values, dtype=np.float64) for values in (targets, predicted))
    if true.shape != guess.shape:
        raise ValueError(f"targets {true.shape} and predictions {guess.shape} differ in shape")
    width = true.shape[1] if true.ndim == 2 else 1
    return true.reshape(-1, width), guess.reshape(-1, width)


def _moments(true: Floats, guess: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Means, population variances and covariance of each column; exactly 0 for constants."""
    if not len(true):
        undefined = np.full(true.shape[1], np.nan)
        return undefined, undefined, undefined, undefined, undefined
    means = [values.mean(axis=0) for values in (true, guess)]
    centred = [
        np.where(np.ptp(values, axis=0) == 0, 0.0, values - mean)
        for values, mean in zip((true, guess), means, strict=True)
    ]
    variances = [(values**2).mean(axis=0) for values in centred]
    return *means, *variances, (centred[0] * centred[1]).mean(axis=0)


def _ratio(above: ArrayLike, below: ArrayLike) -> Floats:
    """Quotient in float64; nan, without a warning, where the divisor is 0."""
    over, under = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    quotient: Floats = np.full(under.shape, np.nan)
    np.divide(over, under, out=quotient, where=under != 0)
    return quotient
