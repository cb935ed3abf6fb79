"""Write and read the three tables of the stage `crop`; no other module does so.

`clips.csv` has a row per face clip. `quality.parquet`, beside it, has the quality figures of each
clip. `rejects.csv` has a row per video without a face clip.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from svfap.config import CropConfig
from svfap.config.labels import NO_LABEL_NAMES, LabelNames
from svfap.datasets.dataset import LISTED_COLUMNS, UNLISTED, Clip, Listed
from svfap.errors import SvfapError
from svfap.faces.cropped_video import (
    CroppedClip,
    CroppedVideo,
    Quality,
    clip_key,
    clip_settings,
    file_stem,
    write_text,
)
from svfap.replacing import FACES_FOLDER, here, replacing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClipRow:
    """A row of `clips.csv`.

    Attributes:
        key: name of the clip.
        path: path of the clip's video, relative to the folder of the table.
        subject: the person in the clip.
        group: group of the clip; clips of one group are scored together.
        target: label or scores, separated by blanks in the file.
        frames: number of frames.
        fps: frames per second.
        start: second of the raw video at which the clip starts.
        crop: settings that the clip was cropped with, as JSON.
        checksum: of the clip's video, see `svfap.video.facevideo.checksum`; empty if unknown.
        listed: how the dataset's list names the raw video, in the columns `LISTED_COLUMNS`.
        labels: what the targets of the dataset mean, as JSON in the file; the column `label` before
            it has the name of the clip's class.
    """

    key: str
    path: str
    subject: str
    group: str
    target: tuple[float, ...]
    frames: int
    fps: float
    start: float
    crop: str
    checksum: str = ""
    listed: Listed = UNLISTED
    labels: LabelNames = NO_LABEL_NAMES


CLIP_COLUMNS = (
    *("key", "path", "subject", "group", "target", "frames", "fps", "start", "crop", "checksum"),
    *(*LISTED_COLUMNS, "label", "labels"),
)
REJECT_COLUMNS = ("key", "path", "reason")
QUALITY_COLUMNS = ("key", "frames", *(field.name for field in fields(Quality)))
_COUNTS = ("frames", "cuts", "people")  # columns of `quality.parquet` that are whole numbers


def rejects_path(clips: Path) -> Path:
    """Return the `rejects.csv` beside a `clips.csv`."""
    return clips.with_name("rejects.csv")


def quality_path(clips: Path) -> Path:
    """Return the `quality.parquet` beside a `clips.csv`."""
    return clips.with_name("quality.parquet")


def write_tables(
    clips: Path, videos: Sequence[tuple[Clip, CroppedVideo]], config: CropConfig
) -> None:
    """Write the three tables; `clips.csv` comes last, since it marks the stage as finished.

    Args:
        clips: path of `clips.csv`; the other tables are written beside it.
        videos: the manifest's clips in its order, each with the outcome of cropping it.
        config: the settings that the clips were cropped with.
    """
    rejected = [(clip.key, clip.path, video.reject) for clip, video in videos if video.reject]
    write_text(rejects_path(clips), _csv(REJECT_COLUMNS, rejected))
    _write_quality(quality_path(clips), videos)
    crop = json.dumps(clip_settings(config))
    write_text(clips, _csv(CLIP_COLUMNS, map(_cells, _clip_rows(videos, crop))))


def read_clips(path: Path) -> list[ClipRow]:
    """Read a `clips.csv`.

    Raises:
        SvfapError: the path of a clip leads out of the table's folder.
        OSError: the file is missing.
        KeyError: a column is missing.
        ValueError: a cell should hold a number but does not.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_clip_row(row) for row in csv.DictReader(file)]
    for row in rows:
        if Path(row.path).is_absolute() or ".." in Path(row.path).parts:
            raise SvfapError(f"{path}: '{row.path}' leads out of its folder; crop again")
    return rows


def face_clip(clips: Path, path: str) -> Path:
    """Return where the face clip is that a `clips.csv` names.

    Args:
        clips: the table.
        path: the path in it.
    """
    return here(clips.parent / path, clips.with_name(FACES_FOLDER))


def read_quality(clips: Path) -> "pd.DataFrame":
    """Read the `quality.parquet` beside a `clips.csv`, with the path of each clip as `file`.

    Raises:
        OSError: a table is missing.
        ValueError: a table is damaged or lacks a column.
    """
    import pandas as pd  # imported here, so that the stages `crop` and `shard` start faster

    quality = pd.read_parquet(quality_path(clips))
    table = pd.read_csv(clips, usecols=["key", "path"], dtype=str, keep_default_na=False)
    paths = dict(zip(table["key"], table["path"], strict=True))
    files = [face_clip(clips, paths[key]) for key in quality["key"]]
    quality["file"] = pd.Series(files, index=quality.index, dtype=object)
    return quality


def read_rejects(path: Path) -> "pd.DataFrame":
    """Read a `rejects.csv`: key, path and reason as text.

    Raises:
        SvfapError: the file is missing or lacks a column.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return table[list(REJECT_COLUMNS)]
    except (OSError, KeyError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error.args[0]).split())
        raise SvfapError(f"{path}: not a list of rejects ({reason}); crop again") from None


def _keyed_clips(
    videos: Iterable[tuple[Clip, CroppedVideo]],
) -> Iterator[tuple[str, Clip, CroppedClip]]:
    """Yield every face clip with its key and the clip of the manifest that it comes from."""
    for clip, video in videos:
        for number, cropped in enumerate(video.clips):
            yield clip_key(clip.key, number), clip, cropped


def _clip_rows(videos: Iterable[tuple[Clip, CroppedVideo]], crop: str) -> Iterator[ClipRow]:
    """Yield the rows of `clips.csv`."""
    for key, clip, cropped in _keyed_clips(videos):
        yield ClipRow(
            key=key,
            path=f"faces/{file_stem(key)}.mkv",
            subject=clip.subject,
            group=clip.group or clip.key,
            target=clip.target,
            frames=cropped.frames,
            fps=cropped.fps,
            start=cropped.start,
            crop=crop,
            checksum=cropped.checksum,
            listed=clip.listed,
            labels=clip.labels,
        )


def _cells(row: ClipRow) -> tuple[object, ...]:
    """Format a row of `clips.csv`, in the order of its columns."""
    target = " ".join(f"{value:g}" for value in row.target)
    numbers = (row.frames, f"{row.fps:.6g}", f"{row.start:.6g}")
    cells = (row.key, row.path, row.subject, row.group, target, *numbers, row.crop, row.checksum)
    return (*cells, *row.listed.cells(), row.labels.name_of(row.target), row.labels.text())


def _clip_row(cells: dict[str, str]) -> ClipRow:
    """Parse a row of `clips.csv`."""
    return ClipRow(
        key=cells["key"],
        path=cells["path"],
        subject=cells["subject"],
        group=cells["group"],
        target=tuple(float(value) for value in cells["target"].split()),
        frames=int(cells["frames"]),
        fps=float(cells["fps"]),
        start=float(cells["start"]),
        crop=cells["crop"],
        # Earlier versions wrote none of these.
        checksum=cells.get("checksum") or "",
        listed=Listed.of_row(cells),
        labels=LabelNames.of_text(cells.get("labels") or ""),
    )


def _write_quality(path: Path, videos: Iterable[tuple[Clip, CroppedVideo]]) -> None:
    """Write `quality.parquet`."""
    rows = [
        {"key": key, "frames": cropped.frames, **asdict(cropped.quality)}
        for key, _, cropped in _keyed_clips(videos)
    ]
    kinds = {"key": pa.string(), **dict.fromkeys(_COUNTS, pa.int64())}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in QUALITY_COLUMNS])
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()
