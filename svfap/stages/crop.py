"""Stage `crop`: the raw videos of one part become face clips.

Beside `clips.csv` lie `quality.parquet`, a row of figures for each clip, `faces/<key>.mkv`, each
clip as Motion JPEG, and `faces/<key>.json`, what is known of a video. A video that was cropped with
the same settings is not cropped again; one without a usable face is named in `rejects.csv` with the
reason. With `speaker: all`, the second clip of a video is called `<key>~2`, and so on; the clips of
a video are one group.
"""

import csv
import io
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from av.error import FFmpegError

from svfap.config import CropConfig
from svfap.datasets.dataset import Clip, read_manifest
from svfap.errors import SvfapError
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.faces.cropped_video import (
    NOT_OF_ONE_CLIP,
    CroppedClip,
    CroppedVideo,
    clip_name,
    file_stem,
    write_text,
)
from svfap.faces.quality import Quality
from svfap.progress import track
from svfap.replacing import replacing

logger = logging.getLogger(__name__)

CLIP_COLUMNS = (
    "key", "path", "subject", "group", "target", "frames", "fps", "start", "crop",
)  # fmt: skip
REJECT_COLUMNS = ("key", "path", "reason")
QUALITY_COLUMNS = ("key", "frames", *(field.name for field in fields(Quality)))
COUNTS = ("frames", "cuts", "people")


def run(
    config: CropConfig,
    *,
    manifest: Path,
    part: str,
    output: Path,
    workers: int,
    log: Callable[..., None],
) -> None:
    """Crop the clips of one part.

    Args:
        config: how to detect, align and crop; without a preset, "auto".
        manifest: CSV of the dataset's clips, see `svfap.datasets.dataset`.
        part: the part to crop.
        output: `clips.csv`, the table of face clips; everything else is written beside it.
        workers: processes; the result does not depend on their number.
        log: takes metrics as a mapping from name to value.

    Raises:
        SvfapError: the part has no clips, too many videos are rejected, weights of the detector
            are missing, or the folder cannot be written.
    """
    config = config.model_copy(update={"preset": config.preset or "auto"})
    clips = _clips(manifest, part)
    faces = output.parent / "faces"
    began = time.monotonic()
    try:
        faces.mkdir(parents=True, exist_ok=True)
        jobs = [VideoToCrop(clip.key, clip.path) for clip in clips]
        cropped = crop_videos(jobs, config, folder=faces, workers=workers)
        records = list(track(_told(jobs, cropped), total=len(jobs), label=f"crop {part}"))
        done = list(zip(clips, records, strict=True))
        write_text(output.with_name("rejects.csv"), _rejects_table(done))
        _write_quality(output.with_name("quality.parquet"), done)
        write_text(output, _clips_table(done, config))
    except (OSError, FFmpegError) as error:
        raise SvfapError(
            f"{output.parent}: cannot be written ({error.strerror}); make room or choose another "
            "folder with the key `data`"
        ) from None
    log(_metrics(records) | {"seconds": time.monotonic() - began})
    _judge(records, config, output.with_name("rejects.csv"))


def _told(jobs: Sequence[VideoToCrop], records: Iterable[CroppedVideo]) -> Iterator[CroppedVideo]:
    """The records; rejects are told as they come."""
    for job, record in zip(jobs, records, strict=True):
        if record.reject:
            logger.warning("%s rejected: %s", job.path, record.reject)
        yield record


def _clips(manifest: Path, part: str) -> list[Clip]:
    """The clips of a part, their keys checked."""
    try:
        clips = list(read_manifest(manifest, part))
    except FileNotFoundError:
        raise SvfapError(f"{manifest}: no such file; run the stage `download` first") from None
    if not clips:
        raise SvfapError(f"{manifest}: no clip belongs to part '{part}'; check the part's name")
    key, count = Counter(clip.key for clip in clips).most_common(1)[0]
    if count > 1:
        raise SvfapError(f"{manifest}: key '{key}' stands there {count} times; keys must be unique")
    return clips


def _named(done: Iterable[tuple[Clip, CroppedVideo]]) -> Iterator[tuple[str, Clip, CroppedClip]]:
    """Every face clip with its key, in the manifest's order."""
    for clip, record in done:
        for number, made in enumerate(record.clips):
            yield clip_name(clip.key, number), clip, made


def _clips_table(done: Iterable[tuple[Clip, CroppedVideo]], config: CropConfig) -> str:
    """`clips.csv`: one row per face clip."""
    crop = json.dumps(config.model_dump(mode="json", exclude=NOT_OF_ONE_CLIP))
    rows = [
        (
            key,
            f"faces/{file_stem(key)}.mkv",
            clip.subject,
            clip.group or clip.key,
            " ".join(f"{value:g}" for value in clip.target),
            made.frames,
            f"{made.fps:.6g}",
            f"{made.start:.6g}",
            crop,
        )
        for key, clip, made in _named(done)
    ]
    return _csv(CLIP_COLUMNS, rows)


def _write_quality(path: Path, done: Iterable[tuple[Clip, CroppedVideo]]) -> None:
    """`quality.parquet`: one row per face clip."""
    rows = [
        {"key": key, "frames": made.frames, **asdict(made.quality)} for key, _, made in _named(done)
    ]
    kinds = {"key": pa.string(), **dict.fromkeys(COUNTS, pa.int64())}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in QUALITY_COLUMNS])
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), partial)


def _rejects_table(done: Iterable[tuple[Clip, CroppedVideo]]) -> str:
    """`rejects.csv`: one row per video that gave no face clip."""
    return _csv(
        REJECT_COLUMNS,
        [(clip.key, clip.path, record.reject) for clip, record in done if record.reject],
    )


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue()


def _metrics(records: Sequence[CroppedVideo]) -> dict[str, float]:
    """Counts, and means over the face clips."""
    kept = [made for record in records for made in record.clips]
    rows = [asdict(made.quality) for made in kept]
    means = {name: float(np.mean([row[name] for row in rows])) for name in (rows or [{}])[0]}
    return {
        "clips": float(len(kept)),
        "rejects": float(sum(bool(record.reject) for record in records)),
        "frames": float(sum(made.frames for made in kept)),
    } | means


def _judge(records: Sequence[CroppedVideo], config: CropConfig, table: Path) -> None:
    """Refuse to go on with too few videos."""
    reasons = [record.reject for record in records if record.reject]
    if len(reasons) <= config.max_rejects * len(records) and len(reasons) < len(records):
        return
    advice = "mend or remove these videos"
    if len(reasons) < len(records):
        advice += f" or raise crop.max_rejects (now {config.max_rejects:g})"
    kind, count = Counter(map(_kind, reasons)).most_common(1)[0]
    example = next(reason for reason in reasons if _kind(reason) == kind)
    raise SvfapError(
        f"{len(reasons)} of {len(records)} videos rejected, {count} of them like this: {example}; "
        f"see {table}, then {advice}"
    )


def _kind(reason: str) -> str:
    """A reason without its figures, so that videos rejected for the same reason are counted."""
    return re.sub(r"\d+", "#", reason)
