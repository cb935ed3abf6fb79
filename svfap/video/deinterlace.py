"""Deinterlace video: make one full picture of each pair of fields, without combing."""

from collections.abc import Iterable, Iterator

import av
from av.error import BlockingIOError as NotYet
from av.filter import Graph

# `send_frame` makes one picture per pair of fields, so the frame rate stays as declared.
# `interlaced` leaves progressive frames in between as they are.
_FILTER = ("bwdif", "mode=send_frame:deint=interlaced")


def deinterlaced(pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield the pictures of a video, deinterlaced from the first interlaced one on.

    Args:
        pictures: the pictures, which may change their size or format amid the video.
    """
    graph, form = None, None
    for picture in pictures:
        if graph is not None and _form(picture) != form:
            yield from _last_pictures(graph)
            graph = None
        if graph is None:
            if not picture.interlaced_frame:
                yield picture
                continue
            graph, form = _make_graph(picture), _form(picture)
        graph.vpush(picture)
        yield from _finished_pictures(graph)
    if graph is not None:
        yield from _last_pictures(graph)


def _form(picture: av.VideoFrame) -> tuple[int, int, str]:
    """Return what all pictures in a filter must have in common."""
    return picture.width, picture.height, picture.format.name


def _make_graph(picture: av.VideoFrame) -> Graph:
    """Return a filter graph of a buffer, the deinterlacing filter and a sink."""
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base,
        ),
        graph.add(*_FILTER),
        graph.add("buffersink"),
    ).configure()
    return graph


def _last_pictures(graph: Graph) -> Iterator[av.VideoFrame]:
    """End the filter's input, and yield the picture that it held back to look a frame ahead."""
    graph.vpush(None)
    yield from _finished_pictures(graph)


def _finished_pictures(graph: Graph) -> Iterator[av.VideoFrame]:
    """Yield the pictures that the filter has finished so far."""
    while True:
        try:
            yield graph.vpull()
        except (NotYet, EOFError):  # FFmpeg's EAGAIN and EOF: more input is needed, or all is done
            return
