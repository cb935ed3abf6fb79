"""Shards of small noisy clips, written in milliseconds."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from svfap.shards.writer import Sample, write_shards
from svfap.video.facevideo import encode_jpeg


def make_shards(
    folder: Path,
    targets: Sequence[float],
    *,
    frames: int = 12,
    side: int = 40,
    seed: int = 0,
    form: str = "jpeg",
    width: int = 1,
) -> Path:
    """Write shards of noise; the brightness of a clip shows its class, its target `width` times."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def samples():
        for number, target in enumerate(targets):
            key = f"c{seed}_{number:03d}"
            level = 60 + 120 * target
            video = rng.normal(level, 20, (frames, side, side, 3)).clip(0, 255).astype(np.uint8)
            jpegs = [encode_jpeg(cv2.blur(frame, (3, 3)), quality=95) for frame in video]
            yield Sample(key, key, f"p{number % 3}", (float(target),) * width, 25.0), jpegs

    index = folder / "index.parquet"
    write_shards(index, samples(), max_bytes=10**7, form=form)
    return index
