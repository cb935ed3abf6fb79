"""Deinterlace video: make one full picture of each pair of fields, without combing."""

from collections.abc import Iterable, Iterator
from itertools import chain

import av
from av.error import BlockingIOError as NotYet
from av.filter import Graph
from av.video.stream import VideoStream

# `send_frame` makes one picture per pair of fields, so the frame rate stays as declared.
# `interlaced` leaves progressive frames in between as they are.
_FILTER = ("bwdif", "mode=send_frame:deint=interlaced")


def deinterlaced(pictures: Iterable[av.VideoFrame], stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Yield the pictures of a video, deinterlaced if the first one is interlaced.

    If the first picture is progressive, all pictures are yielded unchanged.

    Args:
        pictures: the pictures decoded from `stream`.
        stream: the stream, which gives the filter the format of the pictures.
    """
    remaining = iter(pictures)
    first = next(remaining, None)
    if first is None:
        return
    if not first.interlaced_frame:
        yield first
        yield from remaining
        return
    graph = _make_graph(stream)
    # The filter looks a frame ahead. Pushing None ends its input, and the last frame comes out.
    for picture in chain((first,), remaining, (None,)):
        graph.vpush(picture)
        yield from _finished_pictures(graph)


def _make_graph(stream: VideoStream) -> Graph:
    """Return a filter graph of a buffer, the deinterlacing filter and a sink."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream, time_base=stream.time_base),
        graph.add(*_FILTER),
        graph.add("buffersink"),
    ).configure()
    return graph


def _finished_pictures(graph: Graph) -> Iterator[av.VideoFrame]:
    """Yield the pictures that the filter has finished so far."""
    while True:
        try:
            yield graph.vpull()
        except (NotYet, EOFError):  # FFmpeg's EAGAIN and EOF: more input is needed, or all is done
            return
