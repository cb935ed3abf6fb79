"""What a file says about its video, as far as it can be believed."""

import contextlib
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from svfap.video.frame import Declared

_UNKNOWN_RATE = 25  # frames per second of a file that declares no rate
_MOST_FRAMES_PER_GUESS = 1.5  # an average rate above so many times FFmpeg's guess is wrong


def rate_of(stream: VideoStream) -> Fraction:
    """Return the frames per second of a stream, on average if the rate varies."""
    average, guessed = stream.average_rate, stream.guessed_rate
    # An average is wrong where a file counts the parts of frames: H.264 in AVI had 600 of 25 fps.
    if average and guessed and average > _MOST_FRAMES_PER_GUESS * guessed:
        average = guessed
    return Fraction(average or guessed or _UNKNOWN_RATE)


def declared_by(container: InputContainer, stream: VideoStream) -> Declared:
    """Return what an open file says about itself."""
    rate = rate_of(stream)
    seconds = _declared_seconds(container, stream)
    return Declared(
        fps=float(rate),
        # Matroska and FLV do not store a number of frames; it is estimated from the duration. Other
        # files may count parts of frames, or frames that an edit list removes.
        frames=min(filter(None, (stream.frames, round(seconds * rate))), default=0),
        aspect=stream.sample_aspect_ratio or Fraction(1),
    )


def _declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """Return how long a file says that its pictures last; 0 if it does not say.

    The length of the whole file says that only if the file has no sound, which may go on after the
    last picture.
    """
    # Matroska has "00:00:09.200000000", the second at which the last picture ends. The stream's
    # duration is the length of the whole file.
    first = float((stream.start_time or 0) * (stream.time_base or 0))
    parts = stream.metadata.get("DURATION", "").split(":")
    if len(parts) == 3:
        with contextlib.suppress(ValueError):
            hours, minutes, seconds = map(float, parts)
            return 3600 * hours + 60 * minutes + seconds - first
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.streams.audio else (container.duration or 0) / av.time_base
