"""WebDataset shards with an index: tars anyone can read, random access for training.

A sample is `KEY.json` and one `KEY.NNNN.jpg` (or `.npy`, see `svfap.video.pixels`) per frame. The
index holds where a clip's first frame lies and how long each one is, so that any sixteen frames of
any clip are a few large reads away, an epoch is exact and a run resumes anywhere, whatever the
number of workers.
"""

import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from svfap.errors import SvfapError
from svfap.replacing import replacing
from svfap.video import pixels

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
        ("offset", pa.int64()),  # of the first frame
        ("header", pa.int32()),  # bytes between two frames, beside the padding to whole blocks
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
    index: Path,
    samples: Iterable[tuple[Sample, Sequence[bytes]]],
    *,
    max_bytes: int,
    form: pixels.Format = "jpeg",
) -> int:
    """Write samples (metadata, JPEG frames of one size) as tars beside `index`, the index last.

    The same samples give the same bytes. Returns the number of clips.

    Raises:
        ValueError: a frame is no JPEG.
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
        placed = _add_frames(tar, sample.key, jpegs, form)
        rows.append(asdict(sample) | placed | {"shard": shards[-1].name})
    if tar is not None:
        tar.close()
    _publish(index, shards, rows)
    return len(rows)


def _add_frames(
    tar: tarfile.TarFile, key: str, jpegs: Sequence[bytes], form: pixels.Format
) -> dict[str, object]:
    """Append the frames of a clip; return where they lie, as columns of the index.

    Names are equally long, so that every frame has a header of the same size.
    """
    digits = max(4, len(str(len(jpegs) - 1)))
    sizes: list[int] = []
    checksums: list[int] = []
    first = header = 0
    for number, jpeg in enumerate(jpegs):
        before, frame = tar.offset, pixels.encode(jpeg, form)
        offset = _add(tar, f"{key}.{number:0{digits}d}.{pixels.SUFFIXES[form]}", frame)
        header = offset - before
        first = first or offset
        sizes.append(len(frame))
        checksums.append(zlib.crc32(frame))
    height, width = pixels.size_of(jpegs[0])
    place = {"offset": first, "header": header, "sizes": sizes, "checksums": checksums}
    return place | {"format": form, "height": height, "width": width}


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
    with replacing(index) as partial:
        content = pa.Table.from_pylist(table, schema=SCHEMA)
        pq.write_table(content, partial, write_page_checksum=True)


def read_index(index: Path) -> pa.Table:
    """An index whose shards are there.

    Raises:
        SvfapError: it is unreadable, or a shard is missing or not of the indexed size.
    """
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


def crop_of(shard: Path) -> dict[str, Any]:
    """How the first clip of a shard was cropped; empty where that was not written down."""
    with tarfile.open(shard) as tar:
        first = tar.next()
        file = tar.extractfile(first) if first else None
        text = json.load(file)["crop"] if file else ""
    settings: dict[str, Any] = json.loads(text) if text else {}
    return settings
