"""Tables name the checkpoints behind their figures, and refuse figures of another configuration."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svfap.config.made_by import MadeBy, file_hash
from svfap.config.stage_sections import DatasetFacts, ExpectedModel, TabulateConfig
from svfap.config.variants import RunFacts
from svfap.errors import SvfapError
from svfap.evaluation import predictions
from svfap.evaluation.predictions import Predictions
from svfap.stages import tabulate
from svfap.tables.costs import COLUMNS

FACTS = DatasetFacts(task="classification", targets=("a", "b"), metrics=("UAR",), folds=("1",))
COSTS = f"{','.join(COLUMNS)}\n,1,1,1,1,1\n"
MADE = MadeBy(model="m" * 64, recipe="r1", pretrained="p" * 64, pretrain_recipe="q1")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


def predict(results: Path, made_by: MadeBy | None, run: str = "", score: float = 0.9) -> Path:
    path = results / run / "evaluate" / "mine" / "1" / "predictions.parquet"
    scores = np.array([[score, 1 - score], [0.3, 0.7]])
    keys = ["x", "y"]
    columns = keys, keys, ["p", "q"], np.zeros(2, int), np.array([[0], [1]]), scores
    predictions.write(path, Predictions("mine", "1", *columns, made_by))
    return path


def tabulated(results: Path, paths: list[Path], **keys) -> str:
    """Run the stage; return the benchmark."""
    costs = results / "costs.csv"
    costs.write_text(COSTS)
    output = results / "tables" / "benchmark.md"
    config = TabulateConfig(**({"datasets": {"mine": FACTS}} | keys))
    inputs = {"predictions": paths, "curves": [], "crops": [], "costs": costs}
    tabulate.run(config, **inputs, output=output, log=lambda _: None)
    return output.read_text()


def test_predictions_carry_what_made_them(results):
    path = predict(results, MADE)
    assert predictions.read_made_by(path) == MADE
    assert predictions.read_names(path) == ("mine", "1")
    assert predictions.read_made_by(predict(results, None)) is None


def test_every_table_names_the_checkpoint(results):
    text = tabulated(results, [predict(results, MADE)])
    assert "fine-tuned from checkpoint pppppppppppp." in text
    for name in ("folds.md", "per_class.md", "benchmark.tex", "benchmark.html", "runs.html"):
        assert "pppppppppppp" in (results / "tables" / name).read_text()
    row = pd.read_csv(results / "tables" / "models.csv").iloc[0]
    assert (row["model"], row["pretrained"]) == (MADE.model, MADE.pretrained)


@pytest.mark.parametrize("change", [{"model": "n" * 64}, {"pretrained": "o" * 64}])
def test_another_model_is_another_line(results, change):
    def line(made_by):
        text = tabulated(results, [predict(results, made_by)])
        return next(row for row in text.splitlines() if "Made from" in row)

    assert line(MADE) != line(MADE.model_copy(update=change))


def test_other_predictions_are_another_line(results):
    lines = {
        tabulated(results, [predict(results, MADE, score=s)]).split("Made")[1] for s in (0.8, 0.9)
    }
    assert len(lines) == 2


def test_figures_of_other_settings_are_refused(results):
    path = predict(results, MADE)
    same = ExpectedModel(recipes={"mine": "r1"}, pretraining="q1")
    assert "100.00" in tabulated(results, [path], expected={"": same})
    other = ExpectedModel(recipes={"mine": "r2"}, pretraining="q1")
    with pytest.raises(SvfapError, match="other settings of fine-tuning; train again"):
        tabulated(results, [path], expected={"": other})
    other = ExpectedModel(recipes={"mine": "r1"}, pretraining="q2")
    with pytest.raises(SvfapError, match="other settings of pre-training"):
        tabulated(results, [path], expected={"": other})


def test_figures_of_another_checkpoint_are_refused(results):
    checkpoint = results / "model.pt"
    checkpoint.write_text("weights")
    made = MADE.model_copy(update={"pretrained": file_hash(checkpoint)})
    expected = {"": ExpectedModel(recipes={"mine": "r1"}, checkpoint=checkpoint)}
    path = predict(results, made)
    assert "100.00" in tabulated(results, [path], expected=expected)
    checkpoint.write_text("other weights")
    with pytest.raises(SvfapError, match=r"another checkpoint than .*model.pt"):
        tabulated(results, [path], expected=expected)


def test_a_variants_stale_figures_are_refused_by_its_name(results):
    paths = [predict(results, MADE), predict(results, MADE, "variants/few")]
    facts = RunFacts(label="few", folds={"mine": ("1",)})
    expected = {"few": ExpectedModel(recipes={"mine": "r2"})}
    with pytest.raises(SvfapError, match="variant few, mine fold 1"):
        tabulated(results, paths, runs={"few": facts}, expected=expected)


def test_unknown_models_are_marked(results):
    expected = {"": ExpectedModel(recipes={"mine": "r1"})}
    assert "1 models are unknown: evaluate again." in tabulated(
        results, [predict(results, None)], expected=expected
    )


@pytest.mark.parametrize("shared", ["mine", "other"])
def test_tables_say_that_pretraining_has_seen_the_test_people(results, shared):
    made = MADE.model_copy(update={"pretrain_datasets": (shared,)})
    facts = FACTS.model_copy(update={"same_videos": ("other",)})
    text = tabulated(results, [predict(results, made)], datasets={"mine": facts})
    assert "Pre-training of the main run has seen the videos of the test people of mine" in text
    text = tabulated(results, [predict(results, MADE)], datasets={"mine": facts})
    assert "has seen" not in text


def test_every_variant_is_in_a_table(results):
    """Also without a title, with a label of another, or as a repetition with another seed."""
    names = {"plain": None, "again": "plain", "seed": ""}
    runs = {n: RunFacts(label="x", seed_of=s, folds={"mine": ("1",)}) for n, s in names.items()}
    paths = [predict(results, MADE), *(predict(results, MADE, f"variants/{n}") for n in names)]
    tabulated(results, paths, runs=runs)
    table = pd.read_csv(results / "tables" / "ablations.csv")
    assert {*table["run"]} == {"main", *names}
    assert {*table["ablation"]} == {"Variants", "Seeds"}
    assert (table["value"] == 100).all()
