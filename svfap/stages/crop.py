"""Stage `crop`: the raw videos of one part become face clips.

Beside `clips.csv` lie `faces/<key>.mkv`, each clip as Motion JPEG, and `faces/<key>.json`, what is
known of it. A clip that is there already, made with the same settings from the same video, is not
made again. A video without a usable face is named in `rejects.csv` with the reason.
"""

import csv
import io
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from av.error import FFmpegError

from svfap.config import CropConfig
from svfap.datasets.base import Clip, read_manifest
from svfap.errors import SvfapError
from svfap.faces.cropping import FaceVideo, crop_video
from svfap.faces.detect import Detector
from svfap.faces.detectors import make_detector
from svfap.faces.record import (
    Record,
    file_stem,
    fingerprint,
    read_record,
    write_record,
    write_text,
)
from svfap.progress import track
from svfap.video.decode import Reject
from svfap.video.facevideo import encode_jpeg, write_face_video

logger = logging.getLogger(__name__)

CLIP_COLUMNS = (
    "key", "path", "subject", "group", "target", "frames", "fps",
    "detection_rate", "score", "face_size", "jitter",
)  # fmt: skip
REJECT_COLUMNS = ("key", "path", "reason")


def run(
    config: CropConfig, *, manifest: Path, part: str, output: Path, log: Callable[..., None]
) -> None:
    """Crop the clips of one part.

    Args:
        config: how to detect, align and crop.
        manifest: CSV of the dataset's clips, see `svfap.datasets.base`.
        part: the part to crop.
        output: `clips.csv`, the table of face clips; everything else is written beside it.
        log: takes metrics as a mapping from name to value.

    Raises:
        SvfapError: the part has no clips, too many videos are rejected, weights of the detector
            are missing, or the folder cannot be written.
    """
    cv2.setNumThreads(1)
    clips = _clips(manifest, part)
    detector = make_detector(config)
    faces = output.parent / "faces"
    began = time.monotonic()
    records: list[Record] = []
    try:
        faces.mkdir(parents=True, exist_ok=True)
        for clip in track(clips, total=len(clips), label=f"crop {part}"):
            records.append(_crop(clip, config, detector, faces))
        done = list(zip(clips, records, strict=True))
        write_text(output.with_name("rejects.csv"), _rejects_table(done))
        write_text(output, _clips_table(done))
    except (OSError, FFmpegError) as error:
        raise SvfapError(
            f"{output.parent}: cannot be written ({error.strerror}); make room or choose another "
            "folder with the key `data`"
        ) from None
    log(_metrics(records) | {"seconds": time.monotonic() - began})
    _judge(records, config, output.with_name("rejects.csv"))


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


def _crop(clip: Clip, config: CropConfig, detector: Detector, faces: Path) -> Record:
    """The record of one clip, which is made unless it is there already."""
    video = faces / f"{file_stem(clip.key)}.mkv"
    sidecar = video.with_name(f"{file_stem(clip.key)}.json")
    mark = fingerprint(config, clip.path)
    record = read_record(sidecar)
    if record and record.fingerprint == mark and (record.reject or video.is_file()):
        return record
    sidecar.unlink(missing_ok=True)
    try:
        face_video = crop_video(clip.path, config, detector)
        frames = _write(video, face_video, quality=config.quality)
        record = Record(mark, frames, face_video.fps, face_video.quality)
    except Reject as reject:
        logger.warning("%s rejected: %s", clip.path, reject)
        video.unlink(missing_ok=True)
        record = Record(mark, reject=str(reject))
    write_record(sidecar, record)
    return record


def _write(path: Path, face_video: FaceVideo, *, quality: int) -> int:
    """Write a face clip, whole or not at all; return its number of frames."""
    partial = path.with_name(path.name + ".partial")
    jpegs = (encode_jpeg(image, quality=quality) for image in face_video.images())
    frames = write_face_video(partial, jpegs, fps=face_video.fps, size=face_video.size)
    partial.replace(path)
    return frames


def _clips_table(done: Iterable[tuple[Clip, Record]]) -> str:
    """`clips.csv`: one row per face clip, in the manifest's order."""
    rows: list[Sequence[object]] = []
    for clip, record in done:
        if record.quality is not None:
            rows.append((
                clip.key,
                f"faces/{file_stem(clip.key)}.mkv",
                clip.subject,
                clip.group or clip.key,
                " ".join(f"{value:g}" for value in clip.target),
                record.frames,
                f"{record.fps:.6g}",
                *(f"{value:.4g}" for value in asdict(record.quality).values()),
            ))  # fmt: skip
    return _csv(CLIP_COLUMNS, rows)


def _rejects_table(done: Iterable[tuple[Clip, Record]]) -> str:
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


def _metrics(records: Sequence[Record]) -> dict[str, float]:
    """Counts, and means over the face clips."""
    kept = [asdict(record.quality) for record in records if record.quality]
    means = {name: float(np.mean([row[name] for row in kept])) for name in (kept or [{}])[0]}
    frames = float(sum(record.frames for record in records))
    return {
        "clips": float(len(kept)),
        "rejects": float(len(records) - len(kept)),
        "frames": frames,
    } | means


def _judge(records: Sequence[Record], config: CropConfig, table: Path) -> None:
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
