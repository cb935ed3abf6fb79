"""Small test videos of a real photographed face (scikit-image's astronaut, NASA)."""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import ffmpeg  # type: ignore[import-untyped]
import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from svfap.video.encode import write_video
from svfap.video.facevideo import encode_jpeg
from svfap.video.planes import Picture

Image = NDArray[np.uint8]


def installed(package: str, *parts: str) -> Path:
    """Return the path of a data file in an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent.joinpath(*parts)


def photograph() -> Image:
    """Return the photograph, BGR, 512 x 512 pixels; a face, 100 pixels wide, is at (223, 118)."""
    image = cv2.imread(str(installed("skimage", "data", "astronaut.png")))
    return np.asarray(image, dtype=np.uint8)


def face_frames(count: int, *, step: float = 1.0) -> Iterator[Image]:
    """Yield BGR pictures, 240 x 240 pixels; the face moves `step` pixels to the left per frame."""
    image = photograph()
    for number in range(count):
        shift = np.array([[1, 0, -100 - step * number], [0, 1, -20]], dtype=np.float64)
        yield np.asarray(cv2.warpAffine(image, shift, (240, 240)), dtype=np.uint8)


def noise_frames(count: int, *, side: int = 240) -> Iterator[Image]:
    """Yield smooth random BGR pictures without a face."""
    random = np.random.default_rng(0)
    for _ in range(count):
        coarse = random.integers(0, 255, (8, 8, 3)).astype(np.uint8)
        yield np.asarray(cv2.resize(coarse, (side, side)), dtype=np.uint8)


def save(path: Path, frames: Iterator[Image] | Sequence[Image], *, fps: float = 25) -> Path:
    """Write BGR pictures as H.264."""
    write_video(path, (np.ascontiguousarray(frame[..., ::-1]) for frame in frames), fps=fps)
    return path


def convert(
    source: Path, destination: Path, *, read: dict[str, object] | None = None, **write: object
) -> Path:
    """Convert a file with ffmpeg, with options for reading and writing."""
    stream = ffmpeg.input(str(source), **(read or {})).output(str(destination), **write)
    stream.run(cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True, overwrite_output=True)
    return destination


def to_bgr(picture: Picture) -> Image:
    """Return a picture of a clip as a BGR image; planes pass through a JPEG of best quality."""
    if isinstance(picture, np.ndarray):
        return picture
    jpeg = np.frombuffer(encode_jpeg(picture, quality=100), dtype=np.uint8)
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), dtype=np.uint8)
