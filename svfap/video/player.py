"""The clock that a video player shows: it counts from the first picture or sound of a file."""

from pathlib import Path

import av
from av.format import Flags

from svfap.video.opening import open_container
from svfap.video.streams import choose

# FFmpeg's flag of formats, such as transport streams, for which `Frame.seconds` counts from the
# first picture, even if the sound starts before it.
OWN_CLOCKS: int = Flags.ts_discont.value  # type: ignore[assignment]


def player_zero(path: Path, stream: int | None = None) -> float:
    """Return the second of a player at which `Frame.seconds` is 0.

    Args:
        path: a video file.
        stream: number of its pictures' stream, see `svfap.video.streams.choose`.
    """
    with open_container(path) as container:
        video = choose(container.streams.video, stream)
        if not container.format.flags & OWN_CLOCKS or container.start_time is None or video is None:
            return 0.0
        first = float((video.start_time or 0) * (video.time_base or 0))
        return max(0.0, first - container.start_time / av.time_base)
