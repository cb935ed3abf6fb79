"""Bootstrap intervals against exact distributions and plain resampling."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats  # type: ignore[import-untyped]

from svfap.evaluation import bootstrap
from svfap.evaluation.bootstrap import REPLICATES
from svfap.evaluation.metrics import METRICS


def frame(targets, scores, *, subjects=None):
    count = len(targets)
    names = [""] * count if subjects is None else [str(s) for s in subjects]
    return pd.DataFrame(
        {
            "fold": "1",
            "group": [f"g{n}" for n in range(count)],
            "subject": names,
            "target": list(np.asarray(targets, float).reshape(count, -1)),
            "score": list(np.asarray(scores, float)),
        }
    )


def hits(correct: int, count: int, *, subjects=None):
    """Clips of class 0; the first `correct` are recognised."""
    guess = np.zeros((count, 2))
    guess[np.arange(count), (np.arange(count) >= correct).astype(int)] = 1
    return frame(np.zeros(count), guess, subjects=subjects)


def interval_of(rows, metric, seed=0):
    drawn = bootstrap.replicates(rows, metric, units=bootstrap.units_of(rows), seed=seed)
    return bootstrap.interval(drawn[:, 0])


def test_accuracy_over_clips_is_binomial():
    """Resampled accuracy of n clips, k of them right, is Binomial(n, k / n) / n."""
    found = interval_of(hits(70, 100), "WAR")
    low, high = stats.binom.ppf([0.025, 0.975], 100, 0.7) / 100
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.011)


def test_clips_of_one_subject_are_resampled_together():
    """10 subjects of 10 clips, 7 all right: Binomial(10, 0.7) / 10, three times as wide."""
    rows = hits(70, 100, subjects=np.arange(100) // 10)
    assert str(bootstrap.units_of(rows)) == "10 subjects"
    found = interval_of(rows, "WAR")
    low, high = stats.binom.ppf([0.025, 0.975], 10, 0.7) / 10
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_clips_are_resampled_where_a_subject_is_unknown():
    assert str(bootstrap.units_of(hits(1, 3, subjects=["a", "", "b"]))) == "3 clips"
    assert str(bootstrap.units_of(hits(1, 3))) == "3 clips"


def test_mean_error_is_normal():
    rng = np.random.default_rng(1)
    errors = rng.random(400)
    found = interval_of(frame(np.zeros(400), errors[:, None]), "ACC")
    half = 1.96 * errors.std() / 20
    assert found.low == pytest.approx(1 - errors.mean() - half, abs=0.003)
    assert found.high == pytest.approx(1 - errors.mean() + half, abs=0.003)


def test_correlation_follows_fisher():
    """z = atanh(r) of n normal pairs is normal with variance 1 / (n - 3)."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    y = 0.6 * x + 0.8 * rng.normal(size=500)
    found = interval_of(frame(x, y[:, None]), "PCC")
    z = np.arctanh(np.corrcoef(x, y)[0, 1]) + np.array([-1.96, 1.96]) / np.sqrt(497)
    np.testing.assert_allclose([found.low, found.high], np.tanh(z), atol=0.012)


@pytest.mark.parametrize("name", METRICS)
def test_a_resample_equals_the_metric_of_its_repeated_rows(name):
    """The matrix product equals the metric of the rows, each as often as it was drawn."""
    rng = np.random.default_rng(3)
    regression = METRICS[name].task == "regression"
    targets = rng.normal(size=(40, 3)) if regression else rng.integers(0, 3, (40, 1))
    rows = frame(targets, rng.random((40, 3)), subjects=rng.integers(0, 9, 40))
    units = bootstrap.units_of(rows)
    drawn = bootstrap.replicates(rows, name, units=units)
    counts = next(bootstrap._draw_counts(units.count, 0))
    for number in (0, 7, REPLICATES - 1):
        picked = np.repeat(np.arange(40), counts[number][units.codes].astype(int))
        scores = np.stack(rows["score"].to_list())[picked]
        expected = METRICS[name].compute(targets[picked].astype(float), scores)
        np.testing.assert_allclose(drawn[number], expected, atol=1e-12)


def test_seeds_repeat_and_differ():
    rows = hits(30, 50)
    units = bootstrap.units_of(rows)
    first, again, other = (
        bootstrap.replicates(rows, "UAR", units=units, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_paired_difference_over_clips_has_its_exact_spread():
    """Of 200 clips, only the second run has 20 right and only the first 5: a closed form."""
    first, second = hits(100, 200), hits(120, 200)
    swapped = np.stack(second["score"].to_list())
    swapped[:5] = [0, 1]
    second["score"] = list(swapped)  # right: first 0..99, second 5..119
    found = bootstrap.paired(first, second, "WAR")
    gains, losses, n = 20, 5, 200
    mean = (gains - losses) / n
    deviation = np.sqrt((gains + losses - n * mean**2) / n**2)
    assert found.value == pytest.approx(mean)
    assert found.interval.low == pytest.approx(mean - 1.96 * deviation, abs=0.006)
    assert found.interval.high == pytest.approx(mean + 1.96 * deviation, abs=0.006)
    assert found.p == pytest.approx(2 * stats.norm.sf(mean / deviation), abs=0.004)


def test_a_run_does_not_differ_from_itself_in_any_order():
    rows = hits(70, 100, subjects=np.arange(100) // 10)
    found = bootstrap.paired(rows, rows.sample(frac=1, random_state=0), "UAR")
    assert (found.value, found.interval.low, found.interval.high, found.p) == (0, 0, 0, 1)


def test_runs_are_compared_on_the_clips_that_both_have_scored():
    found = bootstrap.paired(hits(50, 100), hits(50, 100).iloc[:50], "WAR")
    assert found.value == 0
    apart = hits(5, 10).assign(fold="2")
    assert np.isnan(bootstrap.paired(hits(5, 10), apart, "WAR").value)


def test_undefined_figures_have_no_interval():
    assert np.isnan(interval_of(frame(np.arange(5), np.ones((5, 1))), "PCC").low)


def test_all_clips_of_dfew_take_seconds():
    rng = np.random.default_rng(4)
    rows = frame(rng.integers(0, 7, 12_000), rng.random((12_000, 7)))
    began = time.monotonic()
    found = interval_of(rows, "UAR")
    assert time.monotonic() - began < 15
    assert found.low < 1 / 7 < found.high
