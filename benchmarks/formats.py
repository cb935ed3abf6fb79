"""File formats of a face clip: reading speed, size, fidelity, and the cost of writing."""

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import av
import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from benchmarks.common import cpu_seconds, spread
from svfap.shards.frame_format import decode_into, jpeg_size
from svfap.video.facevideo import encode_jpeg

Clip = NDArray[np.uint8]
FPS = 25
WANTED = range(70, 70 + 64, 4)  # 16 frames from mid-clip, with the stride of pre-training


@dataclass(frozen=True)
class ClipFormat:
    """Functions that write and read a clip.

    Attributes:
        write: function that returns the bytes of a clip, in one piece or per frame.
        read: function that returns the 16 wanted frames (T, H, W, 3), RGB.
    """

    write: Callable[[Clip], list[bytes]]
    read: Callable[[list[bytes]], Clip]


def rows(clip: Clip) -> list[dict[str, Any]]:
    """Return a row per format, measured on one clip (T, H, W, 3), RGB."""
    found: list[dict[str, Any]] = []
    stored: dict[str, list[bytes]] = {}
    seconds: dict[str, float] = {}
    for name, file_format in FORMATS.items():
        start = time.process_time()
        stored[name] = file_format.write(clip)
        seconds[name] = time.process_time() - start
    reading = {
        name: partial(file_format.read, stored[name]) for name, file_format in FORMATS.items()
    }
    taken = cpu_seconds(reading, rounds=5)
    for name, read in reading.items():
        error = float(np.mean((read().astype(float) - clip[list(WANTED)]) ** 2))
        found.append(
            {
                "name": f"form {name}, {clip.shape[1]} px, without crops",
                "clips_per_cpu_second": 1 / spread(taken[name])["median"],
                "kilobytes_per_clip": sum(map(len, stored[name])) / 1e3,
                "psnr_decibels": float(10 * np.log10(255**2 / max(error, 1e-9))),
                "cpu_seconds_to_make": seconds[name],
            }
        )
    return found


def _jpegs(clip: Clip, quality: int) -> list[bytes]:
    return [encode_jpeg(np.ascontiguousarray(frame[..., ::-1]), quality=quality) for frame in clip]


def _raw(clip: Clip) -> list[bytes]:
    return [simplejpeg.decode_jpeg(jpeg).tobytes() for jpeg in _jpegs(clip, 92)]


def _read_jpegs(frames: Sequence[bytes]) -> Clip:
    clip = np.empty((len(WANTED), *jpeg_size(frames[0]), 3), np.uint8)
    for n, picture in zip(WANTED, clip, strict=True):
        decode_into(frames[n], picture)
    return clip


def _read_raw(frames: Sequence[bytes]) -> Clip:
    side = math.isqrt(len(frames[0]) // 3)
    clip = np.empty((len(WANTED), side, side, 3), np.uint8)
    for n, picture in zip(WANTED, clip, strict=True):
        picture[:] = np.frombuffer(frames[n], np.uint8).reshape(picture.shape)
    return clip


def _opencv(frames: Sequence[bytes]) -> Clip:
    images = (np.frombuffer(frames[n], np.uint8) for n in WANTED)
    return np.stack([np.asarray(cv2.imdecode(i, cv2.IMREAD_COLOR_RGB), np.uint8) for i in images])


def _h264(clip: Clip, every: int) -> list[bytes]:
    """Encode a clip as H.264 with a key frame every `every` frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        options = {"crf": "20", "g": str(every), "bf": "0", "preset": "medium", "threads": "1"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = clip.shape[2], clip.shape[1], "yuv420p"
        for frame in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return [file.getvalue()]


def _read_h264(parts: Sequence[bytes]) -> Clip:
    """Decode the wanted frames, starting at the key frame before the first of them."""
    found = []
    with av.open(io.BytesIO(parts[0]), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        unit = float(stream.time_base or 1)
        container.seek(int(WANTED[0] / FPS / unit), stream=stream)
        for frame in container.decode(stream):
            number = round((frame.pts or 0) * unit * FPS)
            if number in WANTED:
                found.append(frame.to_ndarray(format="rgb24"))
            if number >= WANTED[-1]:
                break
    return np.stack(found)


FORMATS = {
    "jpeg, quality 92": ClipFormat(partial(_jpegs, quality=92), _read_jpegs),
    "jpeg, quality 92, read by OpenCV": ClipFormat(partial(_jpegs, quality=92), _opencv),
    "jpeg, quality 80": ClipFormat(partial(_jpegs, quality=80), _read_jpegs),
    "raw": ClipFormat(_raw, _read_raw),
    "h264, key frame every 8": ClipFormat(partial(_h264, every=8), _read_h264),
    "h264, key frames only": ClipFormat(partial(_h264, every=1), _read_h264),
}
