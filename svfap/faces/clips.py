"""Describe face clips, and cut all clips of a video out of its frames in a second pass."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import cv2
import numpy as np

from svfap.faces.align import cut_out
from svfap.faces.cropped_video import Quality
from svfap.faces.detectors.detector import Floats
from svfap.faces.fill import Flags
from svfap.video.frame import Frame
from svfap.video.image import Image
from svfap.video.planes import Picture, Planes, in_jpeg_colours
from svfap.video.sampling import Indices

_MIN_OVERSAMPLING = 2  # pixels of a shrunk frame for each pixel of the clip


@dataclass(frozen=True)
class FaceClip:
    """A face clip that can be cut out.

    Attributes:
        fps: frames per second.
        size: side in pixels.
        start: second of the video at which the clip starts.
        source: for each frame of the clip, the number of the video's frame; numbers ascend and may
            repeat.
        corners: corners of the square in that frame, as shares of the frame's width and height;
            shape (frames, 3, 2).
        quality: how well the face is seen; the blur is known only after the clip is cut.
        blank: whether each frame is black instead, shape (frames,); None if none is.
    """

    fps: float
    size: int
    start: float
    source: Indices
    corners: Floats
    quality: Quality
    blank: Flags | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.source)

    def is_blank(self, place: int) -> bool:
        """Return whether a frame of the clip is black."""
        return self.blank is not None and bool(self.blank[place])

    def sampled(self, places: Indices) -> "FaceClip":
        """Return the clip reduced to some of its frames."""
        blank = None if self.blank is None else self.blank[places]
        source, corners = self.source[places], self.corners[places]
        return replace(self, source=source, corners=corners, blank=blank)


def cut_clips(frames: Iterable[Frame], clips: Sequence[FaceClip]) -> Iterator[tuple[int, Picture]]:
    """Cut all clips out of a video's frames in one pass.

    Yields:
        The number of a clip and its next frame of size x size pixels.
    """
    last = max(int(clip.source[-1]) for clip in clips)
    even = all(clip.size % 2 == 0 for clip in clips)
    max_side = cache(partial(_max_side, clips=clips))  # frames of a folder may differ in size
    for number, frame in enumerate(frames):
        # A clip shows this frame at the places [start, end) of its own frames: none, one, or
        # several where the clip's frame rate is higher than the video's.
        places = [np.searchsorted(clip.source, [number, number + 1]) for clip in clips]
        showing = [(index, place) for index, place in enumerate(places) if place[0] < place[1]]
        if showing:
            # Frames in another form than YUV 4:2:0, and odd sizes of clips, take the way over BGR.
            whole = frame.planes() if even else None
            image = frame.bgr(max_side(frame.size)) if whole is None else whole
            for index, (start, end) in showing:
                clip = clips[index]
                face: Picture = np.zeros((clip.size, clip.size, 3), np.uint8)
                if not clip.is_blank(int(start)):
                    face = _cut(frame, image, clip.corners[start], size=clip.size)
                yield from ((index, face) for _ in range(start, end))
        if number == last:
            return


def _cut(frame: Frame, image: Image | Planes, corners: Floats, *, size: int) -> Picture:
    """Cut a square out of a frame.

    Args:
        frame: the frame.
        image: its upright BGR image or planes.
        corners: corners of the square in shares of the frame.
        size: side of the result in pixels.
    """
    if isinstance(image, np.ndarray):
        return cut_out(image, corners * image.shape[1::-1], size=size)
    y, u, v = image
    square = corners * y.shape[::-1]
    luma = cut_out(y, square, size=size)
    colours = cut_out(np.asarray(cv2.merge((u, v)), np.uint8), square / 2, size=size // 2)
    blue, red = (np.ascontiguousarray(colours[..., channel]) for channel in (0, 1))
    return in_jpeg_colours(luma, blue, red, of=frame.picture)


def _max_side(size: tuple[int, int], *, clips: Sequence[FaceClip]) -> int | None:
    """Return the side that frames of a size can be shrunk to; None if they stay as they are.

    Converting a very large frame at a lower resolution saves time and memory; frames that could
    only be shrunk by less than half are kept.
    """
    needed = 0.0
    for clip in clips:
        edges = (clip.corners[:, 1:] - clip.corners[:, :1]) * size
        shortest = float(np.linalg.norm(edges, axis=2).min())
        needed = max(needed, _MIN_OVERSAMPLING * clip.size / shortest)
    return round(max(size) * needed) if needed < 0.5 else None
