"""The tabulate stage on real files, in the folders of the pipeline."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike

from svfap.config import CropConfig
from svfap.config.stage_sections import DatasetFacts, TabulateConfig
from svfap.datasets.dataset import Clip, Listed
from svfap.errors import SvfapError
from svfap.evaluation import predictions
from svfap.evaluation.predictions import Predictions
from svfap.faces.clip_tables import write_tables
from svfap.faces.cropped_video import CroppedClip, CroppedVideo, Quality
from svfap.stages import tabulate
from svfap.tables import figures
from svfap.tables.references import CHANCE

NOTICE = "Synthetic: drawn faces."
CONFIG = TabulateConfig(
    datasets={
        "demo": DatasetFacts(
            task="classification",
            targets=("sad", "happy & <glad>"),
            metrics=("UAR", "WAR"),
            folds=("1", "2", "3"),
            notice=NOTICE,
        ),
        "dfew": DatasetFacts(
            task="classification",
            targets=("a", "b"),
            metrics=("UAR", "WAR"),
            folds=("1",),
        ),
        "first_impressions": DatasetFacts(
            task="regression",
            targets=("openness", "neuroticism"),
            metrics=("CCC", "ACC"),
            folds=("test",),
        ),
    },
    pretrain_notice=NOTICE,
)


CROPPED = CroppedVideo("f", (CroppedClip(20, 25.0, 0.0, Quality(*[0.0] * 13)),))
COSTS = """\
run,parameters,multiply_adds,trained_parameters,pretrain_parameters,pretrain_multiply_adds
,77640000,43600000000,77640000,85500000,12900000000
mask75,77640000,43600000000,77640000,85500000,18400000000
"""


def predict(root: Path, dataset: str, fold: str, targets: ArrayLike, scores: ArrayLike) -> Path:
    """A predictions file where the pipeline puts it, one view a clip."""
    keys = [f"{fold}_{number}" for number in range(len(np.asarray(targets)))]
    path = root / "results" / "evaluate" / dataset / fold / "predictions.parquet"
    columns = keys, keys, [""] * len(keys), np.zeros(len(keys), int)
    predictions.write(
        path, Predictions(dataset, fold, *columns, np.asarray(targets), np.asarray(scores))
    )
    return path


def write(path: Path, text: str) -> Path:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def part_with_rejects(folder: Path, rejects: str) -> Path:
    """The tables of the stage `crop` for a part; return the one of its clips."""
    folder.mkdir(parents=True)
    key = f"{folder.name}_0"
    listed = Listed(f"my videos/{key}.mp4", 1.5, 12345.678)
    row = (Clip(key, Path("a.mp4"), folder.name, listed=listed), CROPPED)
    write_tables(folder / "clips.csv", [row], CropConfig())
    write(folder / "rejects.csv", f"key,path,reason\n{rejects}")
    return folder / "clips.csv"


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """Two of three folds of a demo, a fold of DFEW, a regression; curves; rejects."""
    no, yes = [0.9, 0.1], [0.2, 0.8]
    true = np.array([[0.1, 0.2], [0.5, 0.4], [0.9, 0.9]])
    curve = "step,epoch,loss,lr,grad_norm\n1,0.5,2,0.1,1\n2,1.0,1,0.05,1\n"
    crops = tmp_path / "data" / "crops" / "demo"
    results = tmp_path / "results"
    return {
        "predictions": [
            predict(tmp_path, "demo", "1", [[0], [0], [1], [1]], [no, no, yes, no]),
            predict(tmp_path, "demo", "2", [[0], [1]], [no, no]),
            predict(tmp_path, "dfew", "1", [[0], [1]], [no, yes]),
            predict(tmp_path, "first_impressions", "test", true, true),
        ],
        "curves": [
            write(results / "pretrain" / "curve.csv", curve),
            write(results / "finetune" / "demo" / "1" / "curve.csv", curve),
            write(results / "finetune" / "demo" / "2" / "curve.csv", curve),
        ],
        "crops": [
            part_with_rejects(crops / "1", '007,raw/007.mp4,"no face, at all"\n'),
            part_with_rejects(crops / "2", ""),
        ],
        "costs": write(results / "tables" / "costs.csv", COSTS),
        "output": results / "tables" / "benchmark.md",
    }


def run(
    inputs: dict[str, Any], config: TabulateConfig = CONFIG, **changes: Any
) -> dict[str, float]:
    """Run the stage; return what it logged."""
    logged: dict[str, float] = {}
    tabulate.run(config, **(inputs | changes), log=logged.update)
    return logged


def test_all_tables_and_figures_are_written(inputs: dict[str, Any]) -> None:
    run(inputs)
    results = inputs["output"].parents[1]
    names = {
        str(p.relative_to(results))
        for f in ("tables", "figures")
        for p in results.glob(f"{f}/**/*.*")
    }
    assert names == {
        *(
            f"tables/{stem}.{end}"
            for stem in ("benchmark", "folds", "per_class", "rejects")
            for end in ("md", "csv")
        ),
        "tables/benchmark.tex",
        "tables/benchmark.html",
        "tables/rejects.html",
        "tables/costs.csv",
        "tables/runs.html",
        "tables/models.csv",
        "tables/predictions.csv",
        "tables/summary.md",
        *(f"tables/{page}.html" for page in ("summary", "folds", "per_class")),
        "figures/first_impressions/scatter.png",
        *(f"tables/comparison.{end}" for end in ("md", "html", "tex")),
        "figures/demo/confusion.png",
        "figures/demo/curves.png",
        "figures/demo/classes.png",
        "figures/dfew/classes.png",
        "figures/dfew/confusion.png",
        "figures/pretrain/curves.png",
    }
    assert all((results / name).stat().st_size > 0 for name in names)


def test_benchmark_pools_folds_beside_the_papers_results(inputs: dict[str, Any]) -> None:
    run(inputs)
    lines = inputs["output"].read_text().splitlines()
    rows = {
        tuple(cells[1:3]): cells[3:-1]
        for line in lines
        if len(cells := [cell.strip() for cell in line.split("|")]) == 8
    }
    assert rows["demo ¹", "ours"] == [
        "66.67 ± 17.68 [50.0, 100.0]",
        "66.67 ± 17.68 [33.3, 100.0]",
        "partial, 2 of 3 folds",
        "this run; not in the paper",
    ]
    perfect = "100.00 [100.0, 100.0]"
    assert rows["dfew", "ours"] == [perfect, perfect, "1 of 1 fold", "this run"]
    assert rows["dfew", "SVFAP-B"][:2] == ["62.83", "74.27"]
    assert f"¹ {NOTICE}" in lines
    assert f"\\textsuperscript{{1}} {NOTICE}" in inputs["output"].with_suffix(".tex").read_text()


def test_csv_is_tidy_and_carries_the_notice(inputs: dict[str, Any]) -> None:
    run(inputs)
    frame = pd.read_csv(inputs["output"].with_suffix(".csv"), dtype=str, keep_default_na=False)
    demo = frame[frame["dataset"] == "demo"]
    assert {*demo["notice"]} == {NOTICE}
    assert demo[demo["model"] != CHANCE]["value"].tolist() == ["66.6667"] * 2
    assert demo[demo["model"] == CHANCE]["metric"].tolist() == ["UAR", "WAR"]
    paper = frame[(frame["model"] == "SVFAP-B") & (frame["dataset"] == "first_impressions")]
    assert (
        dict(zip(paper["metric"] + paper["target"], paper["value"], strict=True))["ACCneuroticism"]
        == "0.9145"
    )
    folds = pd.read_csv(inputs["output"].with_name("folds.csv"), dtype=str)
    assert folds[folds["dataset"] == "demo"]["fold"].tolist()[:2] == ["1", "2"]
    assert {"mean", "std", "pooled"} <= {*folds["fold"]}


def test_per_class_names_survive(inputs: dict[str, Any]) -> None:
    run(inputs)
    frame = pd.read_csv(inputs["output"].with_name("per_class.csv"))
    glad = frame[frame["class"] == "happy & <glad>"].iloc[0]
    assert (glad["clips"], glad["accuracy"]) == (3, pytest.approx(100 / 3, rel=1e-5))
    assert "first_impressions" not in {*frame["dataset"]}


def test_predictions_name_the_users_clips(inputs: dict[str, Any]) -> None:
    run(inputs)
    path = inputs["output"].with_name("predictions.csv")
    first, second, *_ = path.read_text().splitlines()
    assert first == (
        "dataset,run,fold,clip,group,path,start,end,subject,true_label,predicted_label,"
        "p_sad,p_happy & <glad>,p_a,p_b,"
        "true_openness,predicted_openness,true_neuroticism,predicted_neuroticism"
    )
    assert second == (
        "demo,main,1,1_0,1_0,my videos/1_0.mp4,1.5,12345.678,NA,sad,sad,0.9,0.1,NA,NA,NA,NA,NA,NA"
    )
    rows = pd.read_csv(path)
    assert rows["dataset"].tolist() == ["demo"] * 6 + ["dfew"] * 2 + ["first_impressions"] * 3
    assert rows[rows["dataset"] == "dfew"]["path"].isna().all()  # no table of its clips is there
    values = rows[rows["dataset"] == "first_impressions"]
    assert values["predicted_neuroticism"].tolist() == [0.2, 0.4, 0.9]
    assert values["true_label"].isna().all()


@pytest.mark.parametrize("content", [None, "key,path\na,b\n"])
def test_a_bad_table_of_clips_is_named(inputs: dict[str, Any], content: str | None) -> None:
    inputs["crops"][1].unlink()
    if content:
        inputs["crops"][1].write_text(content)
    with pytest.raises(SvfapError, match=r"demo/2/clips\.csv: not a table of clips") as caught:
        run(inputs)
    assert "\n" not in str(caught.value)


def test_rejects_are_gathered_with_dataset_and_part(inputs: dict[str, Any]) -> None:
    run(inputs)
    page = inputs["output"].with_name("rejects.html").read_text()
    assert "<td" in page
    assert "no face, at all" in page
    text = inputs["output"].with_name("rejects.csv").read_text()
    assert text == 'dataset,part,key,path,reason\ndemo,1,007,raw/007.mp4,"no face, at all"\n'
    assert "no face, at all" in inputs["output"].with_name("rejects.md").read_text()


def test_no_rejects_and_no_curves_are_fine(inputs: dict[str, Any]) -> None:
    run(inputs, crops=[], curves=[])
    assert inputs["output"].with_name("rejects.csv").read_text() == "dataset,part,key,path,reason\n"
    assert "Every video gave a face clip." in inputs["output"].with_name("rejects.md").read_text()


def test_what_is_logged_is_what_is_shown(inputs: dict[str, Any]) -> None:
    logged = run(inputs)
    assert logged["demo UAR"] == pytest.approx(200 / 3)
    assert logged["first_impressions CCC average"] == pytest.approx(1)
    assert {name.split(" ")[0] for name in logged} == {*CONFIG.datasets}


def test_a_dataset_without_predictions_keeps_its_row(inputs: dict[str, Any]) -> None:
    logged = run(inputs, predictions=inputs["predictions"][:3])
    text = inputs["output"].read_text()
    assert "first_impressions" in text
    assert "0 of 1 fold" in text
    assert not [name for name in logged if name.startswith("first")]


def test_running_twice_gives_the_same_bytes(inputs: dict[str, Any]) -> None:
    results = inputs["output"].parents[1]
    seen = []
    for _ in range(2):
        run(inputs)
        seen.append({p: p.read_bytes() for p in results.glob("[tf][ai]*/**/*.*") if p.is_file()})
    assert seen[0] == seen[1]


def test_notices_are_in_the_figures(
    inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    notices = {}
    for name in ("draw_confusion", "draw_class_bars", "draw_scatter", "draw_curves"):
        draw = getattr(figures, name)

        def spy(*args: Any, draw: Any = draw, **kwargs: Any) -> None:
            notices["/".join(kwargs["path"].parts[-2:])] = kwargs["notice"]
            draw(*args, **kwargs)

        monkeypatch.setattr(figures, name, spy)
    run(inputs)
    chance = "Chance on {}: UAR 50.0, WAR 50.0 (always one class, as {} clips)."
    covered = (
        " The interval of UAR covers chance: the model is not shown to do better than guessing."
    )
    demo = chance.format("demo", "sad: 3 of 6") + covered
    dfew = chance.format("dfew", "a: 1 of 2")
    assert notices == {
        **dict.fromkeys(("demo/confusion.png", "demo/classes.png"), f"{demo} {NOTICE}"),
        **dict.fromkeys(("dfew/confusion.png", "dfew/classes.png"), dfew),
        **dict.fromkeys(("demo/curves.png", "pretrain/curves.png"), NOTICE),
        "first_impressions/scatter.png": "Chance on first_impressions: CCC 0.000, ACC 0.733 (the"
        " mean value for every clip).",
    }


def test_the_first_page_has_everything_and_each_page_says_what_chance_is(
    inputs: dict[str, Any],
) -> None:
    run(inputs)
    tables = inputs["output"].parent
    page = (tables / "summary.html").read_text()
    for title in ("demo: ", "By fold.", "Share of each class", "1 rejected", "Run times", "Models"):
        assert f"<h2>{title}" in page
    for name in ("summary", "benchmark", "folds", "per_class"):
        assert "always one class" in (tables / f"{name}.html").read_text()


def test_damaged_predictions_are_named(inputs: dict[str, Any]) -> None:
    inputs["predictions"][2].write_bytes(b"PAR1 but no more")
    with pytest.raises(SvfapError, match=r"dfew/1/predictions\.parquet: damaged"):
        run(inputs)
    assert not inputs["output"].exists()


def test_predictions_of_an_unknown_dataset_are_refused(inputs: dict[str, Any]) -> None:
    only = CONFIG.model_copy(update={"datasets": {"demo": CONFIG.datasets["demo"]}})
    with pytest.raises(SvfapError, match="predictions of dfew, first_impressions, which"):
        run(inputs, only)


def test_a_curve_of_an_unknown_dataset_is_refused(inputs: dict[str, Any]) -> None:
    text = inputs["curves"][0].read_text()
    stray = write(inputs["output"].parent / "finetune" / "mafw" / "1" / "curve.csv", text)
    with pytest.raises(SvfapError, match="training curve of mafw"):
        run(inputs, curves=[stray])


@pytest.mark.parametrize("content", ["", "clip,why\n1,2\n"])
def test_a_bad_list_of_rejects_is_named(inputs: dict[str, Any], content: str) -> None:
    inputs["crops"][1].with_name("rejects.csv").write_text(content)
    with pytest.raises(SvfapError, match=r"demo/2/rejects\.csv: not a list of rejects") as caught:
        run(inputs)
    assert "\n" not in str(caught.value)


def test_the_config_is_frozen_and_round_trips_as_json() -> None:
    assert TabulateConfig.model_validate_json(CONFIG.model_dump_json()) == CONFIG


def test_no_torch_is_imported() -> None:
    code = (
        "import sys, svfap.stages.tabulate;"
        " print([m for m in ('torch', 'cv2', 'mlflow', 'matplotlib.pyplot') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
