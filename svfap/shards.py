"""WebDataset shards with an index: tars anyone can read, random access for training.

A sample is `KEY.json` and one `KEY.NNNN.jpg` per frame. The index holds the byte range of every
frame, so that any sixteen frames of any clip are a few `pread` calls away, an epoch is exact and
a run resumes anywhere, whatever the number of workers.
"""

import copy
import io
import json
import os
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from svfap.errors import SvfapError

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("group", pa.string()),
        ("subject", pa.string()),
        ("target", pa.list_(pa.float32())),
        ("fps", pa.float32()),
        ("shard", pa.string()),
        ("shard_bytes", pa.int64()),
        ("offsets", pa.list_(pa.int64())),
        ("sizes", pa.list_(pa.int32())),
        ("checksums", pa.list_(pa.uint32())),
    ]
)


@dataclass(frozen=True)
class Sample:
    """What a shard knows of a clip beside its frames; `crop` is how it was cropped, as JSON."""

    key: str
    group: str
    subject: str
    target: tuple[float, ...]
    fps: float
    crop: str = ""


def write_shards(
    index: Path, samples: Iterable[tuple[Sample, Sequence[bytes]]], *, max_bytes: int
) -> int:
    """Write samples (metadata, JPEG frames) as tars beside `index`, the index last.

    The same samples give the same bytes. Returns the number of clips.
    """
    rows: list[dict[str, object]] = []
    tar: tarfile.TarFile | None = None
    shards: list[Path] = []
    for sample, jpegs in samples:
        if tar is None or tar.offset > max_bytes:
            if tar is not None:
                tar.close()
            shards.append(index.parent / f"{len(shards):06d}.tar")
            tar = tarfile.open(  # noqa: SIM115  (closed when full)
                f"{shards[-1]}.tmp", "w", format=tarfile.GNU_FORMAT
            )
        _add(tar, f"{sample.key}.json", json.dumps(asdict(sample)).encode())
        names = (f"{sample.key}.{number:04d}.jpg" for number in range(len(jpegs)))
        offsets = [_add(tar, name, jpeg) for name, jpeg in zip(names, jpegs, strict=True)]
        row = asdict(sample) | {"shard": shards[-1].name, "offsets": offsets}
        sums = {"sizes": [*map(len, jpegs)], "checksums": [*map(zlib.crc32, jpegs)]}
        rows.append(row | sums)
    if tar is not None:
        tar.close()
    _publish(index, shards, rows)
    return len(rows)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Append a file with no time or owner; return the offset of its content."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
    padded = -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tar.offset - padded


def _publish(index: Path, shards: Sequence[Path], rows: list[dict[str, object]]) -> None:
    """Give the finished tars their names, drop tars of an earlier run, write the index."""
    for old in set(index.parent.glob("*.tar")) - set(shards):
        old.unlink()
    for shard in shards:
        Path(f"{shard}.tmp").replace(shard)
    sizes = {shard.name: shard.stat().st_size for shard in shards}
    table = [row | {"shard_bytes": sizes[str(row["shard"])]} for row in rows]
    temporary = index.with_suffix(".tmp")
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), temporary)
    temporary.replace(index)


class ClipStore:
    """Random access to the clips of several indexes.

    Raises:
        SvfapError: an index is unreadable, or a shard is missing or not of the indexed size.
    """

    def __init__(self, indexes: Sequence[Path]) -> None:
        cv2.setNumThreads(1)  # pictures are small, and loader processes are forked
        tables = [self._open(index) for index in indexes]
        self.shards = [
            index.parent / name
            for index, table in zip(indexes, tables, strict=True)
            for name in table["shard"].to_pylist()
        ]
        self._files: dict[Path, int] = {}
        self._hold(pa.concat_tables(tables))
        if not self.keys:
            raise SvfapError(f"no clips in {', '.join(map(str, indexes))}; see the rejects.csv")

    def _hold(self, table: pa.Table) -> None:
        self.table = table
        self.keys: list[str] = table["key"].to_pylist()
        self.groups: list[str] = table["group"].to_pylist()
        self.subjects: list[str] = table["subject"].to_pylist()
        self.targets = np.asarray(table["target"].to_pylist(), dtype=np.float32)

    def take(self, clips: NDArray[np.int64]) -> "ClipStore":
        """A store of some of the clips, in the given order."""
        part = copy.copy(self)
        part.shards = [self.shards[clip] for clip in clips]
        part._hold(self.table.take(clips))
        return part

    def __len__(self) -> int:
        return len(self.keys)

    def length(self, clip: int) -> int:
        """Number of frames of a clip."""
        return len(self.table["sizes"][clip])

    def frames(self, clip: int, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Decode the chosen frames of a clip, RGB uint8 (T, H, W, 3)."""
        offsets, sizes, checksums = (
            self.table[name][clip].values for name in ("offsets", "sizes", "checksums")
        )
        shard = self.shards[clip]
        file = self._file(shard)
        decoded: dict[int, NDArray[np.uint8]] = {}
        for i in {int(i) for i in indices}:
            data = os.pread(file, sizes[i].as_py(), offsets[i].as_py())
            if zlib.crc32(data) != checksums[i].as_py():
                raise SvfapError(
                    f"{shard}: frame {i} of {self.keys[clip]} is damaged; delete"
                    f" {shard.with_name('index.parquet')} and run again"
                )
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
            decoded[i] = image  # type: ignore[assignment]
        return np.stack([decoded[int(i)] for i in indices])

    def _file(self, shard: Path) -> int:
        if shard not in self._files:
            self._files[shard] = os.open(shard, os.O_RDONLY)
        return self._files[shard]

    @staticmethod
    def _open(index: Path) -> pa.Table:
        try:
            table = pq.read_table(index, schema=SCHEMA)
        except (OSError, pa.ArrowInvalid) as error:
            reason = str(error).splitlines()[0]
            raise SvfapError(
                f"{index}: not a shard index ({reason}); delete it and run again"
            ) from None
        if table["checksums"].null_count:
            raise SvfapError(f"{index}: of an earlier version; delete it and run again")
        for name, size in {
            *zip(table["shard"].to_pylist(), table["shard_bytes"].to_pylist(), strict=True)
        }:
            shard = index.parent / name
            if not shard.is_file() or shard.stat().st_size != size:
                raise SvfapError(f"{shard}: missing or cut short; delete {index} and run again")
        return table
