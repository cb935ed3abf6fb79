"""Stage `crop`: turn the raw videos of one part into face clips.

The stage also writes, beside `clips.csv`: `quality.parquet`, a row of figures per clip; `raw.json`,
size and date of the raw videos;
`faces/<key>.mkv`, each clip as Motion JPEG; `faces/<key>.json`, the outcome for each video;
`rejects.csv`, the videos without a usable face, with the reason. `face_clips` is a link to the
folder `faces`, see `svfap.replacing`. A video that was cropped with the
same settings is not cropped again. With `speaker: all`, the second clip of a video has the key
`<key>~2`, and so on; the clips of a video are one group.
"""

import logging
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from svfap.config import CropConfig
from svfap.datasets import raw_videos
from svfap.datasets.collect import read_failed
from svfap.datasets.dataset import Clip, read_manifest
from svfap.datasets.raw_state import RawState, raw_state_path
from svfap.errors import SvfapError
from svfap.experiment import kept, layout
from svfap.faces.clip_tables import quality_path, rejects_path, write_tables
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.faces.cropped_video import CroppedVideo, file_stem
from svfap.overwriting import keep_inputs
from svfap.progress import track
from svfap.replacing import FACES_FOLDER, link

logger = logging.getLogger(__name__)
NAMES_SHOWN = 5
FACES = "faces"
REJECTED = "too_many_rejects.csv"


def run(
    config: CropConfig,
    *,
    manifest: Path,
    part: str,
    output: Path,
    workers: int,
    raw: str = "date:",
    log: Callable[..., None],
) -> None:
    """Crop the clips of one part.

    Args:
        config: how to detect, align and crop; without a preset, "auto" applies.
        manifest: CSV of the dataset's clips, see `svfap.datasets.dataset`.
        part: the part to crop.
        output: `clips.csv`, the table of face clips; everything else is written beside it.
        workers: number of processes; the result does not depend on it.
        raw: token of the raw videos, see `svfap.datasets.raw_state`.
        log: function that takes metrics as a mapping from name to value.

    Raises:
        SvfapError: the manifest is missing or lists no such part, a key occurs twice, the folder
            cannot be written, weights of the detector are missing, or too many videos are rejected.
    """
    clips = _read_part(manifest, part)
    config = config.model_copy(update={"preset": config.preset or "auto"})
    faces = kept.folder(output) / FACES
    began = time.monotonic()
    declared, links = output.with_name(FACES_FOLDER), layout.videos_of(manifest)
    jobs = [VideoToCrop(clip.key, raw_videos.video_of(clip, links)) for clip in clips]
    sources = _sources(clips, jobs)
    _compare(RawState.read(raw_state_path(output)), sources, manifest)
    # A video that is replaced from here on is cropped by the next run.
    state = RawState.of(sources, raw, cut=any(clip.source for clip in clips))
    with _explained(output.parent):
        _begin(faces, declared)
        keep_inputs([manifest, *(job.path for job in jobs)], _outputs(output, faces, jobs))
        cropped = crop_videos(jobs, config, folder=faces, workers=workers)
        outcomes = _log_rejects(jobs, cropped, read_failed(raw_videos.failed_list(manifest, links)))
        videos = list(track(outcomes, total=len(jobs), label=f"crop {part}"))
        state.write(raw_state_path(output))
        write_tables(output, list(zip(clips, videos, strict=True)), config)
        _finish(faces, declared, keep=config.keep)
    log(_metrics(videos) | {"seconds": time.monotonic() - began})
    _check_rejects(videos, config, rejects_path(output), faces.with_name(REJECTED))


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn an error of writing into one line."""
    try:
        yield
    except (OSError, FFmpegError) as error:
        # PyAV's errors are OSErrors only where FFmpeg reports an error number of the system.
        raise SvfapError(
            f"{folder}: cannot be written ({error.strerror}); make room or choose another "
            "folder with the key `data`"
        ) from None


def _sources(clips: Sequence[Clip], jobs: Sequence[VideoToCrop]) -> dict[Path, None]:
    """Return the raw videos on this machine; a copy that has travelled has a date of its own."""
    here = [clip for clip, job in zip(clips, jobs, strict=True) if job.path == clip.path]
    return dict.fromkeys(clip.source or clip.path for clip in here)


def _begin(faces: Path, declared: Path) -> None:
    """Make the folder of face clips, or find the one that a run without `crop.keep` has left."""
    if declared.is_dir() and not declared.is_symlink() and not faces.exists():
        shutil.move(declared, faces)
    faces.mkdir(parents=True, exist_ok=True)


def _finish(faces: Path, declared: Path, *, keep: bool) -> None:
    """Declare the face clips: by a link, or as a folder that Snakemake will delete."""
    if keep:
        link(declared, faces)
    else:
        declared.unlink(missing_ok=True)
        shutil.move(faces, declared)


def _read_part(manifest: Path, part: str) -> list[Clip]:
    """Return the clips of a part.

    Raises:
        SvfapError: the manifest is missing, the part has no clips, or two have the same key.
    """
    try:
        clips = list(read_manifest(manifest, part))
    except FileNotFoundError:
        raise SvfapError(f"{manifest}: no such file; run the stage `download` first") from None
    if not clips:
        raise SvfapError(f"{manifest}: no clip belongs to part '{part}'; check the part's name")
    key, count = Counter(clip.key for clip in clips).most_common(1)[0]
    if count > 1:
        raise SvfapError(f"{manifest}: key '{key}' occurs {count} times; keys must be unique")
    return clips


def _compare(earlier: RawState | None, sources: Collection[Path], manifest: Path) -> None:
    """Log which videos changed since the last crop; raise if one that is still listed is gone."""
    if earlier is None:
        return
    if gone := [path for path in earlier.gone() if Path(path) in sources]:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise SvfapError(
            f"{gone[0]}{more}: cropped earlier and gone now; bring it back, take it off the list of"
            f" {manifest.parent.name}, or keep its crops with datasets.{manifest.parent.name}"
            ".changed_by: never"
        )
    if changed := earlier.changed():
        logger.info("%d raw videos changed: %s", len(changed), ", ".join(changed[:NAMES_SHOWN]))


def _outputs(clips: Path, faces: Path, jobs: Iterable[VideoToCrop]) -> Iterator[Path]:
    """Yield the tables, and for each video the files of its first clip."""
    yield from (clips, rejects_path(clips), quality_path(clips))
    for job in jobs:
        stem = faces / file_stem(job.key)
        yield from (stem.with_name(stem.name + suffix) for suffix in (".mkv", ".json"))


def _log_rejects(
    jobs: Sequence[VideoToCrop], videos: Iterable[CroppedVideo], failed: Mapping[str, str]
) -> Iterator[CroppedVideo]:
    """Yield the outcomes, and log a warning for each reject as it passes.

    A video that could not be downloaded or cut has no file; `failed` knows the reason.
    """
    for job, video in zip(jobs, videos, strict=True):
        if video.reject:
            reason = failed.get(job.key, video.reject)
            logger.warning("%s rejected: %s", job.path, reason)
            yield replace(video, reject=reason)
        else:
            yield video


def _metrics(videos: Sequence[CroppedVideo]) -> dict[str, float]:
    """Return counts, and means of the figures over the face clips."""
    clips = [clip for video in videos for clip in video.clips]
    figures = [asdict(clip.quality) for clip in clips]
    means = {name: float(np.mean([row[name] for row in figures])) for name in (figures or [{}])[0]}
    return {
        "clips": float(len(clips)),
        "rejects": float(sum(bool(video.reject) for video in videos)),
        "frames": float(sum(clip.frames for clip in clips)),
    } | means


def _check_rejects(
    videos: Sequence[CroppedVideo], config: CropConfig, table: Path, kept_table: Path
) -> None:
    """Raise if more videos were rejected than `crop.max_rejects` allows, or all of them.

    Snakemake deletes the table of a job that fails, so the user gets a copy.
    """
    reasons = [video.reject for video in videos if video.reject]
    if len(reasons) <= config.max_rejects * len(videos) and len(reasons) < len(videos):
        return
    shutil.copyfile(table, kept_table)
    advice = "fix or remove these videos"
    if len(reasons) < len(videos):
        advice += f" or raise crop.max_rejects (now {config.max_rejects:g})"
    kind, count = Counter(map(_kind, reasons)).most_common(1)[0]
    example = next(reason for reason in reasons if _kind(reason) == kind)
    raise SvfapError(
        f"{len(reasons)} of {len(videos)} videos rejected, {count} of them like this: {example}; "
        f"see {kept_table}, then {advice}"
    )


def _kind(reason: str) -> str:
    """Replace the numbers in a reason, so that "3 frames" and "5 frames" count as one kind."""
    return re.sub(r"\d+", "#", reason)
