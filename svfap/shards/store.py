"""Random access to the clips in shards, through the indexes of the shards."""

import copy
import os
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.shards.frame_format import BLOCKS, RAW_LAYOUTS, decode_into
from svfap.shards.index import PerFrame, read_crop_settings, read_indexes, shard_path
from svfap.shards.open_files import OpenFile, opener
from svfap.video.image import Image
from svfap.video.sampling import Indices

SKIPPED = 32 * 1024  # reading this many unneeded bytes is cheaper than a second system call
# Largest number of frames in one read. `preadv` takes at most 1,024 buffers on Linux (IOV_MAX): one
# per frame, and one for the bytes between two frames.
LONGEST = 256


class ClipStore:
    """Random access to the clips of several indexes.

    A store keeps a few flat arrays in memory, and loader processes share them. Each frame takes 8
    bytes, for its size and checksum; the rest is small. A million clips of 200 frames take 1.6 GB.
    Each process keeps a limited number of shards open; see `svfap.shards.open_files`.

    Clips are numbered from 0; `take` makes a store of some of the clips, whose numbers start from 0
    again. A clip's *row* is its place in the joined indexes, the same in all such stores.

    Raises:
        SvfapError: an index is unreadable, or a shard is missing or not of the indexed size.
    """

    def __init__(self, indexes: Sequence[Path]) -> None:
        # OpenCV's threads would deadlock or compete for cores in loader processes forked later.
        cv2.setNumThreads(1)
        tables = read_indexes(indexes)
        table = pa.concat_tables(tables)
        if not len(table):
            raise SvfapError(f"no clips in {', '.join(map(str, indexes))}; see the rejects.csv")
        self._columns = table.select(["key", "group", "subject", "target", "fps"])
        self._shards: list[Path] = []
        shard_numbers = []
        for index, part in zip(indexes, tables, strict=True):
            names = part["shard"].combine_chunks().dictionary_encode()
            shard_numbers.append(names.indices.to_numpy() + len(self._shards))
            self._shards += [shard_path(index, name) for name in names.dictionary.to_pylist()]
        # These arrays have one entry per row of the index; see `svfap.shards.index.SCHEMA`.
        self._shard = np.concatenate(shard_numbers)
        layouts = table["format"].combine_chunks().dictionary_encode()
        names, numbers = layouts.dictionary.to_pylist(), layouts.indices.to_numpy()
        self._raw = np.array([name in RAW_LAYOUTS for name in names])[numbers]
        self._block = np.array([BLOCKS[name] for name in names])[numbers]
        self._offset = table["offset"].to_numpy()
        self._header = table["header"].to_numpy()
        self._height = table["height"].to_numpy()
        self._width = table["width"].to_numpy()
        self._sizes = PerFrame(table["sizes"])
        self._checksums = PerFrame(table["checksums"])
        self._rows = np.arange(len(table))  # row of each clip; `take` changes only this array
        self._open = opener(self._shards)  # function of the number of a shard

    def take(self, clips: Indices) -> "ClipStore":
        """Return a store of some of the clips, in the given order."""
        part = copy.copy(self)  # shares the arrays and the opened files
        part._rows = self._rows[clips]
        # `copy` also copied the cached properties, which belong to the old rows.
        for name in ("keys", "groups", "subjects", "targets"):
            part.__dict__.pop(name, None)
        return part

    def with_targets(self, targets: NDArray[np.float32]) -> "ClipStore":
        """Return a store of the same clips with other targets, (clips, n)."""
        changed = copy.copy(self)
        changed.__dict__["targets"] = targets  # where `cached_property` keeps its value
        return changed

    @cached_property
    def keys(self) -> list[str]:
        """Key of each clip."""
        return self._strings("key")

    @cached_property
    def groups(self) -> list[str]:
        """Group of each clip: clips of one group are scored together."""
        return self._strings("group")

    @cached_property
    def subjects(self) -> list[str]:
        """Person in each clip."""
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
        """Crop settings that are the same for all clips."""
        # The clips of an index come from one run of the stage `crop`: read one shard of each index.
        used = (self._shards[shard] for shard in np.unique(self._shard[self._rows]))
        settings = [*map(read_crop_settings, {shard.parent: shard for shard in used}.values())]
        return {k: v for k, v in settings[0].items() if all((k, v) in s.items() for s in settings)}

    @property
    def fps(self) -> float:
        """Median of the clips' frames per second."""
        return float(np.median(self._columns["fps"].to_numpy()[self._rows]))

    def length(self, clip: int) -> int:
        """Return the number of frames of a clip."""
        return len(self._sizes.of(self._rows[clip]))

    @property
    def largest(self) -> tuple[int, int]:
        """Height and width of an image that the frames of every clip fit in."""
        return self.largest_of(slice(None))

    def largest_of(self, clips: Indices | slice) -> tuple[int, int]:
        """Return height and width of an image that the frames of each of these clips fit in."""
        rows = self._rows[clips]
        return int(self._height[rows].max()), int(self._width[rows].max())

    def size(self, clip: int) -> tuple[int, int]:
        """Return height and width of a clip's frames in pixels."""
        row = self._rows[clip]
        return int(self._height[row]), int(self._width[row])

    def frames(
        self, clip: int, indices: Sequence[int] | Indices, out: Image | None = None
    ) -> Image:
        """Decode some frames of a clip.

        Args:
            clip: number of the clip.
            indices: numbers of the frames, in any order; a repeated frame is read once if its
                repetitions follow each other.
            out: array (T, H, W, 3) to fill, possibly a part of a larger one; None makes a new one.

        Returns:
            The frames in RGB, (T, H, W, 3) uint8.

        Raises:
            SvfapError: one of the frames is damaged.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        is_new = np.diff(chosen, prepend=-1) != 0  # False for repetitions of the last frame
        first = np.flatnonzero(is_new)
        shape = (len(chosen), *self.size(clip), 3)
        # Frames are read straight into `out` if each of them is one block of memory there.
        direct = out is not None and out.flags.c_contiguous
        frames = out if out is not None and direct else np.empty(shape, np.uint8)
        fill = self._read_raw if self._raw[self._rows[clip]] else self._decode
        damaged = fill(clip, chosen[first], [frames[place] for place in first])
        if damaged is not None:
            raise self._damage(clip, damaged)
        if len(first) < len(chosen):
            # Every frame is copied from the place of its first repetition. The right side is a
            # copy, so no frame is overwritten before it is read.
            frames[:] = frames[first[np.cumsum(is_new) - 1]]
        if out is not None and not direct:
            out[:] = frames
        return frames

    def _read_raw(self, clip: int, wanted: Indices, images: Sequence[Image]) -> int | None:
        """Read raw frames into images; return the number of a frame that is cut short, if any.

        Checksums are not verified: that takes as long as reading.
        """
        starts, sizes = self._extents(clip, wanted)
        ends = starts + sizes
        begins = ends - images[0].nbytes  # in old shards, a header lies before each frame's pixels
        between = memoryview(bytearray(SKIPPED))  # receives the bytes between wanted frames
        file = self._file(clip)
        for group in _reads(begins, ends):
            # A single system call scatters the file's bytes over the images, without a copy.
            buffers: list[Any] = [images[group[0]]]
            for n in group[1:]:
                buffers += [between[: begins[n] - ends[n - 1]], images[n]]
            begin, end = int(begins[group[0]]), int(ends[group[-1]])
            if os.preadv(file.descriptor, buffers, begin) < end - begin:
                return int(wanted[group[0]])
        return None

    def _decode(self, clip: int, wanted: Indices, images: Sequence[Image]) -> int | None:
        """Decode JPEG frames into images; return the number of a damaged frame, if any."""
        starts, sizes = self._extents(clip, wanted)
        checksums = self._checksums.of(self._rows[clip])[wanted]
        ends = starts + sizes
        file = self._file(clip)
        for group in _reads(starts, ends):
            begin, end = int(starts[group[0]]), int(ends[group[-1]])
            data = memoryview(os.pread(file.descriptor, end - begin, begin))
            for n in group:
                jpeg = data[starts[n] - begin : ends[n] - begin]
                if zlib.crc32(jpeg) != checksums[n] or not decode_into(jpeg, images[n]):
                    return int(wanted[n])
        return None

    def _extents(self, clip: int, wanted: Indices) -> tuple[Indices, Indices]:
        """Return where frames of a clip start in its shard, and their sizes in bytes."""
        row = self._rows[clip]
        sizes = self._sizes.of(row).astype(np.int64)
        # Contents are padded to whole blocks; a header lies before each.
        blocks = -(-sizes // self._block[row]) * self._block[row]
        steps = np.cumsum(blocks + self._header[row], dtype=np.int64)
        return self._offset[row] + np.where(wanted, steps[wanted - 1], 0), sizes[wanted]

    def _strings(self, column: str) -> list[str]:
        found: list[str] = self._columns[column].take(self._rows).to_pylist()
        return found

    def _damage(self, clip: int, frame: int) -> SvfapError:
        """Return the error for a damaged frame."""
        row = self._rows[clip]
        shard = self._shards[self._shard[row]]
        return SvfapError(
            f"{shard}: frame {frame} of {self._columns['key'][row].as_py()} is damaged; delete"
            f" {shard.with_name('index.parquet')} and run again"
        )

    def _file(self, clip: int) -> OpenFile:
        """Return the shard of a clip, open for reading; the caller holds it while it reads."""
        return self._open(int(self._shard[self._rows[clip]]))


def _reads(starts: Indices, ends: Indices) -> list[Indices]:
    """Group frames that lie close to each other in a shard, so that one read fetches a group.

    The arguments are the bytes at which frames start and end. A group lists positions in `starts`.
    """
    gaps = starts[1:] - ends[:-1]
    apart = (gaps < 0) | (gaps > SKIPPED)
    apart[LONGEST - 1 :: LONGEST] = True
    return np.split(np.arange(len(starts)), np.flatnonzero(apart) + 1)
