"""Published numbers, read from the CSV files beside this module.

`paper_*.csv` are the paper's own (arXiv 2401.00416) and the re-runs that its authors report;
`other_results.csv` has what the paper compares with and what came later; `paper_notes.csv` what
must be known to read them. Sources are named line by line.
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
_RESULTS = ("paper_results", "other_results")


def results_for(dataset: str) -> list[Result]:
    """The published results on a dataset, in the order of the file; none if not in the paper.

    Names match without regard to case and punctuation, so that `crema_d` finds CREMA-D. A dataset
    that is one target of a published one, such as `avcaffe_arousal`, finds that target's results.
    """
    wanted = _plain(dataset)
    wanted = _DATASETS.get(wanted, wanted)
    found = []
    for row in (row for name in _RESULTS for row in rows_of(name)):
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


def notes_on(*names: str) -> list[str]:
    """What must be known of the published numbers on datasets, ablations or other tables."""
    wanted = [_plain(name) for name in names]
    return [
        f"{row['about']}: {row['note']}"
        for row in rows_of("paper_notes")
        if any(name.startswith(_plain(row["about"])) for name in wanted)
    ]


def is_dataset(ours: str, theirs: str) -> bool:
    """Whether our name of a dataset is the paper's, but for case and punctuation."""
    return _plain(ours) == _plain(theirs)


@cache
def rows_of(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a CSV file beside this module."""
    text = resources.files("svfap.tables").joinpath(f"{name}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
