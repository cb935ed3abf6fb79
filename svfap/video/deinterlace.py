"""Interlaced video as full pictures: one for each pair of fields, so that nothing is combed."""

from collections.abc import Iterable, Iterator
from itertools import chain

import av
from av.error import BlockingIOError as NotYet
from av.filter import Graph
from av.video.stream import VideoStream

_FILTER = ("bwdif", "mode=send_frame:deint=interlaced")


def deinterlaced(pictures: Iterable[av.VideoFrame], stream: VideoStream) -> Iterator[av.VideoFrame]:
    """The same pictures, those with two fields woven into one; others pass untouched.

    Whether a video is interlaced is read off its first picture.

    Args:
        pictures: as decoded from `stream`.
        stream: tells the filter the format of the pictures.
    """
    remaining = iter(pictures)
    first = next(remaining, None)
    if first is None:
        return
    if not first.interlaced_frame:
        yield first
        yield from remaining
        return
    graph = _graph(stream)
    for picture in chain((first,), remaining, (None,)):
        graph.vpush(picture)
        yield from _ready(graph)


def _graph(stream: VideoStream) -> Graph:
    """Buffer, filter and sink."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream, time_base=stream.time_base),
        graph.add(*_FILTER),
        graph.add("buffersink"),
    ).configure()
    return graph


def _ready(graph: Graph) -> Iterator[av.VideoFrame]:
    """All pictures that the filter has finished."""
    while True:
        try:
            yield graph.vpull()
        except (NotYet, EOFError):
            return
