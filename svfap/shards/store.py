"""Random access to the clips of shards, by their indexes."""

import copy
import os
import tarfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.shards import writer
from svfap.video import pixels
from svfap.video.sampling import Indices

SKIPPED = 32 * 1024  # reading over so many bytes is cheaper than a second call
LONGEST = 256  # frames in one read, of which the system limits the parts


class ClipStore:
    """Random access to the clips of several indexes.

    What lies in memory are a few flat arrays, which loader processes share; a million clips of two
    hundred frames take 1.6 GB.

    Raises:
        SvfapError: an index is unreadable, or a shard is missing or not of the indexed size.
    """

    def __init__(self, indexes: Sequence[Path]) -> None:
        cv2.setNumThreads(1)  # pictures are small, and loader processes are forked
        tables = [writer.read_index(index) for index in indexes]
        table = pa.concat_tables(tables)
        if not len(table):
            raise SvfapError(f"no clips in {', '.join(map(str, indexes))}; see the rejects.csv")
        self._columns = table.drop_columns(["sizes", "checksums"])
        self._shards: list[Path] = []
        numbers = []
        for index, part in zip(indexes, tables, strict=True):
            names = part["shard"].combine_chunks().dictionary_encode()
            numbers.append(names.indices.to_numpy() + len(self._shards))
            self._shards += [index.parent / name for name in names.dictionary.to_pylist()]
        self._shard = np.concatenate(numbers)
        self._raw = pc.equal(table["format"], "raw").to_numpy()
        self._places = np.stack(
            [table[name].to_numpy() for name in ("offset", "header", "height", "width")], axis=1
        )
        sizes = table["sizes"].combine_chunks()
        self._ends = np.cumsum(sizes.value_lengths().to_numpy(), dtype=np.int64)
        self._sizes = sizes.flatten().to_numpy()
        self._checksums = table["checksums"].combine_chunks().flatten().to_numpy()
        self._rows = np.arange(len(table))
        self._files: dict[int, int] = {}

    def take(self, clips: Indices) -> "ClipStore":
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
        used = np.unique(self._shard[self._rows])
        settings = [writer.crop_of(self._shards[shard]) for shard in used]
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

    @property
    def largest(self) -> tuple[int, int]:
        """Height and width that every clip's frames fit in."""
        height, width = self._places[self._rows, 2:].max(axis=0).tolist()
        return height, width

    def size(self, clip: int) -> tuple[int, int]:
        """Height and width of a clip's frames in pixels."""
        _, _, height, width = self._places[self._rows[clip]].tolist()
        return height, width

    def frames(
        self,
        clip: int,
        indices: Sequence[int] | Indices,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Decode the chosen frames of a clip, RGB uint8 (T, H, W, 3), into `out` if it is given.

        Raises:
            SvfapError: one of them is damaged.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        new = np.diff(chosen, prepend=-1) != 0  # the last frame of a short clip comes again
        first = np.flatnonzero(new)
        shape = (len(chosen), *self.size(clip), 3)
        ready = out is not None and out.flags.c_contiguous
        frames = out if out is not None and ready else np.empty(shape, np.uint8)
        fill = self._copy if self._raw[self._rows[clip]] else self._decode
        damaged = fill(clip, chosen[first], [frames[place] for place in first])
        if damaged is not None:
            raise self._damage(clip, damaged)
        if len(first) < len(chosen):
            frames[:] = frames[first[np.cumsum(new) - 1]]
        if out is not None and not ready:
            out[:] = frames
        return frames

    def _copy(self, clip: int, wanted: Indices, pictures: Sequence[pixels.Picture]) -> int | None:
        """Read pixels to where they are wanted; return a frame that is cut short, if there is one.

        Their checksums are left alone: they take as long as reading.
        """
        starts, sizes = self._extents(clip, wanted)
        ends = starts + sizes
        begins = ends - pictures[0].nbytes
        between = memoryview(bytearray(SKIPPED))
        for group in _reads(begins, ends):
            into: list[Any] = [pictures[group[0]]]
            for n in group[1:]:
                into += [between[: begins[n] - ends[n - 1]], pictures[n]]
            begin, end = int(begins[group[0]]), int(ends[group[-1]])
            if os.preadv(self._file(clip), into, begin) < end - begin:
                return int(wanted[group[0]])
        return None

    def _decode(self, clip: int, wanted: Indices, pictures: Sequence[pixels.Picture]) -> int | None:
        """Decode JPEGs into their places; return a frame that is damaged, if there is one."""
        starts, sizes = self._extents(clip, wanted)
        sums = self._of(clip, self._checksums)[wanted]
        ends = starts + sizes
        for group in _reads(starts, ends):
            begin, end = int(starts[group[0]]), int(ends[group[-1]])
            data = memoryview(os.pread(self._file(clip), end - begin, begin))
            for n in group:
                jpeg = data[starts[n] - begin : ends[n] - begin]
                if zlib.crc32(jpeg) != sums[n] or not pixels.decode(jpeg, pictures[n]):
                    return int(wanted[n])
        return None

    def _extents(self, clip: int, wanted: Indices) -> tuple[Indices, Indices]:
        """Where frames of a clip begin in its shard, and their bytes."""
        sizes = self._of(clip, self._sizes)
        first, header, _, _ = self._places[self._rows[clip]]
        blocks = -(-sizes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        steps = np.cumsum(blocks + header, dtype=np.int64)
        return first + np.where(wanted, steps[wanted - 1], 0), sizes[wanted]

    def _of(self, clip: int, values: NDArray[Any]) -> NDArray[Any]:
        """A clip's part of what is known of all frames."""
        row = self._rows[clip]
        return values[self._ends[row - 1] if row else 0 : self._ends[row]]

    def _strings(self, column: str) -> list[str]:
        found: list[str] = self._columns[column].take(self._rows).to_pylist()
        return found

    def _damage(self, clip: int, frame: int) -> SvfapError:
        """What is said of a damaged frame."""
        row = self._rows[clip]
        shard = self._shards[self._shard[row]]
        return SvfapError(
            f"{shard}: frame {frame} of {self._columns['key'][row].as_py()} is damaged; delete"
            f" {shard.with_name('index.parquet')} and run again"
        )

    def _file(self, clip: int) -> int:
        """The opened shard that a clip is in."""
        shard = int(self._shard[self._rows[clip]])
        if shard not in self._files:
            self._files[shard] = os.open(self._shards[shard], os.O_RDONLY)
        return self._files[shard]


def _reads(starts: Indices, ends: Indices) -> list[Indices]:
    """Numbers of the frames of each read: those that lie close behind each other."""
    gaps = starts[1:] - ends[:-1]
    apart = (gaps < 0) | (gaps > SKIPPED)
    apart[LONGEST - 1 :: LONGEST] = True
    return np.split(np.arange(len(starts)), np.flatnonzero(apart) + 1)
