"""The index of a part's shards: `index.parquet`, a row per clip."""

import json
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.video.sampling import Indices

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("group", pa.string()),
        ("subject", pa.string()),
        ("target", pa.list_(pa.float32())),
        ("fps", pa.float32()),
        ("format", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("shard", pa.string()),
        ("shard_bytes", pa.int64()),
        ("offset", pa.int64()),  # position of the first frame's content in the tar
        ("header", pa.int32()),  # size in bytes of the tar headers before each frame's content
        ("sizes", pa.list_(pa.int32())),  # size in bytes of each frame's content, without padding
        ("checksums", pa.list_(pa.uint32())),  # CRC-32 of each frame's content
    ]
)


class PerFrame(NamedTuple):
    """One number per frame, for all rows one after another.

    Attributes:
        values: the numbers.
        ends: for each row, the position after its last frame in `values`.
    """

    values: NDArray[Any]
    ends: Indices

    def of(self, row: int) -> NDArray[Any]:
        """Return the numbers of the frames of one row."""
        return self.values[self.ends[row - 1] if row else 0 : self.ends[row]]


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
    # Many clips share a shard: check each shard once.
    for row in table.group_by(["shard", "shard_bytes"]).aggregate([]).to_pylist():
        shard = path.parent / row["shard"]
        if not shard.is_file() or shard.stat().st_size != row["shard_bytes"]:
            raise SvfapError(f"{shard}: missing or cut short; delete {path} and run again")
    return table


def read_crop_settings(shard: Path) -> dict[str, Any]:
    """Return the settings that the first clip of a shard was cropped with; empty if unknown.

    All clips of a shard come from one run of the stage `crop`, so the settings of the first clip
    apply to all.
    """
    with tarfile.open(shard) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first else None
        text = json.load(file)["crop"] if file else ""
    settings: dict[str, Any] = json.loads(text) if text else {}
    return settings


def per_frame(table: pa.Table, column: str) -> PerFrame:
    """Return a column of lists, such as `sizes`, as flat arrays."""
    lists = table[column].combine_chunks()
    ends = np.cumsum(lists.value_lengths().to_numpy(), dtype=np.int64)
    return PerFrame(lists.flatten().to_numpy(), ends)
