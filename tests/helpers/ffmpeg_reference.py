"""What ffmpeg itself makes of a video: the reference that the reader is compared with."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
import numpy as np

from helpers.photo_videos import Image

_TIME = re.compile(rb"Parsed_showinfo.* n: *\d+ .*pts_time:(\S+)")
_SIZE = re.compile(rb"Output #0.*?Video: rawvideo.*?, (\d+)x(\d+)", re.DOTALL)


@dataclass(frozen=True)
class Reference:
    """The frames that ffmpeg reads.

    Attributes:
        times: second at which each frame is shown.
        pictures: the first and the middle picture, BGR, turned upright as by `autorotate`; the
            pixels may not be square.
    """

    times: list[float]
    pictures: list[Image]


def read_by_ffmpeg(path: Path, *, stream: int | None = None) -> Reference:
    """Read a video by ffmpeg; without frames, ffmpeg rejects the file.

    Args:
        path: the video.
        stream: number of the video stream, as in `-map 0:V:0`; None lets ffmpeg choose.
    """
    binary = imageio_ffmpeg.get_ffmpeg_exe()
    chosen = [] if stream is None else ["-map", f"0:V:{stream}"]
    command = [
        *(binary, "-nostdin", "-threads", "1", "-i", f"file:{path}", *chosen),
        *("-an", "-sn", "-dn", "-vf", "showinfo=checksum=0", "-fps_mode", "passthrough"),
        *("-pix_fmt", "bgr24", "-f", "rawvideo", "pipe:1"),
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    times = [float(time) for time in _TIME.findall(done.stderr)]
    size = _SIZE.search(done.stderr)
    if not times or size is None:
        return Reference([], [])
    width, height = map(int, size.groups())
    frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return Reference(times, [frames[0], frames[len(frames) // 2]])
