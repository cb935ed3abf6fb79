"""Tables of variants: ablations beside the paper, the comparison of models, the spread of seeds."""

import numpy as np
import pandas as pd
import pytest

from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.config.variants import RunFacts
from svfap.errors import SvfapError
from svfap.tables import ablations, benchmark, comparison, costs, render
from svfap.tables.costs import CountedCost
from svfap.tables.results import measure
from svfap.tables.seeds import over_seeds

FACTS = DatasetFacts(
    task="classification", targets=("no", "yes"), metrics=("UAR", "WAR"), folds=("set_1", "set_2")
)
COSTS = {"": CountedCost(77.64, 43.6, 12.9), "mask-75": CountedCost(77.64, 43.6, 18.4)}


def scored(right: int, *, folds=("set_1",), count=40):
    """Ten clips of each of four subjects a fold, so many of a fold's clips right."""
    rows = [
        {
            "fold": fold,
            "group": f"{fold}_{n}",
            "subject": f"{fold}_{n // 10}",
            "target": np.array([n % 2]),
            "score": np.eye(2)[n % 2 if n < right else 1 - n % 2],
        }
        for fold in folds
        for n in range(count)
    ]
    return pd.DataFrame(rows)


def config(dataset="DFEW", **runs):
    return TabulateConfig(
        datasets={dataset: FACTS}, runs={name: RunFacts(**facts) for name, facts in runs.items()}
    )


def mask(label, dataset="DFEW"):
    return {"ablation": "Mask ratio", "label": label, "folds": {dataset: ("set_1",)}}


def one(config, runs, dataset="DFEW"):
    found = {name: {dataset: rows} for name, rows in runs.items()}
    (ablation,) = ablations.ablations(config, found, COSTS)
    return ablation


def test_settings_are_beside_the_papers_and_on_the_same_folds():
    runs = {"": scored(30, folds=("set_1", "set_2")), "mask-75": scored(20)}
    ablation = one(config(**{"mask-75": mask("75 %")}), runs)
    table = ablations.ablation_table(ablation)
    rows = {row[0]: row[1:] for row in table.rows}
    assert [*rows] == ["75 %", "85 %", "90 % *", "95 %"]
    assert rows["75 %"][:5] == ("77.6", "43.6", "18.4", "60.89", "73.91")
    assert rows["75 %"][5].startswith("50.00 [")
    assert rows["90 % *"][5].startswith("75.00 [")
    assert rows["85 %"][2:] == ("14.7", "61.87", "74.77", "not run", "not run", "–")
    assert rows["75 %"][-1].startswith("-25.00 [")
    assert rows["90 % *"][-1] == "–"
    assert ablation.folds == ("set_1",)
    assert "folds set_1" in table.notes[0]
    assert "4 subjects" in table.notes[0]
    assert any("fold 1 of DFEW" in note for note in table.notes)


def test_another_dataset_has_no_column_of_the_paper():
    runs = {"": scored(30), "mask-75": scored(20)}
    table = ablations.ablation_table(
        one(config("toy", **{"mask-75": mask("75 %", "toy")}), runs, "toy")
    )
    assert "UAR, paper" not in table.columns
    assert [row[0] for row in table.rows] == ["main run *", "75 %"]


def test_a_variant_that_has_not_run_says_so():
    ablation = one(config(**{"mask-75": mask("75 %")}), {"": scored(30)})
    assert ablations.ablation_table(ablation).rows[0][6:] == ("not run", "not run", "–")


def test_tidy_rows_carry_the_paired_difference():
    runs = {"": scored(30), "mask-75": scored(20)}
    rows = list(ablations.ablation_rows([one(config(**{"mask-75": mask("75 %")}), runs)]))
    uar = {row["setting"]: row for row in rows if row["metric"] == "UAR"}
    assert uar["75 %"]["change"] == "-25"
    assert uar["75 %"]["run"] == "mask-75"
    assert uar["90 %"]["run"] == "main"
    assert (uar["85 %"]["run"], uar["85 %"]["value"], uar["85 %"]["paper"]) == (
        "not run",
        "",
        "61.87",
    )
    assert 0 < float(str(uar["75 %"]["p"])) <= 1


def test_seeds_give_mean_and_deviation():
    results = {
        name: measure(scored(right), "toy", FACTS)
        for name, right in (("", 30), ("a", 20), ("b", 40))
    }
    found = over_seeds(results, ["a", "b"])
    uar = next(result for result in found if result.metric == "UAR")
    assert uar.value == pytest.approx(np.mean([75, 50, 100]))
    assert uar.seed_std == pytest.approx(np.std([75, 50, 100], ddof=1))
    (table,) = benchmark.benchmark_tables(benchmark.beside_paper(results[""], found), {})
    assert [row[1] for row in table.rows] == ["ours", "ours, mean of 3 seeds"]
    assert table.rows[1][2] == "75.00 ± 25.00"
    assert "not in the paper" in table.rows[1][-1]


def test_seeds_of_other_folds_are_not_averaged():
    results = {
        "": measure(scored(30, folds=("set_1", "set_2")), "toy", FACTS),
        "a": measure(scored(20), "toy", FACTS),
    }
    assert over_seeds(results, ["a"]) == []


def test_the_comparison_of_models_has_our_first_fold_and_counted_costs():
    groups = {"DFEW": pd.concat([scored(30), scored(0, folds=("set_2",))])}
    table = comparison.comparison_table(config(), groups, COSTS)
    assert table is not None
    assert len(table.rows) == 20
    rows = {row[0]: row for row in table.rows}
    assert rows["SVFAP-B"][2:6] == ("78", "44", "62.63", "74.81")
    assert rows["ours"][2:4] == ("78", "44")
    assert rows["ours"][4].startswith("75.00 [")
    assert render.latex([table]).count(r"\midrule") == 1
    empty = comparison.comparison_table(config(), {"DFEW": scored(0).iloc[:0]}, {})
    assert empty is not None
    assert empty.rows[-1][2:6] == ("not run",) * 4
    assert comparison.comparison_table(config("toy"), {}, {}) is None


def test_costs_are_read_or_named(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(
        "run,parameters,multiply_adds,trained_parameters,pretrain_parameters,"
        "pretrain_multiply_adds\n,2000000,3e9,2000000,1,4e9\nprobe,2e6,3e9,5000,1,4e9\n"
    )
    found = costs.read_costs(path)
    assert found == {"": CountedCost(2, 3, 4), "probe": CountedCost(2, 3, 4, trained=0.005)}
    assert found["probe"].trained_text == "0.005 (0.25 %)"
    assert costs.trained_note(found) == ""
    assert "trains 0.005 (0.25 %) of its 2 million" in costs.trained_note({"": found["probe"]})
    path.write_text("run\n1\n")
    with pytest.raises(SvfapError, match=r"costs\.csv: not a list of costs"):
        costs.read_costs(path)
