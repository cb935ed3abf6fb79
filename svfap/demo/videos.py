"""Synthetic talking-head videos: a deterministic function of subject, expression and take."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from svfap.demo.expression import EXPRESSIONS
from svfap.demo.filming import Filming, RenderedFrame, Setup, setup
from svfap.demo.identity import identity
from svfap.demo.performance import perform
from svfap.video.encode import write_video

LENGTH = (24, 33)


def frames(subject: int, expression: str, take: int = 0) -> Iterator[RenderedFrame]:
    """Film a subject acting an expression, 24 to 32 frames.

    Args:
        subject: number of the subject; decides the looks.
        expression: a key of `EXPRESSIONS`.
        take: number of the take; decides timing, motion, camera and place.

    Yields:
        Frames with true landmarks; the same arguments give the same frames.
    """
    rng = _rng(subject, expression, take)
    camera = Filming(setup(rng), identity(subject), rng=rng)
    length = int(rng.integers(*LENGTH))
    for moment in perform(expression, length, rng=rng):
        yield camera.shoot(moment)


def settings(subject: int, expression: str, take: int = 0) -> Setup:
    """Camera and encoder settings of the video that the same arguments render."""
    return setup(_rng(subject, expression, take))


def render_video(path: Path, subject: int, expression: str, take: int = 0) -> None:
    """Render one video to an H.264 mp4 file.

    Raises:
        SvfapError: the encoder fails, for example because the disk is full.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        chosen = settings(subject, expression, take)
        images = (frame.image for frame in frames(subject, expression, take))
        write_video(
            path, images, fps=chosen.fps, crf=chosen.crf, preset=chosen.preset,
            pix_fmt=chosen.pix_fmt,
        )  # fmt: skip
    finally:
        cv2.setNumThreads(threads)


def _rng(subject: int, expression: str, take: int) -> np.random.Generator:
    return np.random.default_rng((subject, 2, list(EXPRESSIONS).index(expression), take))
