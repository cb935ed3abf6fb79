"""Part `shards`: synthetic clips in the project's own shards, made without decoding a video."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import FORMS, MIN_CROP, STRIDE, Setting
from svfap.augment.crop_box import multi_scale_crop
from svfap.shards.frame_format import FrameFormat
from svfap.shards.store import ClipStore
from svfap.shards.writer import Sample, write_shards
from svfap.training.draws import Draws
from svfap.video.sampling import pretrain_indices

QUALITY = 92  # as face clips
# Different frames per clip; the later frames repeat them. The number is prime, so the frames that
# one crop takes all differ.
DIFFERENT = 29


def measure(setting: Setting) -> Iterator[Row]:
    """Write the clips of both formats, one process per index."""
    sizes = setting.sizes
    for form in FORMS:
        start = time.perf_counter()
        paths = indexes(setting, form)
        # The part itself may have been forked: only "fork" needs no new imports.
        with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
            pool.map(partial(_write, setting, form), range(len(paths)))
        size = sum(tar.stat().st_size for path in paths for tar in path.parent.glob("*.tar"))
        clips = sizes.clips[form] * sizes.indexes
        yield {
            "name": f"synthetic frames, {form}",
            "clips": clips,
            "gigabytes": size / 1e9,
            "kilobytes_per_clip": size / clips / 1e3,
            "seconds": time.perf_counter() - start,
        }


def indexes(setting: Setting, form: FrameFormat) -> list[Path]:
    """Return the paths of the indexes of a format."""
    folder = setting.work / f"shards-{'tiny' if setting.tiny else 'full'}"
    return [folder / f"{form}{n}" / "index.parquet" for n in range(setting.sizes.indexes)]


def draws(setting: Setting, form: FrameFormat, clips: int | None = None) -> Draws:
    """Return the stream of crops of pre-training from the clips of a format, or the first few."""
    model, store = setting.sizes.model, ClipStore(indexes(setting, form))
    return Draws(
        store if clips is None else store.take(np.arange(clips)),
        lambda length, rng: pretrain_indices(length, model.num_frames, STRIDE, rng),
        partial(multi_scale_crop, min_side=MIN_CROP),
        size=model.image_size,
        seed=0,
    )


def evict(setting: Setting, form: FrameFormat) -> None:
    """Drop the shards from the page cache, so that the next read comes from the disk."""
    for path in indexes(setting, form):
        for tar in path.parent.glob("*.tar"):
            with tar.open("rb") as file:
                os.fsync(file.fileno())  # only written pages can be dropped
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _write(setting: Setting, form: FrameFormat, number: int) -> None:
    """Write one index and its shards, unless an earlier run has done so."""
    index, sizes = indexes(setting, form)[number], setting.sizes
    if index.is_file():
        return
    index.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(number)
    samples = (
        (
            Sample(f"{form}{number:02d}-{clip:03d}", "", "", (), 25.0),
            _frames(sizes.frames, sizes.model.image_size, rng),
        )
        for clip in range(sizes.clips[form])
    )
    write_shards(index, samples, max_bytes=10**9, form=form)


def _frames(count: int, side: int, rng: np.random.Generator) -> list[bytes]:
    """Return JPEG frames of random blobs and some noise, as large as a real face's frames."""
    jpegs = []
    for _ in range(min(count, DIFFERENT)):
        blobs = rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        noise = rng.normal(0, 2, (side, side, 3)).astype(np.float32)
        image = cv2.resize(blobs, (side, side), interpolation=cv2.INTER_CUBIC) + noise
        pixels = image.clip(0, 255).astype(np.uint8)
        jpegs.append(simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420"))
    return [jpegs[n % len(jpegs)] for n in range(count)]
