"""Add the sound of a video to a file of its pictures, in step with them.

Sound is a courtesy: if none can be decoded, the file stays silent, with a warning.
"""

import logging
from itertools import product
from pathlib import Path
from typing import NamedTuple

import av
import ffmpeg
from av.stream import Disposition, Stream

from svfap.errors import SvfapError
from svfap.replacing import replacing
from svfap.video.encode import MP4, SOURCE, TARGET, run_ffmpeg
from svfap.video.opening import open_container
from svfap.video.player import OWN_CLOCKS
from svfap.video.streams import choose

logger = logging.getLogger(__name__)

_PICTURES = "PICTURES"  # a placeholder like SOURCE
# FFmpeg mixes channels only if it knows their places, such as left and right. If it does not, only
# the first channel is heard.
_MIXES = ("aformat=channel_layouts=mono|stereo", "pan=mono|c0=c0")
# Keeps the times of sound: where it is 0.03 seconds off, samples are dropped or silence is put in.
_IN_STEP = "aresample=async=1:min_hard_comp=0.03"


class _Track(NamedTuple):
    """A sound track.

    Attributes:
        number: its number among the sound tracks.
        zero: second of the video, see `Frame.seconds`, at which FFmpeg's clock for it starts.
    """

    number: int
    zero: float


def add_sound(
    pictures: Path, source: Path, *, start: float, seconds: float, stream: int | None = None
) -> None:
    """Add the sound of a video to its pictures: of its default track, or else of another.

    Args:
        pictures: mp4 file of the pictures, which is replaced.
        source: the video, which may have no sound.
        start: second of the video at which the pictures start, see `Frame.seconds`.
        seconds: length of the pictures; later sound is left out.
        stream: number of the pictures' stream, see `svfap.video.streams.choose`.
    """
    tracks = _tracks(source, stream)
    for track, mix in product(tracks, _MIXES):
        try:
            delay = track.zero - start
            _add_track(pictures, source, track.number, mix=mix, delay=delay, seconds=seconds)
        except SvfapError:
            continue
        return
    if tracks:
        logger.warning(
            "%s: no sound can be decoded from the time of its pictures; its annotated video is"
            " silent",
            source,
        )


def _tracks(source: Path, stream: int | None) -> list[_Track]:
    """Return the sound tracks of a video, the default ones first."""
    with open_container(source) as container:
        sounds, video = container.streams.audio, choose(container.streams.video, stream)
        # In a transport stream, FFmpeg counts from the start of the stream that it reads, in other
        # files from the start of the file.
        own_clocks = container.format.flags & OWN_CLOCKS
        tracks = [
            _Track(number, _start(sound) - _start(video) if video and own_clocks else 0.0)
            for number, sound in enumerate(sounds)
        ]
        preferred = [bool(sound.disposition & Disposition.default) for sound in sounds]
        return sorted(tracks, key=lambda track: preferred[track.number], reverse=True)


def _start(stream: Stream) -> float:
    """Return the second at which a stream starts, by the clock of its file."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def _add_track(
    pictures: Path, source: Path, number: int, *, mix: str, delay: float, seconds: float
) -> None:
    """Add a sound track, as mono or stereo, to a file of pictures.

    Args:
        pictures: the file, which is replaced.
        source: the video.
        number: number of the track among its sound tracks.
        mix: the filter that mixes the channels.
        delay: seconds from the first picture to the start of FFmpeg's clock.
        seconds: length of the pictures.

    Raises:
        SvfapError: the track cannot be decoded, or has no sound during the pictures.
    """
    # By default, FFmpeg gives up a track if most of it is damaged.
    sound = ffmpeg.input(SOURCE, itsoffset=delay, max_error_rate=1)[f"a:{number}"]
    output = ffmpeg.output(
        ffmpeg.input(_PICTURES).video,
        sound,
        TARGET,
        vcodec="copy",
        acodec="aac",
        af=f"atrim=start=0:end={seconds},{_IN_STEP},{mix}",
        **MP4,
    )
    with replacing(pictures) as partial:
        run_ffmpeg(output, source, {_PICTURES: pictures, SOURCE: source, TARGET: partial})
        with av.open(f"file:{partial}") as written:
            if not written.streams.audio:  # FFmpeg leaves out a stream that got no packet
                raise SvfapError(f"{source}: no sound during its pictures")
