"""The results as Markdown: targets met or not, then all rows of every part."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.gpu.results import Row, rows
from benchmarks.gpu.steps import COMPILED
from benchmarks.reference import THEIRS
from svfap.datasets.voxceleb2 import CLIPS

EPOCHS = 100  # of pre-training (paper section 4.1)
Results = Mapping[str, Any]


class Target(NamedTuple):
    """A number that the project aims at.

    Attributes:
        name: what is measured.
        aim: the aim in words.
        measure: function that returns the number; None if it was not measured.
        met: function that compares the number with the aim.
        form: format of the number.
    """

    name: str
    aim: str
    measure: Callable[[Results], float | None]
    met: Callable[[float], bool]
    form: str


def _peak_share(results: Results) -> float | None:
    """Return the highest share of the measured peak in pre-training."""
    found = rows(results, "steps", task="pretrain")
    return max((row["share_of_peak"] for row in found if "share_of_peak" in row), default=None)


def _data_share(results: Results) -> float | None:
    """Return the share of time for which the real training waited for data."""
    return next((row["data_share"] for row in rows(results, "training")), None)


def _speedup(results: Results) -> float | None:
    """Return our compiled pre-training's clips per second over the authors', at one batch size."""
    for ours in rows(results, "steps", task="pretrain", name=COMPILED):
        for theirs in rows(results, "steps", task="pretrain", name=THEIRS, batch=ours["batch"]):
            if "clips_per_second" in ours and "clips_per_second" in theirs:
                return float(ours["clips_per_second"] / theirs["clips_per_second"])
    return None


def _hours(results: Results) -> float | None:
    """Return the hours of the paper's pre-training at the speed of the real training."""
    speeds = [row["clips_per_second"] for row in rows(results, "training")]
    return EPOCHS * CLIPS / speeds[0] / 3600 if speeds else None


def _failed_checks(results: Results) -> float | None:
    """Return the number of failed checks: devices compared, bytes, resumed trainings."""
    found = [row for part in results["parts"] for row in rows(results, part)]
    checks = [row["passed"] for row in found if "passed" in row]
    return checks.count(False) if checks else None


TARGETS = (
    Target("share of the measured peak, pre-training", "45 %", _peak_share, lambda x: x >= 0.45,
           "{:.1%}"),
    Target("clips/s over the authors', pre-training", "2.5", _speedup, lambda x: x >= 2.5,
           "{:.2f}"),
    Target("`data_share` of a real training", "below 5 %", _data_share, lambda x: x < 0.05,
           "{:.1%}"),
    Target(f"hours for {EPOCHS} epochs of VoxCeleb2", "12", _hours, lambda x: x <= 12, "{:.1f}"),
    Target("failed checks", "0", _failed_checks, lambda x: x == 0, "{:.0f}"),
)  # fmt: skip


def markdown(results: Results) -> str:
    """Return the tables: targets, then every part's rows."""
    facts = [row["device"] for row in rows(results, "peak") if "device" in row]
    head = f"# {facts[0] if facts else 'unknown device'}, {results['machine']['cpus']} cores"
    targets = [_target(target, results) for target in TARGETS]
    sections = [head, _table(targets)]
    for part, content in results["parts"].items():
        sections.append(f"## {part}, {content.get('seconds', 0):.0f} s")
        if content["error"]:
            sections.append(f"**{content['error']}**")
        sections += [_table(group) for group in _alike(content["rows"])]
    return "\n\n".join(sections) + "\n"


def _target(target: Target, results: Results) -> Row:
    """Return a target's row."""
    value = target.measure(results)
    if value is None:
        return {"target": target.name, "aim": target.aim, "measured": "", "met": "not measured"}
    met = "met" if target.met(value) else "**not met**"
    return {
        "target": target.name,
        "aim": target.aim,
        "measured": target.form.format(value),
        "met": met,
    }


def _alike(found: Sequence[Row]) -> Iterator[list[Row]]:
    """Group successive rows by their first column's kind: rows with equal columns share a table."""
    group: list[Row] = []
    for row in found:
        if group and not ({*row} <= {*group[0]} or {*row} >= {*group[0]}):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _table(found: Sequence[Row]) -> str:
    """Return rows as a Markdown table with all their columns."""
    columns = list(dict.fromkeys(key for row in found for key in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in found]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "/")
