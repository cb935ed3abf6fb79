"""Metrics, each a pure function of all predictions at once.

Nothing is averaged over batches, devices or folds: the paper pools the predictions of all folds and
computes each metric once (arXiv 2401.00416, section 4.2.1). All metrics are fractions. Each metric
is a function of sums over clips (a confusion matrix or moments) with any leading axes, so
`bootstrap` computes it for thousands of resamples at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ROUNDING = 1e-12  # share of the mean square below which a variance counts as a rounding error


def confusion_matrix(targets: ArrayLike, predicted: ArrayLike, *, num_classes: int) -> Counts:
    """Count clips by true class (rows) and predicted class (columns).

    Args:
        targets: true class indices, (n,).
        predicted: predicted class indices, (n,).
        num_classes: number of rows and of columns; classes may be absent.

    Raises:
        ValueError: the lengths differ, or an index is outside `range(num_classes)`.
    """
    true, guess = _labels(targets), _labels(predicted)
    if true.shape != guess.shape:
        raise ValueError(f"{true.size} targets but {guess.size} predictions")
    both = np.concatenate((true, guess))
    if both.size and (both.min() < 0 or both.max() >= num_classes):
        raise ValueError(f"class indices must lie in 0..{num_classes - 1}")
    cells = np.bincount(true * num_classes + guess, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def per_class_accuracy(matrix: Counts | Floats) -> Floats:
    """Compute the recall of each class, (..., c); nan where a class never occurs."""
    return _ratio(_diagonal(matrix), matrix.sum(axis=-1))


def uar(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Compute unweighted average recall over the classes in the targets; nan without clips."""
    return float(_uar(_matrix(targets, predicted)))


def war(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Compute weighted average recall, which is accuracy; nan without clips."""
    return float(_war(_matrix(targets, predicted)))


def weighted_f1(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Compute F1 averaged over classes, weighted by their number of clips; nan without clips."""
    return float(_weighted_f1(_matrix(targets, predicted)))


def macro_f1(targets: ArrayLike, predicted: ArrayLike) -> float:
    """Compute F1 averaged over the classes in targets or predictions; nan without clips."""
    return float(_macro_f1(_matrix(targets, predicted)))


def pcc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Compute the Pearson correlation of each target (paper eq. 14).

    Args:
        targets: true values, (n, d) or (n,).
        predicted: predicted values of the same shape.

    Returns:
        (d,); nan where targets or predictions are constant, because correlation is undefined.
    """
    return _pcc(_moments(targets, predicted).sum(axis=0))


def ccc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Compute the concordance correlation of each target, by population moments (paper eq. 14).

    Args:
        targets: true values, (n, d) or (n,).
        predicted: predicted values of the same shape.

    Returns:
        (d,); 0 for constant predictions of varying targets, nan where both are the same constant.
    """
    return _ccc(_moments(targets, predicted).sum(axis=0))


def acc(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Compute one minus the mean absolute error of each target, (d,); nan without clips."""
    return _acc(_moments(targets, predicted).sum(axis=0))


@dataclass(frozen=True)
class Metric:
    """A metric that datasets choose by name.

    Attributes:
        title: the name in words.
        task: the task that the metric applies to.
        percent: whether tables show per cent with two decimals; otherwise fractions with four.
        of_sums: function from sums of `per_clip` to the metric, (...), or (..., d) in regression.
    """

    title: str
    task: Literal["classification", "regression"]
    percent: bool
    of_sums: Callable[[Floats], Floats]

    def per_clip(self, targets: Floats, scores: Floats) -> Floats:
        """Compute what each clip adds to the sums.

        Args:
            targets: class index (n, 1), or true values (n, d).
            scores: class probabilities (n, c), where the first of equals wins; or values (n, d).

        Returns:
            A confusion matrix of each clip (n, c, c), or moments of each clip (n, d, 8).
        """
        if self.task == "regression":
            return _moments(targets, scores)
        classes = max(scores.shape[1], int(targets.max(initial=0)) + 1)
        hits = np.zeros((len(targets), classes, classes))
        hits[np.arange(len(targets)), _labels(targets), scores.argmax(axis=1)] = 1
        return hits

    def compute(self, targets: Floats, scores: Floats) -> Floats:
        """Compute the metric of all clips: (1,) in classification, (d,) in regression."""
        return np.atleast_1d(self.of_sums(self.per_clip(targets, scores).sum(axis=0)))


def _uar(matrix: Counts | Floats) -> Floats:
    return _mean_of_defined(per_class_accuracy(matrix))


def _war(matrix: Counts | Floats) -> Floats:
    return _ratio(_diagonal(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def _weighted_f1(matrix: Counts | Floats) -> Floats:
    support = matrix.sum(axis=-1)
    return _ratio(np.nansum(_f1(matrix) * support, axis=-1), support.sum(axis=-1))


def _macro_f1(matrix: Counts | Floats) -> Floats:
    return _mean_of_defined(_f1(matrix))


def _pcc(sums: Floats) -> Floats:
    _, var_true, var_guess, covariance = _central(sums)
    return _ratio(covariance, np.sqrt(var_true * var_guess))


def _ccc(sums: Floats) -> Floats:
    offset, var_true, var_guess, covariance = _central(sums)
    return _ratio(2 * covariance, var_true + var_guess + offset**2)


def _acc(sums: Floats) -> Floats:
    return 1 - _ratio(sums[..., 7], sums[..., 0])


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "UAR": Metric("unweighted average recall", "classification", True, _uar),
        "WAR": Metric("weighted average recall", "classification", True, _war),
        "WF1": Metric("weighted F1", "classification", True, _weighted_f1),
        "MF1": Metric("macro F1", "classification", True, _macro_f1),
        "MicroF1": Metric("micro F1, equal to WAR", "classification", True, _war),
        "PCC": Metric("Pearson correlation", "regression", False, _pcc),
        "CCC": Metric("concordance correlation", "regression", False, _ccc),
        "ACC": Metric("1 - mean absolute error", "regression", False, _acc),
    }
)


def _labels(values: ArrayLike) -> Counts:
    return np.asarray(values).reshape(-1).astype(np.int64)


def _matrix(targets: ArrayLike, predicted: ArrayLike) -> Counts:
    """Make the smallest confusion matrix that holds all labels."""
    both = np.concatenate((_labels(targets), _labels(predicted)))
    return confusion_matrix(targets, predicted, num_classes=int(both.max(initial=0)) + 1)


def _diagonal(matrix: Counts | Floats) -> Floats:
    return np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)


def _mean_of_defined(values: Floats) -> Floats:
    """Average over the classes whose value is not nan."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def _f1(matrix: Counts | Floats) -> Floats:
    """Compute F1 of each class; nan where it is neither in targets nor in predictions."""
    return _ratio(2 * _diagonal(matrix), matrix.sum(axis=-2) + matrix.sum(axis=-1))


def _values(targets: ArrayLike, predicted: ArrayLike) -> tuple[Floats, Floats]:
    """Convert both to float64 (n, d)."""
    true, guess = (np.asarray(values, dtype=np.float64) for values in (targets, predicted))
    if true.shape != guess.shape:
        raise ValueError(f"targets {true.shape} and predictions {guess.shape} differ in shape")
    width = true.shape[1] if true.ndim == 2 else 1
    return true.reshape(-1, width), guess.reshape(-1, width)


def _moments(targets: ArrayLike, predicted: ArrayLike) -> Floats:
    """Compute what each clip adds to the moments, (n, d, 8).

    The values are 1, a, b, a * a, b * b, a * b, off and |off|: a is the true and b the predicted
    value, both minus the mean over all clips, and off is true minus predicted.
    """
    true, guess = _values(targets, predicted)
    if not len(true):
        return np.zeros((0, true.shape[1], 8))
    # Rounding of its mean would give a constant a tiny variance, so constants become exactly 0.
    a, b = (
        np.where(np.ptp(values, axis=0) == 0, 0.0, values - values.mean(axis=0))
        for values in (true, guess)
    )
    off = true - guess
    return np.stack((np.ones_like(a), a, b, a * a, b * b, a * b, off, np.abs(off)), axis=-1)


def _central(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Compute mean difference, population variances and covariance; nan without clips."""
    means = _ratio(sums[..., 1:7], sums[..., :1])
    a, b, aa, bb, ab, off = np.moveaxis(means, -1, 0)
    variances = (
        np.where(s - m * m > ROUNDING * s, s - m * m, 0 * s) for s, m in ((aa, a), (bb, b))
    )
    return off, *variances, ab - a * b


def _ratio(above: ArrayLike, below: ArrayLike) -> Floats:
    """Divide in float64; nan, without a warning, where the divisor is 0."""
    over, under = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (above, below)))
    quotient: Floats = np.full(under.shape, np.nan)
    np.divide(over, under, out=quotient, where=under != 0)
    return quotient
