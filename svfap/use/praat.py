"""Write events as a TextGrid of Praat: interval tiers in Praat's long text format."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from svfap.use.events import Event


def write_textgrid(path: Path, tiers: Mapping[str, Sequence[Event]], *, seconds: float) -> None:
    """Write a TextGrid; intervals without an event have an empty label.

    Args:
        path: file to write.
        tiers: name of the tier -> its events, in order.
        seconds: length of the video.
    """
    ends = (events[-1].end for events in tiers.values() if events)
    length = round(max([seconds, *ends]), 3)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        *_span(0, length),
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, events) in enumerate(tiers.items(), 1):
        lines.append(f"    item [{number}]:")
        lines += [f"        {line}" for line in _tier(name, events, length)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _tier(name: str, events: Sequence[Event], length: float) -> Iterator[str]:
    """Yield the lines of one tier."""
    intervals = list(_without_gaps(events, length))
    yield 'class = "IntervalTier"'
    yield f"name = {_quoted(name)}"
    yield from _span(0, length)
    yield f"intervals: size = {len(intervals)}"
    for number, event in enumerate(intervals, 1):
        yield f"intervals [{number}]:"
        yield from (f"    {line}" for line in _span(event.start, event.end))
        yield f"    text = {_quoted(event.text)}"


def _without_gaps(events: Sequence[Event], length: float) -> Iterator[Event]:
    """Yield the events, with empty ones between them: the intervals of a tier span all its time."""
    now = 0.0
    for event in events:
        if event.start > now:
            yield Event(now, event.start, "")
        yield event
        now = event.end
    if now < length:
        yield Event(now, length, "")


def _span(start: float, end: float) -> list[str]:
    return [f"xmin = {start:.3f}", f"xmax = {end:.3f}"]


def _quoted(text: str) -> str:
    """Return a text in quotes; Praat doubles quotes within."""
    return '"' + text.replace('"', '""') + '"'
