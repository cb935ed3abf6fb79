"""The paper's own numbers, read from `paper_results.csv` beside this module.

Sources are named line by line: the paper (arXiv 2401.00416, tables of section 4) or the re-runs
that its authors report in the README of their code.
"""

import csv
from functools import cache
from importlib import resources

from svfap.tables.results import Result

_METRICS = {"weighted F1": "WF1"}
_DATASETS = {
    "firstimpressions": "chalearnfirstimpressions",
    "chalearn": "chalearnfirstimpressions",
}


def results_for(dataset: str) -> list[Result]:
    """The published results on a dataset, in the order of the file; none if not in the paper.

    Names match without regard to case and punctuation, so that `crema_d` finds CREMA-D. A dataset
    that is one target of a published one, such as `avcaffe_arousal`, finds that target's results.
    """
    wanted = _plain(dataset)
    wanted = _DATASETS.get(wanted, wanted)
    found = []
    for row in _rows():
        whole, target = _plain(row["dataset"]), row["target"]
        if wanted not in (whole, whole + _plain(target)):
            continue
        found.append(
            Result(
                dataset,
                row["model"],
                _METRICS.get(row["metric"], row["metric"]),
                target if wanted == whole else "",
                float(row["value"]),
                row["source"],
            )
        )
    return found


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = resources.files("svfap.tables").joinpath("paper_results.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
