"""Metrics against scikit-learn, SciPy and hand-worked figures."""

import warnings

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]
from sklearn import metrics as reference  # type: ignore[import-untyped]

from svfap.evaluation import metrics

NUMBER_OF_CLASSES = 7


def labels(seed: int, *, absent: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Random true and predicted labels; absent classes occur in neither."""
    rng = np.random.default_rng(seed)
    classes = [c for c in range(NUMBER_OF_CLASSES) if c not in absent]
    true = rng.choice(classes, 200)
    guess = np.where(rng.random(200) < 0.5, true, rng.choice(classes, 200))
    return true, guess


ABSENT = [(), (0,), (6,), (0, 3, 6)]


@pytest.mark.parametrize("absent", ABSENT)
@pytest.mark.parametrize("seed", range(5))
def test_classification_equals_scikit_learn(seed: int, absent: tuple[int, ...]) -> None:
    true, guess = labels(seed, absent=absent)
    assert metrics.uar(true, guess) == pytest.approx(reference.balanced_accuracy_score(true, guess))
    assert metrics.war(true, guess) == pytest.approx(reference.accuracy_score(true, guess))
    for ours, average in ((metrics.weighted_f1, "weighted"), (metrics.macro_f1, "macro")):
        assert ours(true, guess) == pytest.approx(
            reference.f1_score(true, guess, average=average, zero_division=0)
        )
    matrix = metrics.confusion_matrix(true, guess, num_classes=NUMBER_OF_CLASSES)
    expected = reference.confusion_matrix(true, guess, labels=range(NUMBER_OF_CLASSES))
    np.testing.assert_array_equal(matrix, expected)


def test_uar_leaves_out_classes_that_are_predicted_but_never_true() -> None:
    true, guess = [0, 0, 1, 1], [0, 2, 1, 1]
    assert metrics.uar(true, guess) == pytest.approx((0.5 + 1.0) / 2)
    assert metrics.macro_f1(true, guess) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.weighted_f1(true, guess) == pytest.approx((2 * 2 / 3 + 2 * 1) / 4)


def test_per_class_accuracy_is_nan_for_an_absent_class() -> None:
    matrix = metrics.confusion_matrix([0, 0, 2], [0, 2, 2], num_classes=4)
    assert matrix.shape == (4, 4)
    np.testing.assert_array_equal(metrics.per_class_accuracy(matrix), [0.5, np.nan, 1, np.nan])


@pytest.mark.parametrize(("true", "guess"), [([0, 7], [0, 0]), ([0, 0], [0, -1])])
def test_labels_out_of_range_are_refused(true: list[int], guess: list[int]) -> None:
    with pytest.raises(ValueError, match=r"0\.\.6"):
        metrics.confusion_matrix(true, guess, num_classes=7)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 targets but 1"):
        metrics.confusion_matrix([0, 1], [0], num_classes=2)
    with pytest.raises(ValueError, match="shape"):
        metrics.ccc(np.zeros((3, 2)), np.zeros((3, 1)))


def values(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three correlated targets of different scale and offset."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(150, 3)) * [1, 10, 0.1] + [0, 100, -5]
    return true, true * [0.5, 1.2, -1] + rng.normal(size=true.shape) * [1, 3, 0.1]


@pytest.mark.parametrize("seed", range(5))
def test_regression_equals_closed_forms(seed: int) -> None:
    true, guess = values(seed)
    r = np.array([stats.pearsonr(true[:, d], guess[:, d]).statistic for d in range(3)])
    np.testing.assert_allclose(metrics.pcc(true, guess), r)
    lin = 2 * r * true.std(0) * guess.std(0)
    lin /= true.var(0) + guess.var(0) + (true.mean(0) - guess.mean(0)) ** 2
    np.testing.assert_allclose(metrics.ccc(true, guess), lin)
    error = reference.mean_absolute_error(true, guess, multioutput="raw_values")
    np.testing.assert_allclose(metrics.acc(true, guess), 1 - error)
    assert (np.abs(metrics.ccc(true, guess)) <= np.abs(metrics.pcc(true, guess))).all()


def test_ccc_uses_population_moments() -> None:
    # means 2 and 3, variances 2/3 and 2/3, covariance 2/3: (4/3) / (4/3 + 1) = 4/7
    assert metrics.ccc([1, 2, 3], [2, 3, 4]) == pytest.approx([4 / 7])
    assert metrics.pcc([1, 2, 3], [2, 3, 4]) == pytest.approx([1])
    assert metrics.acc([1, 2, 3], [2, 3, 4]) == pytest.approx([0])


def test_constants_are_defined_and_silent() -> None:
    varying, constant = np.array([0.1, 0.2, 0.4]), np.full(3, 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metrics.pcc(varying, constant)).all()
        np.testing.assert_array_equal(metrics.ccc(varying, constant), [0])
        assert np.isnan(metrics.ccc(constant, constant)).all()
        np.testing.assert_array_equal(metrics.acc(constant, constant), [1])


def test_no_clips_give_nan_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for of_labels in (metrics.uar, metrics.war, metrics.weighted_f1, metrics.macro_f1):
            assert np.isnan(of_labels([], []))
        for of_values in (metrics.pcc, metrics.ccc, metrics.acc):
            result = of_values(np.zeros((0, 2)), np.zeros((0, 2)))
            np.testing.assert_array_equal(result, [np.nan, np.nan])


@pytest.mark.parametrize("name", metrics.METRICS)
def test_table_of_metrics_takes_targets_and_scores(name: str) -> None:
    metric = metrics.METRICS[name]
    if metric.task == "classification":
        probabilities = np.eye(3)[[0, 1, 2, 0]] * 0.8
        result = metric.compute(np.array([[0.0], [1], [2], [0]]), probabilities)
        np.testing.assert_allclose(result, [1])
    else:
        true, _ = values(0)
        np.testing.assert_allclose(metric.compute(true, true), [1, 1, 1])
    assert metric.percent == (metric.task == "classification")


def test_recalls_and_clips_of_dfew_classes_give_uar_and_war() -> None:
    """UAR is the mean of recalls, WAR weighs them by clips; class totals are DFEW's."""
    totals = np.array([2445, 1894, 2669, 2173, 1469, 145, 902])
    right = np.array([2000, 1400, 1700, 1500, 900, 10, 300])
    true = np.repeat(np.arange(7), totals)
    pieces = [
        np.r_[np.full(correct, label), np.full(total - correct, (label + 1) % 7)]
        for label, (total, correct) in enumerate(zip(totals, right, strict=True))
    ]
    guess = np.concatenate(pieces)
    assert metrics.uar(true, guess) == pytest.approx((right / totals).mean())
    assert metrics.war(true, guess) == pytest.approx(right.sum() / 11697)
