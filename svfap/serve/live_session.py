"""Follow and score the main face in the pictures that a browser sends from its camera.

Pictures come one by one, as fast as this machine answers. A window is scored beside them, in a
thread, so that the box goes on following the face meanwhile.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import simplejpeg

from svfap.errors import SvfapError
from svfap.use.live import FaceFollower
from svfap.use.predictor import Float32, Predictor
from svfap.use.timeline import DECIMALS
from svfap.use.window_sampler import WindowSampler
from svfap.video.image import Image

_MEASURED = 8  # pictures from which the rate of the pictures is measured, before the first box
_MOST_SIDE = 4096  # pixels of a picture's longer side
_RATES = 1.0, 60.0  # pictures per second that count as a rate


class LiveSession:
    """The camera of one browser.

    Args:
        predictor: the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._times: list[float] = []
        self._follower: FaceFollower | None = None
        self._sampler: WindowSampler | None = None
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[tuple[Float32, Float32]] | None = None
        self._end = 0.0  # when the last picture of the running window was taken
        self._scores: dict[str, Any] = {"scores": None, "end": None}

    def see(self, jpeg: bytes, taken: float) -> dict[str, Any]:
        """Take the next picture; return the place of the face and the newest scores.

        Args:
            jpeg: the picture as JPEG.
            taken: when it was taken, in seconds of the browser's clock.

        Returns:
            `corners`: three corners of the face's square as shares of the picture, or None;
            `scores`: score of each target, or None before the first window; `end`: when the last
            picture of that window was taken; `window`: length of a window in seconds, or None while
            the rate is measured.

        Raises:
            SvfapError: the body is no picture.
        """
        image = _decode(jpeg)
        follower, sampler = self._prepare(taken)
        if follower is None or sampler is None:
            return {"corners": None, "window": None, **self._scores}
        crop = follower.cut(image)
        if crop.changed:
            sampler.clear()
            self._scores = {"scores": None, "end": None}
            self._running = None  # its scores would belong to the face before
        if crop.picture is not None:
            sampler.add(crop.picture, taken)
        self._score(sampler)
        height, width = image.shape[:2]
        corners = None if crop.corners is None else (crop.corners / (width, height)).tolist()
        frames = self._predictor.facts.job.model.num_frames
        return {"corners": corners, "window": sampler.step * frames, **self._scores}

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, taken: float) -> tuple[FaceFollower | None, WindowSampler | None]:
        """Measure the rate of the pictures first; then create what depends on it."""
        if self._follower is None:
            self._times.append(taken)
            if len(self._times) < _MEASURED:
                return None, None
            seconds = max(1e-6, float(np.median(np.diff(self._times))))
            fps = float(np.clip(1 / seconds, *_RATES))
            self._follower = FaceFollower(self._predictor, fps=fps)
            self._sampler = WindowSampler(self._predictor, fps=fps)
        return self._follower, self._sampler

    def _score(self, sampler: WindowSampler) -> None:
        """Keep the scores of a window that is done, and begin the next if one is due."""
        if self._running is not None and self._running.done():
            scores, _ = self._running.result()
            values = [round(float(value), DECIMALS) for value in scores[0]]
            self._scores = {"scores": values, "end": self._end}
            self._running = None
        if self._running is None and (window := sampler.window()) is not None:
            self._end = sampler.last
            self._running = self._thread.submit(self._predictor.score, [window])


def _decode(jpeg: bytes) -> Image:
    """Decode a picture; its size is checked before it takes memory."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError:
        raise SvfapError("the body is no JPEG picture") from None
    if max(height, width) > _MOST_SIDE:
        raise SvfapError(f"the picture has {width} x {height} pixels; send at most {_MOST_SIDE}")
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SvfapError("the JPEG picture is damaged")
    return np.asarray(image, dtype=np.uint8)
