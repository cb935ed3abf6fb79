"""What pre-training is worth on the demo: over seeds, and with half to 8 times its length.

    python -m benchmarks.pretraining --folder DIR [--json FILE] [--figure FILE]

The script runs the workflow of `config/config.yaml` on the demo's sets for tuning, whose people
occur in no reported result. It takes an hour on two cores. Run it again to resume.
"""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import yaml

from svfap.config import yaml_file
from svfap.datasets.demo import TUNING
from svfap.evaluation import bootstrap, predictions
from svfap.evaluation.metrics import METRICS
from svfap.experiment.layout import PREDICTIONS, run_folder
from svfap.plots.style import OKABE_ITO, STYLE, figure_of, save

logger = logging.getLogger(__name__)
SEEDS = range(1, 5)  # the main run has seed 0
LENGTHS = (0.5, 1, 2, 4, 8)  # in lengths of the main run's pre-training
METRIC, DATASET = "WAR", "demo"
ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "config" / "config.yaml"


def variants(config: dict[str, Any]) -> dict[str, Any]:
    """Return the runs beside the main run: both rows with every seed, and other pre-trainings."""
    scratch = {"finetune": config["variants"]["scratch"]["finetune"]}
    runs: dict[str, Any] = {"scratch_0": scratch}
    for seed in SEEDS:
        runs |= {f"pretrained_{seed}": {"seed": seed}, f"scratch_{seed}": {"seed": seed, **scratch}}
    epochs = config["pretrain"]["optim"]["epochs"]
    for length in LENGTHS:
        if length != 1:
            runs[run_of(length)] = {"pretrain": {"optim": {"epochs": round(length * epochs)}}}
    return runs


def run_of(length: float) -> str:
    """Return the name of the run with a length of pre-training; "" is the main run."""
    return "" if length == 1 else f"length_{length}".replace(".", "_")


def configuration(folder: Path) -> dict[str, Any]:
    """Return the demo's configuration with all variants, on the people for tuning."""
    config: Any = yaml_file.read(CONFIG)
    for dataset in config["datasets"].values():
        dataset["variant"] = TUNING
    config |= {"data": str(folder / "data"), "results": str(folder / "results")}
    config["variants"] = variants(config)
    return dict(config)


def run_workflow(folder: Path) -> None:
    """Run the demo with all variants."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(configuration(folder)))
    command = ["-m", "snakemake", "--cores", "all", "--rerun-incomplete", "--configfile", str(path)]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


def scored(folder: Path, run: str) -> pd.DataFrame:
    """Read the predictions of all folds of a run; "" is the main run."""
    pattern = PREDICTIONS.pattern.format(run=run_folder(run), dataset=DATASET, fold="*")
    frame = predictions.read(sorted((folder / "results").glob(pattern)))
    return predictions.by_group(predictions.by_clip(frame))


def accuracy(rows: pd.DataFrame) -> dict[str, float]:
    """Return the pooled metric with its interval, per cent."""
    targets, scores = (np.stack(rows[column].to_list()) for column in ("target", "score"))
    value = float(np.mean(METRICS[METRIC].compute(targets, scores)))
    drawn = bootstrap.replicates(rows, METRIC, units=bootstrap.units_of(rows))[:, 0]
    found = bootstrap.interval(drawn)
    return {"value": 100 * value, "low": 100 * found.low, "high": 100 * found.high}


def measure(folder: Path) -> dict[str, Any]:
    """Return the difference of the two rows for each seed, and the metric by length."""
    seeds = []
    for seed in (0, *SEEDS):
        scratch = scored(folder, f"scratch_{seed}")
        pretrained = scored(folder, f"pretrained_{seed}" if seed else "")
        gain = bootstrap.paired(scratch, pretrained, METRIC)
        seeds.append(
            {
                "seed": seed,
                "pretrained": accuracy(pretrained)["value"],
                "scratch": accuracy(scratch)["value"],
                "gain": 100 * gain.value,
                "low": 100 * gain.interval.low,
                "high": 100 * gain.interval.high,
            }
        )
    lengths = {0.0: accuracy(scored(folder, "scratch_0"))}
    lengths |= {length: accuracy(scored(folder, run_of(length))) for length in LENGTHS}
    return {"metric": METRIC, "seeds": seeds, "lengths": lengths}


def draw(lengths: dict[float, dict[str, float]], path: Path) -> None:
    """Draw the metric by the length of pre-training; 0 is training from scratch."""
    with mpl.rc_context(STYLE):
        figure = figure_of((5.0, 3.2), "The demo by the length of pre-training", "Synthetic faces.")
        axes = figure.add_subplot()
        points = pd.DataFrame.from_dict(lengths, orient="index")
        errors = [points["value"] - points["low"], points["high"] - points["value"]]
        places = range(len(points))
        axes.errorbar(places, points["value"], errors, fmt="o-", color=OKABE_ITO[0], capsize=3)
        axes.set_xticks(places, ["scratch", *(f"{n} x" for n in LENGTHS)])
        axes.set_xlabel("length of pre-training")
        axes.set_ylabel(f"{METRIC}, per cent")
        save(figure, path)


def main() -> None:
    """Run, measure, and write figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for data and results")
    parser.add_argument("--json", type=Path, help="file to write results to")
    parser.add_argument("--figure", type=Path, help="PNG of the metric by length")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_workflow(options.folder.absolute())
    found = measure(options.folder.absolute())
    text = json.dumps(found, indent=2)
    logger.info("%s", text)
    if options.json:
        options.json.write_text(text)
    if options.figure:
        draw(found["lengths"], options.figure)


if __name__ == "__main__":
    main()
