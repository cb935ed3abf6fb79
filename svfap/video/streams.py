"""Choose the stream of a file that holds its video, as ffmpeg does."""

from collections.abc import Sequence

from av.stream import Disposition
from av.video.stream import VideoStream

# The default stream is preferred to any other of up to this many pixels more, as in ffmpeg.
_BONUS_OF_DEFAULT = 5_000_000


def video_streams(streams: Sequence[VideoStream]) -> list[VideoStream]:
    """Return the streams that hold videos: all but pictures of a cover, as `0:V` in ffmpeg."""
    return [stream for stream in streams if not stream.disposition & Disposition.attached_pic]


def choose(streams: Sequence[VideoStream], number: int | None) -> VideoStream | None:
    """Return a video stream; None if there is none.

    Args:
        streams: the streams of pictures, in the order of the file.
        number: number of the video stream, from 0, where covers do not count; None takes what
            ffmpeg takes: the stream that the file calls its default, then the one with the largest
            pictures, then the first.
    """
    videos = video_streams(streams)
    if number is not None:
        return videos[number] if number < len(videos) else None
    return max(videos, key=_score, default=None)


def _score(stream: VideoStream) -> int:
    pixels = stream.width * stream.height if stream.codec_context else 0
    return int(pixels + _BONUS_OF_DEFAULT * bool(stream.disposition & Disposition.default))
