"""Give every frame of a video its time, where files give wrong times or none.

The rules are ffmpeg's. Times count from the start of the file. A transport stream may have been
joined from several recordings, whose clocks differ: the second goes on where the first ends. A
frame without a time follows the frame before it.
"""

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

# FFmpeg's flags of formats whose clock may start again, and of formats that store no times.
_NEW_CLOCKS, _NO_TIMES = 0x200, 0x80
# Seconds by which a transport stream may leap forward, or backward, without a new clock.
_LEAP, _BACK = 10, Fraction(1, 10)
_WRONG = 30 * 3600  # seconds; in other files, a time that is farther off is not believed


class Clock:
    """Corrects the times of one stream: first of its packets, then of the frames in them.

    Args:
        container: the open file.
        stream: its video stream.
        rate: frames per second, for frames whose duration is not known.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, rate: Fraction) -> None:
        self._base = stream.time_base or 1 / rate
        self._usual = self._ticks(1 / rate) or 1
        self._may_leap = bool(container.format.flags & _NEW_CLOCKS)
        self._has_times = not container.format.flags & _NO_TIMES
        self._shift = -self._start(container, stream)  # is added to all times of the file
        # The order of decoding: the times of the last packet, and of the one to come.
        self._packet: int | None = None
        self._next_packet: int | None = None
        self._guess = _Guess()
        self._shown: list[int] = []  # the time of the last frame, once there is one
        self._duration = self._usual

    def _ticks(self, seconds: Fraction) -> int:
        """Convert seconds to units of the stream."""
        return round(seconds / self._base)

    def _start(self, container: InputContainer, stream: VideoStream) -> int:
        """Return the time at which the file starts, in units of the stream."""
        if container.start_time is None:
            return 0
        # In a transport stream, ffmpeg counts from the first of the streams that it reads.
        if self._may_leap and stream.start_time is not None:
            return int(stream.start_time)
        return self._ticks(Fraction(container.start_time, av.time_base))

    def correct(self, packet: "av.Packet[VideoStream]") -> None:
        """Correct the times of the next packet."""
        self._move(packet, self._shift)
        if packet.dts is not None and self._next_packet is not None and self._packet is not None:
            error = packet.dts - self._next_packet
            if self._may_leap:
                if abs(error) > self._ticks(Fraction(_LEAP)) or (
                    packet.dts < self._packet - self._ticks(_BACK)
                ):
                    self._shift -= error
                    self._move(packet, -error)
            else:
                self._disbelieve(packet)
        if packet.dts is not None:
            self._packet = self._next_packet = packet.dts
        elif self._next_packet is None:
            self._packet = self._next_packet = packet.pts
        else:
            self._packet = self._next_packet
        if self._next_packet is not None:
            self._next_packet += packet.duration or self._usual

    def _move(self, packet: "av.Packet[VideoStream]", ticks: int) -> None:
        """Move the times of a packet."""
        if packet.dts is not None:
            packet.dts += ticks
        if packet.pts is not None:
            packet.pts += ticks

    def _disbelieve(self, packet: "av.Packet[VideoStream]") -> None:
        """Remove times that are far from the expected one."""
        expected, limit = self._next_packet or 0, self._ticks(Fraction(_WRONG))
        if packet.pts is not None and abs(packet.pts - expected) > limit:
            packet.pts = None
        if packet.dts is not None and abs(packet.dts - expected) > limit:
            packet.dts = None

    def stamp(self, picture: av.VideoFrame) -> None:
        """Give the next frame the time at which it is shown."""
        # In a stream without a container, FFmpeg's parser makes up times, sometimes wrong ones.
        time = self._guess.time(picture.pts, picture.dts) if self._has_times else None
        if time is None:
            time = self._shown[-1] + self._duration if self._shown else 0
        # A duration is often made up, such as a six hundredth of a second in AVI.
        passed = time - self._shown[-1] if self._shown and self._has_times else 0
        self._duration = passed if passed > 0 else picture.duration or self._usual
        self._shown = [time]
        picture.pts, picture.time_base = time, self._base


class _Guess:
    """Guesses which of a frame's two times is right, as ffmpeg does: the one that errs less.

    AVI has only the times of decoding (dts); some files have wrong times of showing (pts).
    """

    def __init__(self) -> None:
        self._errors = {"pts": 0, "dts": 0}
        self._last: dict[str, int] = {}

    def time(self, pts: int | None, dts: int | None) -> int | None:
        """Return the better of two times; None if both are absent."""
        for name, time, other in (("dts", dts, pts), ("pts", pts, dts)):
            if time is not None and name in self._last:
                self._errors[name] += time <= self._last[name]
            known = other if time is None else time
            if known is not None:
                self._last[name] = known
        if pts is None or (dts is not None and self._errors["pts"] > self._errors["dts"]):
            return dts
        return pts
