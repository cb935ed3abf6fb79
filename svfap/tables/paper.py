"""Published numbers, read from the CSV files beside this module.

`paper_*.csv` hold the paper's results (arXiv 2401.00416) and the re-runs that its authors report.
`other_results.csv` holds results of methods that the paper compares with and of later methods.
`paper_notes.csv` holds notes on how to read the numbers. Every line names its source.
"""

import csv
from functools import cache
from importlib import resources

from svfap.datasets.dataset import plain_name
from svfap.tables.results import Result

_METRICS = {"weighted F1": "WF1"}
_DATASETS = {
    "firstimpressions": "chalearnfirstimpressions",
    "chalearn": "chalearnfirstimpressions",
}
_RESULTS = ("paper_results", "other_results")


def results_for(dataset: str) -> list[Result]:
    """Return the published results on a dataset, in the order of the files.

    Names match without regard to case and punctuation: `crema_d` finds CREMA-D. A dataset for one
    target of a published dataset, such as `avcaffe_arousal`, finds that target's results.
    """
    wanted = plain_name(dataset)
    wanted = _DATASETS.get(wanted, wanted)
    found = []
    for row in (row for name in _RESULTS for row in rows_of(name)):
        whole, target = plain_name(row["dataset"]), row["target"]
        if wanted not in (whole, whole + plain_name(target)):
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


def notes_on(*names: str) -> list[str]:
    """Return the notes on published numbers of datasets, ablations or other tables."""
    wanted = [plain_name(name) for name in names]
    return [
        f"{row['about']}: {row['note']}"
        for row in rows_of("paper_notes")
        if any(name.startswith(plain_name(row["about"])) for name in wanted)
    ]


@cache
def rows_of(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of a CSV file beside this module, named without its suffix."""
    text = resources.files("svfap.tables").joinpath(f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))
