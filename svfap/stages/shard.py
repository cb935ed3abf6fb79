"""Stage `shard`: the face clips of one part become WebDataset tars and an index."""

import csv
from collections.abc import Iterator
from pathlib import Path

from svfap.config import ShardConfig
from svfap.progress import track
from svfap.shards.writer import Sample, write_shards
from svfap.tracking.stage_run import Log
from svfap.video.facevideo import read_jpegs


def run(config: ShardConfig, *, clips: Path, output: Path, log: Log) -> None:
    """Put the frames of every face clip into shards; JPEGs are copied without decoding them.

    Args:
        config: size of a shard and form of its frames.
        clips: `clips.csv` of the stage `crop`.
        output: `index.parquet`; the tars lie beside it.
        log: takes metrics.

    Raises:
        SvfapError: a face clip cannot be read.
    """
    with clips.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    output.parent.mkdir(parents=True, exist_ok=True)
    samples = track(
        _samples(rows, clips.parent), total=len(rows), label=f"shard {output.parent.name}"
    )
    count = write_shards(
        output, samples, max_bytes=config.max_megabytes * 10**6, form=config.format
    )
    size = sum(tar.stat().st_size for tar in output.parent.glob("*.tar"))
    log({"clips": count, "megabytes": size / 1e6})


def _samples(rows: list[dict[str, str]], folder: Path) -> Iterator[tuple[Sample, list[bytes]]]:
    """The face clips listed in `clips.csv`, in its order."""
    for row in rows:
        target = tuple(float(value) for value in row["target"].split())
        known = row["key"], row["group"], row["subject"], target, float(row["fps"]), row["crop"]
        yield Sample(*known), read_jpegs(folder / row["path"])
