"""Tables: a hand-worked one, the paper's numbers, and how they look."""

from importlib import resources

import numpy as np
import pandas as pd
import pytest

from svfap.config.stage_sections import DatasetFacts
from svfap.errors import SvfapError
from svfap.tables import benchmark, folds, paper, per_class, rejects, render
from svfap.tables.results import check_predictions, measure

FACTS = DatasetFacts(
    task="classification", targets=("no", "yes"), metrics=("UAR", "WAR"), folds=("1", "2", "3")
)
NOTICE = "Synthetic data: not a measure of the method."


def units(targets: dict[str, list[float]], guesses: dict[str, list[int]]) -> pd.DataFrame:
    """Scored units of folds as `by_group` gives them, for two classes."""
    rows = [
        {
            "fold": fold,
            "group": f"{fold}_{n}",
            "subject": "",
            "target": np.array([target]),
            "score": np.eye(2)[guess],
        }
        for fold in targets
        for n, (target, guess) in enumerate(zip(targets[fold], guesses[fold], strict=True))
    ]
    return pd.DataFrame(rows)


# fold 1: no 2 of 2, yes 1 of 2: UAR 75, WAR 75; fold 2: no 1 of 1, yes 0 of 1: UAR 50, WAR 50;
# pooled: no 3 of 3, yes 1 of 3: UAR 66.67, WAR 66.67.
HAND = units({"1": [0, 0, 1, 1], "2": [0, 1]}, {"1": [0, 0, 1, 0], "2": [0, 0]})


# resampled clips: WAR is Binomial(6, 2/3) / 6, whose quantiles are 2 / 6 and 6 / 6.
HAND_CELLS = (
    "66.67 ± 17.68 [50.0, 100.0]",
    "66.67 ± 17.68 [33.3, 100.0]",
    "partial, 2 of 3 folds",
    "this run; not in the paper",
)


def regression(names: tuple[str, ...]) -> tuple[DatasetFacts, pd.DataFrame]:
    """Predictions that are the targets plus one."""
    facts = DatasetFacts(task="regression", targets=names, metrics=("PCC", "CCC"), folds=("test",))
    true = np.arange(3.0)[:, None] + np.arange(len(names))
    rows = [
        {"fold": "test", "group": str(n), "subject": "", "target": row, "score": row + 1}
        for n, row in enumerate(true)
    ]
    return facts, pd.DataFrame(rows)


def test_hand_worked_results() -> None:
    results = measure(HAND, "toy", FACTS)
    pooled = {r.metric: r for r in results if not r.fold}
    assert pooled["UAR"].value == pytest.approx(200 / 3)
    assert pooled["WAR"].value == pytest.approx(200 / 3)
    assert pooled["UAR"].fold_mean == pytest.approx(62.5)
    assert pooled["UAR"].fold_std == pytest.approx(np.std([75, 50], ddof=1))
    assert (pooled["UAR"].clips, pooled["UAR"].folds) == (6, "partial, 2 of 3 folds")
    assert {(r.fold, r.metric): r.value for r in results if r.fold} == pytest.approx(
        {("1", "UAR"): 75, ("2", "UAR"): 50, ("1", "WAR"): 75, ("2", "WAR"): 50}
    )


def test_benchmark_markdown_of_the_hand_worked_example() -> None:
    results = benchmark.beside_paper(measure(HAND, "toy", FACTS))
    text = render.markdown(
        benchmark.benchmark_tables(results, {"toy": NOTICE}), heading="Benchmark"
    )
    lines = text.splitlines()
    assert lines[:4] == ["# Benchmark", "", "## Classification: UAR, WAR in per cent", ""]
    assert [cell.strip() for cell in lines[6].split("|")[1:-1]] == ["toy ¹", "ours", *HAND_CELLS]
    assert {len(line) for line in lines[4:7]} == {len(lines[4])}
    assert "(toy: 6 clips)" in text
    assert f"¹ {NOTICE}" in text.splitlines()


def test_folds_markdown_of_the_hand_worked_example() -> None:
    (table,) = folds.fold_tables(measure(HAND, "toy", FACTS), {"toy": NOTICE})
    assert table.columns == ("Dataset", "Fold", "Clips", "UAR", "WAR")
    assert table.rows == (
        ("toy ¹", "1", "4", "75.00", "75.00"),
        ("toy ¹", "2", "2", "50.00", "50.00"),
        ("toy ¹", "mean ± std", "6", "62.50 ± 17.68", "62.50 ± 17.68"),
        ("toy ¹", "pooled", "6", "66.67", "66.67"),
    )
    assert table.notes[-1] == f"¹ {NOTICE}"


def test_tidy_folds_of_the_hand_worked_example() -> None:
    rows = list(folds.fold_rows(measure(HAND, "toy", FACTS), {"toy": NOTICE}))
    uar = {row["fold"]: row["value"] for row in rows if row["metric"] == "UAR"}
    assert uar == {"1": "75", "2": "50", "mean": "62.5", "std": "17.6777", "pooled": "66.6667"}
    assert {row["notice"] for row in rows} == {NOTICE}


def test_a_dataset_without_predictions_keeps_its_row() -> None:
    results = benchmark.beside_paper(measure(HAND.iloc[:0], "toy", FACTS))
    (table,) = benchmark.benchmark_tables(results, {})
    assert table.rows == (
        ("toy", "ours", "not run", "not run", "0 of 3 folds", "this run; not in the paper"),
    )


def test_dfew_is_beside_the_papers_results() -> None:
    results = benchmark.beside_paper(measure(HAND, "dfew", FACTS))
    (table,) = benchmark.benchmark_tables(results, {"dfew": ""})
    rows = {row[1]: row[2:] for row in table.rows}
    assert rows["SVFAP-B"][:2] == ("62.83", "74.27")
    assert rows["SVFAP-B"][-1] == "paper"
    assert rows["SVFAP-S"][:2] == ("60.45", "72.67")
    assert rows["SVFAP-B re-run"][:2] == ("63.89", "74.81")
    assert rows["ours"][-1] == "this run"


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("DFEW", ("UAR", "", 62.83)),
        ("crema_d", ("UAR", "", 77.31)),
        ("enterface05", ("UAR", "", 60.58)),
        ("avcaffe_valence", ("WF1", "", 41.49)),
        ("werewolf_xl", ("PCC", "arousal", 0.2351)),
        ("first_impressions", ("CCC", "openness", 0.6511)),
    ],
)
def test_published_results_are_found_by_our_names(name: str, first: tuple[str, str, float]) -> None:
    found = paper.results_for(name)[0]
    assert (found.metric, found.target, found.value) == first
    assert (found.dataset, found.source) == (name, "paper")


@pytest.mark.parametrize("name", ["demo", "mead", "dfew2", "", "voxceleb2", "avcaffe_dominance"])
def test_other_datasets_are_not_in_the_paper(name: str) -> None:
    assert paper.results_for(name) == []


@pytest.mark.parametrize(("file", "count"), [("paper_results", 58), ("other_results", 149)])
def test_every_published_number_is_reachable(file: str, count: int) -> None:
    rows = paper.rows_of(file)
    names = {row["dataset"] for row in rows} - {"AVCAffe"} | {"AVCAffe arousal", "AVCAffe valence"}
    sources = {row["source"] for row in rows}
    found = [r for name in names for r in paper.results_for(name) if r.source in sources]
    assert len(found) == len(rows) == count
    assert {result.unit for result in found} == {row["unit"] for row in rows}


def test_known_errors_of_the_paper_are_footnotes() -> None:
    facts, groups = regression(("arousal", "valence"))
    results = benchmark.beside_paper(measure(groups, "werewolf_xl", facts))
    (table,) = benchmark.benchmark_tables(results, {})
    assert any("Zhang et al. has CCC above PCC" in note for note in table.notes)
    assert paper.notes_on("AVCAffe-valence")
    assert paper.notes_on("demo") == []


def test_regression_has_one_row_per_metric_and_the_average() -> None:
    facts, groups = regression(("arousal", "valence"))
    results = benchmark.beside_paper(measure(groups, "werewolf_xl", facts))
    (table,) = benchmark.benchmark_tables(results, {"werewolf_xl": ""})
    assert table.columns[2:-2] == ("Metric", "arousal", "valence", "average")
    assert [row[1:3] for row in table.rows[:2]] == [("ours", "PCC"), ("SVFAP-B", "PCC")]
    rows = {row[1:3]: row[3:] for row in table.rows}
    # moments of 0, 1, 2 and 1, 2, 3: CCC = (4/3) / (4/3 + 1)
    assert [cell.split(" [")[0] for cell in rows["ours", "CCC"]] == [
        "0.5714",
        "0.5714",
        "0.5714",
        "1 of 1 fold",
        "this run",
    ]
    assert rows["SVFAP-B", "CCC"][:3] == ("0.1896", "0.6427", "–")


def test_one_undefined_target_makes_the_average_undefined() -> None:
    facts, groups = regression(("arousal", "valence"))
    constant: list[object] = [np.array([score[0], 7.0]) for score in groups["score"]]
    groups = groups.assign(score=pd.Series(constant))
    values = {(r.metric, r.target): r.value for r in measure(groups, "toy", facts) if not r.fold}
    assert values["PCC", "arousal"] == pytest.approx(1)
    assert np.isnan(values["PCC", "valence"])
    assert np.isnan(values["PCC", "average"])
    assert values["CCC", "valence"] == 0


def test_tidy_benchmark_extends_the_columns_of_the_papers_file() -> None:
    rows = list(
        benchmark.benchmark_rows(
            benchmark.beside_paper(measure(HAND, "dfew", FACTS)), {"dfew": NOTICE}
        )
    )
    header = resources.files("svfap.tables").joinpath("paper_results.csv").read_text("utf-8")
    assert {*header.splitlines()[0].split(",")} <= rows[0].keys()
    assert rows[0]["notice"] == NOTICE
    assert rows[0]["value"] == "66.6667"
    assert (rows[0]["low"], rows[0]["high"], rows[0]["resampled"]) == ("50", "100", "6 clips")
    assert rows[-1]["notice"] == ""


LATEX = r"""% needs \usepackage{booktabs}

\begin{table}
  \centering
  \caption{50\% \& more\_}
  \begin{tabular}{lr}
    \toprule
    my\_data \textsuperscript{1} & a\&b \\
    \midrule
    \{x\}\textasciicircum{}2 \textbackslash{} \#1 \$ & 1 $\pm$ 2 \\
    \bottomrule
  \end{tabular}
  \par\smallskip\footnotesize \textsuperscript{1} 100\% synthetic
\end{table}
"""


def test_latex_is_booktabs_and_escaped() -> None:
    table = render.Table(
        "50% & more_",
        ("my_data ¹", "a&b"),
        ((r"{x}^2 \ #1 $", "1 ± 2"),),
        "lr",
        ("¹ 100% synthetic",),
    )
    assert render.latex([table]) == LATEX


def test_markdown_pipes_line_up_and_cells_cannot_break_out() -> None:
    table = render.Table("T", ("name", "n"), (("a|b\nc", "1"), ("long name", "1,000")), "lr")
    lines = render.markdown([table], heading="H").splitlines()[4:]
    assert lines == [
        "| name      |     n |",
        "| --------- | ----: |",
        r"| a\|b c    |     1 |",
        "| long name | 1,000 |",
    ]


def test_ragged_tables_are_a_bug() -> None:
    with pytest.raises(ValueError, match="cells"):
        render.Table("T", ("a", "b"), (("1",),), "ll")


def test_footnote_marks_are_shared_by_equal_notices() -> None:
    results = [r for name in ("x", "y", "z") for r in measure(HAND, name, FACTS)]
    (table,) = benchmark.benchmark_tables(results, {"x": "A", "y": "B", "z": "A"})
    assert [row[0] for row in table.rows if row] == ["x ¹", "y ²", "z ¹"]
    assert table.notes[1:] == ("¹ A", "² B")
    assert render.superscript(12) == "¹²"


def test_per_class_accuracy_of_the_hand_worked_example() -> None:
    matrix = per_class.confusion_of(HAND, 3)
    np.testing.assert_array_equal(matrix, [[3, 0, 0], [2, 1, 0], [0, 0, 0]])
    results = per_class.class_results("toy", matrix, ("no", "yes", "never"), NOTICE)
    table = per_class.class_table(results)
    assert [row[1:] for row in table.rows] == [
        ("no", "3", "100.00"),
        ("yes", "3", "33.33"),
        ("never", "0", "–"),
    ]
    assert table.notes == (f"toy: {NOTICE}",)
    assert per_class.class_rows(results)[2]["accuracy"] == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ("CCC",)}, r"'CCC' is not a metric of classification; choose from UAR, WAR"),
        ({"metrics": ("uar",)}, r"'uar' is not a metric"),
        ({"folds": ("1",)}, r"unknown folds 2; the protocol has 1"),
        ({"targets": ("a", "b", "c")}, r"1 targets and 2 scores a clip, 1 and 3 are expected"),
    ],
)
def test_predictions_must_fit_the_facts(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SvfapError, match=message):
        check_predictions(HAND, "toy", FACTS.model_copy(update=changes))


@pytest.mark.parametrize("label", [2.0, 0.5, -1.0])
def test_labels_must_be_class_indices(label: float) -> None:
    frame = units({"1": [label]}, {"1": [0]})
    with pytest.raises(SvfapError, match=r"toy: a class index is outside 0\.\.1"):
        check_predictions(frame, "toy", FACTS)


def test_long_lists_of_rejects_are_cut_and_say_so() -> None:
    frame = pd.DataFrame(
        {
            "dataset": "d",
            "part": "1",
            "key": [str(n) for n in range(60)],
            "path": "p",
            "reason": "r",
        }
    )
    table = rejects.reject_table(frame)
    assert len(table.rows) == rejects.SHOWN
    assert table.title == "60 rejected videos"
    assert table.notes == ("The first 50 of 60; rejects.csv has them all.",)
