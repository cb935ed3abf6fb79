"""Open a file with FFmpeg, and nothing but this file."""

from pathlib import Path

import av
from av.container import InputContainer

# A list of files to play would make FFmpeg read any file of this machine, or any address, that its
# author names.
_LISTS = {"concat", "dash", "hls", "imf", "rtp", "rtsp", "sdp"}
_OPTIONS = {
    "format_whitelist": ",".join(sorted(av.formats_available - _LISTS)),
    "protocol_whitelist": "file",
}


def open_container(path: Path) -> InputContainer:
    """Open a file of video or sound for reading.

    Raises:
        av.error.FFmpegError: it is not such a file, or it lists other files.
    """
    # The protocol "file:" keeps FFmpeg from taking a name such as "concat:a.mp4" for a URL.
    # Some recorders write names and places in other encodings than UTF-8.
    return av.open(f"file:{path.absolute()}", options=_OPTIONS, metadata_errors="replace")
