"""Render synthetic talking-head videos, deterministically by subject, expression and take."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from svfap.demo.expression import EXPRESSIONS
from svfap.demo.filming import Filming, FilmSettings, RenderedFrame, draw_settings
from svfap.demo.identity import identity
from svfap.demo.performance import perform
from svfap.video.encode import write_video

LENGTH = (18, 23)  # range of the number of moments of a performance, without its end
EVERY = (
    2  # film every second moment: models of four frames need no more, and it takes half the time
)


def frames(
    subject: int, expression: str, take: int = 0, *, every: int = EVERY
) -> Iterator[RenderedFrame]:
    """Film a subject who acts an expression for 18 to 22 moments.

    Args:
        subject: number of the subject, which determines the looks.
        expression: a key of `EXPRESSIONS`.
        take: number of the take, which determines timing, motion, camera and background.
        every: film every n-th moment.

    Yields:
        Frames with true landmarks; equal arguments give equal frames.
    """
    rng = _rng(subject, expression, take)
    # One generator draws everything. It draws the settings first, as `settings` below does.
    filming = Filming(draw_settings(rng), identity(subject), rng=rng)
    length = int(rng.integers(*LENGTH))
    for moment in islice(perform(expression, length, rng=rng), 0, None, every):
        yield filming.shoot(moment)


def settings(subject: int, expression: str, take: int = 0) -> FilmSettings:
    """Return the camera and encoder settings of the video with these arguments."""
    return draw_settings(_rng(subject, expression, take))


def render_video(
    path: Path, subject: int, expression: str, take: int = 0, *, every: int = EVERY
) -> None:
    """Render one video to an H.264 mp4 file, with every n-th moment of the performance.

    Raises:
        SvfapError: the encoder fails, for example because the disk is full.
    """
    # The demo renders one video per process; threads of OpenCV would compete for the CPUs.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        chosen = settings(subject, expression, take)
        images = (frame.image for frame in frames(subject, expression, take, every=every))
        write_video(
            path,
            images,
            fps=chosen.fps,
            crf=chosen.crf,
            preset=chosen.preset,
            pix_fmt=chosen.pix_fmt,
        )
    finally:
        cv2.setNumThreads(threads)


def _rng(subject: int, expression: str, take: int) -> np.random.Generator:
    """Return the random generator of one video."""
    # The 2 keeps this generator apart from `identity`'s, which uses 1.
    return np.random.default_rng((subject, 2, list(EXPRESSIONS).index(expression), take))
