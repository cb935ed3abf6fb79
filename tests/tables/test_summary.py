"""Chance, the baseline and our lead, in the first screen and in every table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.config.variants import RunFacts
from svfap.tables import ablations, benchmark, comparison, folds, per_class
from svfap.tables.chance import chance_notes
from svfap.tables.references import CHANCE, reference_results, variant_results
from svfap.tables.results import measure
from svfap.tables.scored import BASELINE_RUN
from svfap.tables.summary import summary

CLASSES = DatasetFacts(
    task="classification", targets=("no", "yes"), metrics=("UAR", "WAR"), folds=("1", "2")
)
VALUES = DatasetFacts(
    task="regression", targets=("age", "height"), metrics=("CCC", "ACC"), folds=("1", "2")
)
HOG = "HOG + logistic regression"


def rows(targets, scores):
    """Rows of scored units, ten of each subject, in two folds."""
    count = len(targets)
    return pd.DataFrame(
        {
            "fold": ["1" if n < count // 2 else "2" for n in range(count)],
            "group": [f"g{n}" for n in range(count)],
            "subject": [f"s{n // 10}" for n in range(count)],
            "target": list(np.asarray(targets, float)),
            "score": list(np.asarray(scores, float)),
        }
    )


def classes(right):
    """Eighty clips, three quarters of them of class 0; so many of each twenty are right."""
    targets = [[n % 4 == 3] for n in range(80)]
    correct = [n % 20 < right for n in range(80)]
    guesses = [t[0] if ok else not t[0] for t, ok in zip(targets, correct, strict=True)]
    return rows(targets, np.eye(2)[np.asarray(guesses, int)])


def config(name="toy", facts=CLASSES, **runs):
    variants = {run: RunFacts(label=run, folds={name: ("1", "2")}, ablation="Init") for run in runs}
    return TabulateConfig(datasets={name: facts}, runs=variants)


def screen(ours, baseline=None, **variants):
    scored = {"": {"toy": classes(ours)}}
    scored |= {name: {"toy": classes(right)} for name, right in variants.items()}
    if baseline is not None:
        scored[BASELINE_RUN] = {"toy": classes(baseline)}
    settings = config(**variants)
    found = [
        *reference_results(settings, scored),
        *measure(scored[""]["toy"], "toy", CLASSES),
        *variant_results(settings, scored),
    ]
    return summary(settings, found, Path("results"))


def test_chance_answers_all_clips_alike():
    found = reference_results(config(), {"": {"toy": classes(12)}})
    assert {r.metric: r.value for r in found} == {"UAR": 50, "WAR": 75}
    assert {r.model for r in found} == {CHANCE}


def test_chance_of_a_regression_is_the_mean():
    targets = np.random.default_rng(0).uniform(size=(40, 2))
    scored = {"": {"toy": rows(targets, targets)}}
    found = {(r.metric, r.target): r.value for r in reference_results(config(facts=VALUES), scored)}
    assert found["CCC", "average"] == 0
    spread = np.abs(targets - targets.mean(axis=0)).mean()
    assert found["ACC", "average"] == pytest.approx(1 - spread, abs=1e-6)


@pytest.mark.parametrize(
    ("ours", "baseline", "meaning"),
    [
        (18, 10, f"It is better than {HOG} (difference +"),
        (10, 18, f"It is worse than {HOG} (difference -"),
        (14, 14, f"It is not shown to differ from {HOG} (difference +0.0"),
    ],
)
def test_the_first_screen_says_what_the_figures_mean(ours, baseline, meaning):
    text = screen(ours, baseline)
    assert meaning in text
    assert "On people that it has not seen" in text
    assert "chance gives 50.0 (always no, the most frequent class: 60 of 80 clips)." in text
    assert next(line for line in text.splitlines() if line.startswith("- ")).startswith(
        "- results/tables/benchmark.html: "
    )
    names = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert names[-3:] == [CHANCE, HOG, "ours"]


def test_without_a_baseline_there_is_still_chance():
    text = screen(14)
    assert "HOG" not in text
    assert "chance gives 50.0 (always no, the most frequent class: 60 of 80 clips)." in text


def test_a_variant_has_a_row_with_our_lead():
    text = screen(18, 14, scratch=10)
    (line,) = (line for line in text.splitlines() if "| scratch" in line)
    assert line.split("|")[-2].strip().startswith("+")
    assert 'It is better than the variant "scratch" (difference +' in text


def test_many_variants_do_not_fill_the_screen():
    assert "v3" not in screen(14, **{f"v{n}": 12 for n in range(6)})


def test_a_model_that_has_not_run_says_so():
    empty = classes(14).iloc[:0]
    settings = config()
    scored = {"": {"toy": empty}, BASELINE_RUN: {"toy": classes(14)}}
    found = [*reference_results(settings, scored), *measure(empty, "toy", CLASSES)]
    text = summary(settings, found, Path("results"))
    assert "not been tested yet" in text
    assert "not run" in text


def test_every_table_has_a_row_of_the_baseline():
    settings = config("DFEW", v=None)
    scored = {
        "": {"DFEW": classes(14)},
        "v": {"DFEW": classes(12)},
        BASELINE_RUN: {"DFEW": classes(16)},
    }
    ours, found = measure(scored[""]["DFEW"], "DFEW", CLASSES), reference_results(settings, scored)
    floor = scored[BASELINE_RUN]["DFEW"]
    (shown,) = benchmark.benchmark_tables(benchmark.beside_paper(ours, (), found), {})
    assert {CHANCE, HOG, "ours"} <= {row[1] for row in shown.rows}
    assert any("DFEW WAR -10.00 [" in note for note in shown.notes)
    (shown,) = folds.fold_tables([*ours, *(r for r in found if r.model != CHANCE)], {})
    assert f"DFEW, {HOG}" in {row[0] for row in shown.rows}
    (ablation,) = ablations.ablations(settings, scored, {})
    (row,) = (r for r in ablations.ablation_table(ablation).rows if r[0] == HOG)
    assert row[-1].startswith("+13.33 [")
    shown = comparison.comparison_table(settings, scored[""], {}, scored[BASELINE_RUN])
    assert shown is not None
    assert HOG in {row[0] for row in shown.rows}
    matrix = per_class.confusion_of(scored[""]["DFEW"], 2)
    shown = per_class.class_table(
        per_class.class_results("DFEW", matrix, CLASSES.targets, "", floor)
    )
    assert shown.columns[4] == HOG
    assert shown.rows[0][4] == "80.00"
    csv = [*benchmark.benchmark_rows(benchmark.beside_paper(ours, (), found), {})]
    leads = {row["metric"]: row["lead"] for row in csv if row["model"] == HOG}
    assert leads["WAR"] == "-10"


@pytest.mark.parametrize(
    ("right", "said"),
    [
        (18, "(always no, the most frequent class: 60 of 80 clips)."),
        (10, "The interval of UAR covers chance: the model is not shown to do better"),
        (2, "The UAR is below chance."),
    ],
)
def test_every_table_says_what_chance_reaches(right, said):
    scored = {"": {"toy": classes(right)}}
    settings = config()
    found = [*reference_results(settings, scored), *measure(scored[""]["toy"], "toy", CLASSES)]
    (note,) = chance_notes(settings.datasets, found).values()
    assert note.startswith("Chance on toy: UAR 50.0, WAR 75.0 (always no")
    assert said in note
    assert ("chance" in note) == (right < 18)
    assert said.removesuffix(").") in summary(settings, found, Path("results"))


def test_chance_of_values_and_of_equal_classes_in_words():
    values = np.random.default_rng(0).uniform(size=(40, 2))
    even = rows([[n % 2] for n in range(40)], np.eye(2)[[n % 2 for n in range(40)]])
    for facts, units, said in [
        (VALUES, rows(values, values), "CCC 0.000, ACC 0.7"),
        (VALUES, rows(values, values), "(the mean value for every clip)"),
        (CLASSES, even, "(always one class, as no: 20 of 40 clips)"),
    ]:
        settings = config(facts=facts)
        found = reference_results(settings, {"": {"toy": units}})
        assert said in chance_notes(settings.datasets, found)["toy"]
