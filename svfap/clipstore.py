"""Random access to the clips of shards, by their indexes."""

import copy
import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.shards import SCHEMA
from svfap.video import pixels

SKIPPED = 32 * 1024  # reading over so many bytes is cheaper than a second call


class ClipStore:
    """Random access to the clips of several indexes.

    What lies in memory are a few flat arrays, which loader processes share; a million clips of two
    hundred frames take 1.6 GB.

    Raises:
        SvfapError: an index is unreadable, or a shard is missing or not of the indexed size.
    """

    def __init__(self, indexes: Sequence[Path]) -> None:
        cv2.setNumThreads(1)  # pictures are small, and loader processes are forked
        tables = [_open(index) for index in indexes]
        table = pa.concat_tables(tables)
        if not len(table):
            raise SvfapError(f"no clips in {', '.join(map(str, indexes))}; see the rejects.csv")
        self._columns = table.drop_columns(["sizes", "checksums"])
        self._folder = np.repeat([index.parent for index in indexes], [len(t) for t in tables])
        self._places = np.stack(
            [table[name].to_numpy() for name in ("offset", "header", "height", "width")], axis=1
        )
        sizes = table["sizes"].combine_chunks()
        self._ends = np.cumsum(sizes.value_lengths().to_numpy(), dtype=np.int64)
        self._sizes = sizes.flatten().to_numpy()
        self._checksums = table["checksums"].combine_chunks().flatten().to_numpy()
        self._rows = np.arange(len(table))
        self._files: dict[Path, int] = {}

    def take(self, clips: NDArray[np.int64]) -> "ClipStore":
        """A store of some of the clips, in the given order."""
        part = copy.copy(self)
        part._rows = self._rows[clips]
        for name in ("keys", "groups", "subjects", "targets"):
            part.__dict__.pop(name, None)
        return part

    @cached_property
    def keys(self) -> list[str]:
        """Name of each clip."""
        return self._strings("key")

    @cached_property
    def groups(self) -> list[str]:
        """What each clip is scored with."""
        return self._strings("group")

    @cached_property
    def subjects(self) -> list[str]:
        """Who is seen in each clip."""
        return self._strings("subject")

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """Targets of the clips, (clips, n)."""
        column = self._columns["target"].combine_chunks()
        values: NDArray[np.float32] = column.flatten().to_numpy().reshape(len(column), -1)
        return values[self._rows]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def crop(self) -> dict[str, Any]:
        """How the clips were cropped: the settings that all shards have in common."""
        shards = dict.fromkeys(zip(self._folder[self._rows], self._strings("shard"), strict=True))
        settings = [_crop_of(folder / name) for folder, name in shards]
        return {
            key: value
            for key, value in settings[0].items()
            if all(key in other and other[key] == value for other in settings)
        }

    @property
    def fps(self) -> float:
        """Frames per second of the clips, the median."""
        return float(np.median(self._columns["fps"].to_numpy()[self._rows]))

    def length(self, clip: int) -> int:
        """Number of frames of a clip."""
        return len(self._of(clip, self._sizes))

    def size(self, clip: int) -> tuple[int, int]:
        """Height and width of a clip's frames in pixels."""
        _, _, height, width = self._places[self._rows[clip]].tolist()
        return height, width

    def frames(
        self,
        clip: int,
        indices: Sequence[int] | NDArray[np.int64],
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Decode the chosen frames of a clip, RGB uint8 (T, H, W, 3), into `out` if it is given.

        Raises:
            SvfapError: one of them is damaged.
        """
        wanted, places = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
        form, size = self._value("format", clip), self.size(clip)
        sums = self._of(clip, self._checksums)[wanted]
        frames = np.empty((len(indices), *size, 3), np.uint8) if out is None else out
        for number, data in enumerate(self._read(clip, wanted)):
            try:
                if (
                    form == "jpeg" and zlib.crc32(data) != sums[number]
                ):  # for raw, as dear as reading
                    raise ValueError("it has changed")
                frames[places == number] = pixels.decode(data, form, size)
            except ValueError:
                raise SvfapError(
                    f"{self._shard(clip)}: frame {wanted[number]} of {self._value('key', clip)} is"
                    f" damaged; delete {self._shard(clip).with_name('index.parquet')} and run again"
                ) from None
        return frames

    def _read(self, clip: int, wanted: NDArray[np.int64]) -> Iterator[memoryview]:
        """The bytes of frames in ascending order, in as few reads as are worth it."""
        sizes = self._of(clip, self._sizes)
        first, header, _, _ = self._places[self._rows[clip]]
        blocks = -(-sizes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        steps = np.cumsum(blocks + header, dtype=np.int64)
        starts = first + np.where(wanted, steps[wanted - 1], 0)
        ends = starts + sizes[wanted]
        file = self._file(self._shard(clip))
        gaps = np.flatnonzero(starts[1:] - ends[:-1] > SKIPPED) + 1
        for group in np.split(np.arange(len(wanted)), gaps):
            start = int(starts[group[0]])
            data = memoryview(os.pread(file, int(ends[group[-1]]) - start, start))
            for n in group:
                yield data[starts[n] - start : ends[n] - start]

    def _of(self, clip: int, values: NDArray[Any]) -> NDArray[Any]:
        """A clip's part of what is known of all frames."""
        row = self._rows[clip]
        return values[self._ends[row - 1] if row else 0 : self._ends[row]]

    def _strings(self, column: str) -> list[str]:
        found: list[str] = self._columns[column].take(self._rows).to_pylist()
        return found

    def _value(self, column: str, clip: int) -> Any:  # noqa: ANN401
        return self._columns[column][self._rows[clip]].as_py()

    def _shard(self, clip: int) -> Path:
        folder: Path = self._folder[self._rows[clip]]
        return folder / str(self._value("shard", clip))

    def _file(self, shard: Path) -> int:
        if shard not in self._files:
            self._files[shard] = os.open(shard, os.O_RDONLY)
        return self._files[shard]


def _open(index: Path) -> pa.Table:
    """An index whose shards are there."""
    try:
        table = pq.read_table(index, schema=SCHEMA, page_checksum_verification=True)
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise SvfapError(
            f"{index}: not a shard index ({str(error).splitlines()[0]}); delete it and run again"
        ) from None
    if any(column.null_count for column in table.columns):
        raise SvfapError(f"{index}: of an earlier version; delete it and run again")
    for row in table.group_by(["shard", "shard_bytes"]).aggregate([]).to_pylist():
        shard = index.parent / row["shard"]
        if not shard.is_file() or shard.stat().st_size != row["shard_bytes"]:
            raise SvfapError(f"{shard}: missing or cut short; delete {index} and run again")
    return table


def _crop_of(shard: Path) -> dict[str, Any]:
    """How the first clip of a shard was cropped; empty where that was not written down."""
    with tarfile.open(shard) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first else None
        text = json.load(file)["crop"] if file else ""
    settings: dict[str, Any] = json.loads(text) if text else {}
    return settings
