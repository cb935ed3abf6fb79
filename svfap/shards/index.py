"""The index of a part's shards: `index.parquet`, a row per clip."""

import json
import os
import tarfile
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.replacing import TARS_FOLDER, here

FRAME_NUMBER = np.dtype("<u4")  # of the columns `sizes` and `checksums`
READERS = 8  # indexes read at once; each takes a core and waits for the disk

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("group", pa.string()),
        ("subject", pa.string()),
        ("target", pa.list_(pa.float32())),
        ("fps", pa.float32()),
        ("format", pa.string()),  # layout of the frames, see `svfap.shards.frame_format.BLOCKS`
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("shard", pa.string()),
        ("shard_bytes", pa.int64()),
        ("offset", pa.int64()),  # position of the first frame's content in the tar
        ("header", pa.int32()),  # size in bytes of the headers before each other frame's content
        # One number per frame, as its four bytes: Arrow reads lists of numbers at half the speed.
        ("sizes", pa.binary()),  # size in bytes of each frame's content, without padding
        ("checksums", pa.binary()),  # CRC-32 of each frame's content; empty for raw frames
    ]
)
LABELS = "svfap.labels"  # key of the record of the labels, as JSON, in the file's metadata


def written_schema(rows: Sequence[Mapping[str, object]]) -> pa.Schema:
    """Return the schema of an index: `SCHEMA`, the clips' class names, and what labels mean.

    Nothing here reads what it adds; other programs do.

    Args:
        rows: the clips of one dataset, with a column `labels`.
    """
    metadata = {LABELS: json.dumps(rows[0]["labels"])} if rows else None
    return SCHEMA.append(pa.field("label", pa.string())).with_metadata(metadata)


class PerFrame:
    """A column with one number per frame in each row, such as `sizes`.

    A million clips have 200 million frames. So the numbers stay where Arrow has read them: one
    chunk or more for each index, without a copy.
    """

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._chunks = [chunk for chunk in column.chunks if len(chunk)]
        self._first_rows = [0, *np.cumsum([len(chunk) for chunk in self._chunks]).tolist()]

    def of(self, row: int) -> NDArray[np.uint32]:
        """Return the numbers of the frames of one row."""
        chunk = bisect_right(self._first_rows, row) - 1
        numbers = self._chunks[chunk][row - self._first_rows[chunk]].as_buffer()
        return np.frombuffer(numbers, FRAME_NUMBER)


def read_indexes(paths: Sequence[Path]) -> list[pa.Table]:
    """Read several indexes at once and check that their shards exist.

    Raises:
        SvfapError: an index is unreadable, or a shard is missing or not of the indexed size.
    """
    usual = pa.default_memory_pool()
    # Millions of clips take gigabytes: the kernel hands them to Arrow's own allocator at a third
    # of the speed.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(read_index, paths))
    finally:
        pa.set_memory_pool(usual)


def read_index(path: Path) -> pa.Table:
    """Read an index and check that its shards exist.

    Raises:
        SvfapError: the index is unreadable, or a shard is missing or not of the indexed size.
    """
    try:
        table = pq.read_table(path, schema=SCHEMA, page_checksum_verification=True)
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise SvfapError(
            f"{path}: not a shard index ({str(error).splitlines()[0]}); delete it and run again"
        ) from None
    # pyarrow fills columns of `schema` that the file lacks with nulls. Stages write no nulls.
    if any(column.null_count for column in table.columns):
        raise SvfapError(f"{path}: written by an earlier version; delete it and run again")
    # Many clips share a shard: check each shard once. One listing of the folder is faster than a
    # question for each shard, above all on a network disk.
    rows = table.group_by(["shard", "shard_bytes"]).aggregate([]).to_pylist()
    folder = shard_path(path, rows[0]["shard"]).parent if rows else path.parent
    with os.scandir(folder) as entries:
        found = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    for row in rows:
        if found.get(row["shard"]) != row["shard_bytes"]:
            shard = path.parent / row["shard"]
            raise SvfapError(f"{shard}: missing or cut short; delete {path} and run again")
    return table


def shard_path(index: Path, name: str) -> Path:
    """Return where a shard is that an index names."""
    return here(index.parent / name, index.with_name(TARS_FOLDER))


def read_crop_settings(shard: Path) -> dict[str, Any]:
    """Return the settings that the first clip of a shard was cropped with; empty if unknown.

    All clips of an index come from one run of the stage `crop`, so the settings of the first clip
    of any shard apply to all.
    """
    with tarfile.open(shard) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first else None
        text = json.load(file)["crop"] if file else ""
    settings: dict[str, Any] = json.loads(text) if text else {}
    return settings
