"""Your own videos: any folder of videos becomes a dataset by one CSV.

    path,label,subject
    videos/anna 01.mp4,happy,anna
    https://example.org/ben.mp4,sad,ben

`path` is relative to the CSV's folder, or an http(s) URL. `label` is the class; for regression,
every other column of numbers is a target named by its header. `fold` names the part in which a
clip is tested; without it, subjects are dealt to folds, because one person in training and test
inflates results. `start` and `end` (seconds) cut a clip out of a longer video. No video is opened
until it is fetched, and none is left out: one that cannot be had is listed in `failed.csv` and
rejected, with its reason, when faces are cropped.
"""

import csv
import difflib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from svfap import sources
from svfap.datasets import listing
from svfap.datasets.base import Clip, Dataset, Fold, Task, leave_one_part_out
from svfap.datasets.listing import Row
from svfap.datasets.split import check_training_classes, dealt_parts, named_parts
from svfap.errors import SvfapError

METRICS: Mapping[Task, tuple[str, ...]] = {
    "classification": ("UAR", "WAR"),
    "regression": ("CCC", "PCC"),
    "unlabelled": (),
}
DOWNLOADS_AT_ONCE = 4

logger = logging.getLogger(__name__)


def load(
    name: str, csv: Path, *, task: Task, folds: int, classes: Sequence[str] = ()
) -> Dataset:  # fmt: skip
    """Read a user's CSV into a dataset, without touching a video.

    Args:
        name: the dataset's name in the configuration.
        csv: the listing, see the module's text.
        task: what is predicted.
        folds: number of folds where the CSV names none; of parts, if it is unlabelled.
        classes: class names in index order, or the columns to regress; () takes all there are.

    Raises:
        SvfapError: names the column or row that is wrong, and how to mend it.
    """
    rows = listing.read(csv)
    columns = list(rows[0].cells)
    names: tuple[str, ...] = ()
    targets: list[tuple[float, ...]] = [()] * len(rows)
    if task == "classification":
        listing.require(csv, columns, "label")
        names = _classes(csv, rows, tuple(classes))
        targets = [(float(_index(row, names)),) for row in rows]
    elif task == "regression":
        names = _measured(csv, rows, tuple(classes))
        targets = [tuple(row.number(column) for column in names) for row in rows]
    parts = _parts(csv, name, rows, targets, task, folds)
    ordered = tuple(sorted({*parts}, key=_natural))
    splits: dict[str, Fold] = {}
    if task != "unlabelled":
        if len(ordered) < 2:
            raise SvfapError(f"{csv}: column 'fold' names one fold only; name at least 2")
        splits = leave_one_part_out(ordered)
    if task == "classification":
        labels = [row.cells["label"] for row in rows]
        check_training_classes(csv, splits, parts, labels, names)
    fetch = partial(_fetch, rows, parts, targets)
    return Dataset(name, task, names, ordered, splits, fetch, metrics=METRICS[task])


def _classes(path: Path, rows: Sequence[Row], chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Class names in index order: the chosen ones, or all labels sorted."""
    if chosen:
        if len({*chosen}) < len(chosen):
            raise SvfapError(f"{path}: a class is named twice in {', '.join(chosen)}; name it once")
        return chosen
    first: dict[str, Row] = {}
    for row in rows:
        label = row.need("label")
        known = first.setdefault(label.casefold(), row)
        if known.cells["label"] != label:
            raise SvfapError(
                f"{row.where}: label '{label}' is also written '{known.cells['label']}';"
                " write both alike"
            )
    if len(first) < 2:
        raise SvfapError(f"{path}: every label is '{rows[0].cells['label']}'; give 2 classes")
    return tuple(sorted((row.cells["label"] for row in first.values()), key=_natural))


def _index(row: Row, classes: Sequence[str]) -> int:
    label = row.need("label")
    if label not in classes:
        near = difflib.get_close_matches(label, classes, n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ";"
        raise SvfapError(f"{row.where}: unknown label '{label}'{guess} known: {', '.join(classes)}")
    return classes.index(label)


def _measured(path: Path, rows: Sequence[Row], chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Columns to regress: the chosen ones, or all others that hold a number anywhere."""
    columns = list(rows[0].cells)
    for column in chosen:
        listing.require(path, columns, column)
    others = [name for name in columns if name and name not in listing.ORDINARY_COLUMNS - {"label"}]
    found = chosen or tuple(
        name for name in others if any(_is_number(row.cells[name]) for row in rows)
    )
    if not found:
        listing.require(path, columns, "label")
        rows[0].number("label")
    return found


def _parts(
    path: Path,
    name: str,
    rows: Sequence[Row],
    targets: Sequence[tuple[float, ...]],
    task: Task,
    folds: int,
) -> list[str]:
    """The part of each row."""
    if "fold" in rows[0].cells:
        return named_parts(rows)
    if task == "unlabelled":
        return [f"part{number % folds + 1}" for number in range(len(rows))]
    if "subject" not in rows[0].cells:
        raise SvfapError(
            f"{path}: add a column 'subject' or 'fold': with the same person in training and test,"
            " results are too good to be true"
        )
    labels = targets if task == "classification" else [()] * len(rows)
    return dealt_parts(path, name, rows, labels, folds)


def _fetch(
    rows: Sequence[Row],
    parts: Sequence[str],
    targets: Sequence[tuple[float, ...]],
    root: Path,
) -> Iterator[Clip]:
    """Bring every video in place below `root`; one that cannot be had keeps its intended path."""
    failed: list[tuple[str, str, str]] = []
    problems = _download(root, {row.source for row in rows if sources.is_url(row.source)})
    keys = listing.keys(list(rows))
    for key, row, part, target in zip(keys, rows, parts, targets, strict=True):
        origin = _origin(root, row.source)
        path = origin if row.whole else root / "cuts" / f"{key}-{listing.digest(row)}.mp4"
        try:
            if row.source in problems:
                raise sources.SourceError(problems[row.source])
            sources.fetch(str(origin), origin)
            if not row.whole:
                _cut(row, origin, path)
        except SvfapError as error:
            failed.append((key, row.source, str(error)))
        yield Clip(key, path, part, row.cells.get("subject", ""), target)
    _report(root / "failed.csv", failed, len(rows))


def _download(root: Path, urls: set[str]) -> dict[str, str]:
    """Download each URL once, a few at a time; return what went wrong with which."""
    problems: dict[str, str] = {}
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        jobs = {url: pool.submit(sources.fetch, url, _origin(root, url)) for url in sorted(urls)}
        try:
            for url, job in jobs.items():
                try:
                    job.result()
                except sources.SourceError as error:
                    problems[url] = str(error)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return problems


def _origin(root: Path, source: str) -> Path:
    """Where the whole video lies, once it is there."""
    if not sources.is_url(source):
        return Path(source)
    suffix = PurePosixPath(unquote(urlsplit(source).path)).suffix
    safe = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", suffix) else ".video"
    return root / "downloads" / f"{listing.stem(source)}-{listing.digest_of(source)}{safe}"


def _cut(row: Row, origin: Path, path: Path) -> None:
    """Cut a clip out of its video, unless that was done since the video last changed."""
    from svfap.video import encode

    if not path.exists() or path.stat().st_mtime < origin.stat().st_mtime:
        path.parent.mkdir(parents=True, exist_ok=True)
        encode.cut(origin, path, start=row.start, end=row.end)


def _report(path: Path, failed: Sequence[tuple[str, str, str]], total: int) -> None:
    """List the videos that could not be had; no file means there are none."""
    path.unlink(missing_ok=True)
    if failed:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("key", "source", "reason"), *failed])
        logger.warning("%d of %d videos cannot be had; see %s", len(failed), total, path)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorting key that puts 'fold10' after 'fold2'."""
    pieces = re.split(r"([0-9]+)", name)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces], name


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
