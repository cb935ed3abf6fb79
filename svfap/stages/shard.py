"""Stage `shard`: pack the face clips of one part into WebDataset tars with an index."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from svfap.config import ShardConfig
from svfap.faces.clip_tables import ClipRow, face_clip, read_clips
from svfap.progress import track
from svfap.shards.writer import Sample, write_shards
from svfap.tracking.stage_run import Log
from svfap.video.facevideo import read_jpegs


def run(config: ShardConfig, *, clips: Path, output: Path, log: Log) -> None:
    """Pack the frames of every face clip into shards; JPEGs are copied without decoding them.

    Args:
        config: size of a shard and format of its frames.
        clips: `clips.csv` of the stage `crop`.
        output: `index.parquet`; the tars are written beside it, and links to them in `tars`.
        log: function that takes metrics.

    Raises:
        SvfapError: a face clip cannot be read.
    """
    rows = read_clips(clips)
    output.parent.mkdir(parents=True, exist_ok=True)
    samples = track(_samples(rows, clips), total=len(rows), label=f"shard {output.parent.name}")
    count = write_shards(
        output, samples, max_bytes=config.max_megabytes * 10**6, form=config.format
    )
    size = sum(tar.stat().st_size for tar in output.parent.glob("*.tar"))
    log({"clips": count, "megabytes": size / 1e6})


def _samples(rows: Sequence[ClipRow], clips: Path) -> Iterator[tuple[Sample, list[bytes]]]:
    """Yield the face clips of a `clips.csv` in its order."""
    for row in rows:
        sample = Sample(
            key=row.key,
            group=row.group,
            subject=row.subject,
            target=row.target,
            fps=row.fps,
            crop=row.crop,
            labels=row.labels,
        )
        yield sample, read_jpegs(face_clip(clips, row.path), row.checksum)
