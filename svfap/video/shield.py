"""Read videos in another process first, so that one that crashes the decoder ends only that one.

A damaged file can crash FFmpeg, keep it in an endless loop, or use up the memory. The other process
is a program of its own, because `multiprocessing` would run a user's script once more. It takes
requests as lines of JSON and answers each with a line.
"""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

CRASHES = "crashes the decoder, keeps it from coming to an end, or needs too much memory"
# Frames decoded in one go that take more CPU seconds than this count as a hang of the decoder.
# Frames that decode take far less.
FRAME_SECONDS = 120.0


def set_cpu_limit(seconds: float) -> None:
    """End this process once it has used this much more CPU time; 0 removes the limit.

    Python exceptions cannot interrupt a loop in C code. The timer's signal, SIGPROF, ends the whole
    process.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)


class Shield:
    """Another process that reads videos; it starts with the first request.

    It is a context: leaving it ends the process.
    """

    def __init__(self) -> None:
        self._reader: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Shield":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def why_unreadable(self, path: Path, stream: int | None) -> str:
        """Decode a whole video; return why the process does not survive that, or an empty text.

        Args:
            path: a video, or a folder of frames.
            stream: number of its video stream, see `svfap.video.streams.choose`.
        """
        return self._ask({"path": str(path), "stream": stream, "whole": True})

    def why_no_video(self, path: Path) -> str:
        """Return what `svfap.video.recognise.why_no_video` does, or that the file crashes it."""
        return self._ask({"path": str(path), "stream": None, "whole": False})

    def _ask(self, request: dict[str, str | int | bool | None]) -> str:
        """Return the answer to a request; a file that ends the process twice crashes it."""
        for _ in range(2):  # the first time, the system may have been short of memory
            if self._reader is None:
                self._reader = _start()
            reader = self._reader
            assert reader.stdin is not None
            assert reader.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                reader.stdin.write(json.dumps(request) + "\n")
                reader.stdin.flush()
            if answer := reader.stdout.readline():
                return str(json.loads(answer))
            status = reader.wait()
            self._end()
            if status >= 0:
                return ""  # no signal: an error that reading the video here will show
        return CRASHES

    def _end(self) -> None:
        """End the process, also if it still decodes for a caller that has given up."""
        if self._reader is not None:
            self._reader.kill()
            with contextlib.suppress(BrokenPipeError), self._reader:
                self._reader = None


def _start() -> "subprocess.Popen[str]":
    """Start the process; its messages are dropped, since reading a video again repeats them."""
    return subprocess.Popen(
        [sys.executable, "-m", "svfap.video.shield"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _main() -> None:
    """Answer requests until there are no more."""
    # Ctrl-C reaches every process of the terminal; the parent reacts, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from svfap.video.decode import Reject, read_frames
    from svfap.video.recognise import why_no_video

    for line in sys.stdin:
        request, reason = json.loads(line), ""
        path = Path(request["path"])
        set_cpu_limit(FRAME_SECONDS)
        if request["whole"]:
            with contextlib.suppress(Reject):  # the parent will meet it too
                for _ in read_frames(path, request["stream"]):
                    set_cpu_limit(FRAME_SECONDS)
        else:
            reason = why_no_video(path)
        set_cpu_limit(0)
        print(json.dumps(reason), flush=True)


if __name__ == "__main__":
    _main()
