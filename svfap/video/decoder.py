"""Decode a stream to its end, past everything in it that is damaged."""

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.video.stream import VideoStream

from svfap.video.clock import Clock

# Some decoders report damage while they give out their last frames; each report takes one call.
_MOST_FLUSHES = 100


class Decoder:
    """Yields the pictures of a stream, each at its time, and counts what cannot be decoded.

    Args:
        container: the open file.
        stream: its video stream.
        clock: the clock that gives the pictures their times.

    Attributes:
        pictures: number of pictures so far.
        errors: number of packets so far that did not decode.
        first_error: number of pictures before the first of them, and FFmpeg's reason.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, clock: Clock) -> None:
        self._container, self._stream, self._clock = container, stream, clock
        self.pictures, self.errors = 0, 0
        self.first_error = (0, "")

    def __iter__(self) -> Iterator[av.VideoFrame]:
        try:
            for packet in self._container.demux(self._stream):
                # An empty packet would end the decoding. AVI has some for frames that were dropped.
                if packet.size:
                    self._clock.correct(packet)
                    yield from self._decode(packet)
        except FFmpegError as error:  # of reading; errors of decoding are caught in `_decode`
            self._count(error)
        yield from self._last_pictures()

    def _decode(self, packet: "av.Packet[VideoStream] | None") -> Iterator[av.VideoFrame]:
        """Yield the pictures that a packet completes, or the end of the stream; none on damage."""
        try:
            pictures = self._stream.codec_context.decode(packet)
        except FFmpegError as error:
            self._count(error)
            return
        for picture in pictures:
            self._clock.stamp(picture)
            self.pictures += 1
            yield picture

    def _last_pictures(self) -> Iterator[av.VideoFrame]:
        """Yield the pictures that the decoder holds back until it knows that no packet follows."""
        for _ in range(_MOST_FLUSHES):
            errors = self.errors
            yield from self._decode(None)
            if self.errors == errors:
                return

    def _count(self, error: FFmpegError) -> None:
        """Count a packet that did not decode."""
        if isinstance(error, EndOfFile):
            return
        if not self.errors:
            self.first_error = (self.pictures, error.strerror or str(error))
        self.errors += 1
