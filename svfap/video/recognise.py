"""Recognise videos and pictures by their names, and other files by their content."""

from pathlib import Path

from av.error import FFmpegError
from av.stream import Disposition

from svfap.video.decode import Reject, read_frames
from svfap.video.opening import open_container

_NAMES = """
.3g2 .3gp .asf .avi .divx .dv .f4v .flv .gif .h264 .h265 .hevc .m1v .m2ts .m2v .m4v .mjpeg .mjpg
.mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .ogv .qt .rm .rmvb .vob .webm .wmv .y4m
"""
# A file of such a name is meant as a video: if it does not decode, the user should know.
VIDEO_NAMES = frozenset(_NAMES.split())
# FFmpeg reads text as pictures of a terminal, and single pictures as videos of one frame.
_NO_VIDEO_FORMATS = frozenset({"tty", "image2", "ico", "webp"})


def why_no_video(path: Path) -> str:
    """Return why a file is no video; an empty text if a frame of it decodes."""
    try:
        if path.stat().st_size == 0:
            return "empty file (0 bytes)"
        reason = _why_no_pictures(path)
        if not reason:
            next(iter(read_frames(path)))
    except Reject as reject:
        return str(reject)
    except FFmpegError:
        return "not a video"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return reason


def _why_no_pictures(path: Path) -> str:
    """Return why a file that FFmpeg opens has no moving pictures; an empty text if it has some."""
    with open_container(path) as container:
        kind = container.format.name
        if kind in _NO_VIDEO_FORMATS or kind.endswith("_pipe"):
            return "not a video"
        videos = container.streams.video
        if all(stream.disposition & Disposition.attached_pic for stream in videos):
            return "no video stream (audio only?)"
    return ""
