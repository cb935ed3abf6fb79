"""WebDataset shards with an index: tars that any tool reads, with random access for training.

A sample is `KEY.json` and `KEY.avi` (or `.npy`, see `svfap.shards.frame_format`), so all samples
have the same columns in Hugging Face's `datasets`. The index stores where a clip's first frame lies
and how long each frame is. So any sixteen frames of any clip take a few large reads. With any
number of workers, an epoch has every clip exactly once, and a run can resume anywhere.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from svfap.config.labels import NO_LABEL_NAMES, LabelNames
from svfap.replacing import TARS_FOLDER, link_files, replacing
from svfap.shards.frame_format import SUFFIXES, FrameFormat, jpeg_size, pack
from svfap.shards.index import FRAME_NUMBER, written_schema


@dataclass(frozen=True)
class Sample:
    """The metadata of a clip in a shard.

    `crop` has the settings of its cropping, as JSON; `labels` says what `target` means.
    """

    key: str
    group: str
    subject: str
    target: tuple[float, ...]
    fps: float
    crop: str = ""
    labels: LabelNames = NO_LABEL_NAMES

    def row(self) -> dict[str, object]:
        """Return the metadata as JSON values, with the name of the clip's class."""
        label = self.labels.name_of(self.target)
        return asdict(self) | {"label": label, "labels": self.labels.model_dump()}


def write_shards(
    index: Path,
    samples: Iterable[tuple[Sample, Sequence[bytes]]],
    *,
    max_bytes: int,
    form: FrameFormat = "jpeg",
) -> int:
    """Write samples (metadata, JPEG frames of one size) as tars beside `index`, and then the index.

    The same samples give the same bytes.

    Args:
        index: the Parquet file to write.
        samples: the clips.
        max_bytes: size above which a new tar is started; a clip is never split.
        form: format of the frames.

    Returns:
        The number of clips.

    Raises:
        ValueError: a frame is not a JPEG.
    """
    for left in index.parent.glob("*.tar.tmp"):
        left.unlink()  # an interrupted run with smaller shards had more of them
    rows: list[dict[str, object]] = []
    tar: tarfile.TarFile | None = None
    shards: list[Path] = []
    for sample, jpegs in samples:
        if tar is None or tar.offset > max_bytes:
            if tar is not None:
                tar.close()
            shards.append(index.parent / f"{len(shards):06d}.tar")
            # Use the GNU format: PAX would add two blocks to every name that is not ASCII.
            tar = tarfile.open(  # noqa: SIM115  (closed when full)
                f"{shards[-1]}.tmp", "w", format=tarfile.GNU_FORMAT
            )
        _add(tar, f"{sample.key}.json", json.dumps(sample.row()).encode())
        place = _add_frames(tar, sample, jpegs, form)
        rows.append(sample.row() | place | {"shard": shards[-1].name})
    if tar is not None:
        tar.close()
    _publish(index, shards, rows)
    return len(rows)


def _add_frames(
    tar: tarfile.TarFile, sample: Sample, jpegs: Sequence[bytes], form: FrameFormat
) -> dict[str, object]:
    """Append the frames of a clip; return their positions, as columns of the index."""
    clip = pack(jpegs, form, sample.fps)
    start = _add(tar, f"{sample.key}.{SUFFIXES[form]}", clip.content)
    height, width = jpeg_size(jpegs[0])
    # A part of VoxCeleb2 has 3.4 million frames: bytes take a tenth of the memory of lists.
    numbers = {"sizes": clip.sizes, "checksums": clip.checksums}
    packed = {name: np.array(values, FRAME_NUMBER).tobytes() for name, values in numbers.items()}
    place = {"offset": start + clip.first, "header": clip.header, **packed}
    return place | {"format": SUFFIXES[form], "height": height, "width": width}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Append a file without time or owner; return the offset of its content."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
    padded = -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return tar.offset - padded


def _publish(index: Path, shards: Sequence[Path], rows: list[dict[str, object]]) -> None:
    """Rename the finished tars, remove tars of an earlier run, and then write the index.

    Until then the tars have temporary names, so an interruption leaves an earlier run's tars
    intact.
    """
    for old in set(index.parent.glob("*.tar")) - set(shards):
        old.unlink()
    for shard in shards:
        Path(f"{shard}.tmp").replace(shard)
    link_files(index.with_name(TARS_FOLDER), ((shard.name, shard) for shard in shards))
    sizes = {shard.name: shard.stat().st_size for shard in shards}
    table = [row | {"shard_bytes": sizes[str(row["shard"])]} for row in rows]
    with replacing(index) as partial:
        content = pa.Table.from_pylist(table, schema=written_schema(rows))
        pq.write_table(content, partial, write_page_checksum=True)
