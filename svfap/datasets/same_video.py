"""The same video under two names: found by its path, behind links, or by equal content.

Hashing every video would read the whole dataset. Only videos of equal size can be equal, and those
are rare, so only they are read.
"""

import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from svfap.errors import SvfapError

logger = logging.getLogger(__name__)
SHOWN = 3


class ListedSpan(NamedTuple):
    """A listed clip.

    Attributes:
        where: its place in a listing, for messages.
        path: the raw video.
        start: second at which the clip starts.
        end: second at which it ends; None for the end of the video.
        part: the part that it belongs to.
    """

    where: str
    path: Path
    start: float
    end: float | None
    part: str

    def overlaps(self, other: "ListedSpan") -> bool:
        """Return whether two clips of one video share frames."""
        ends = [math.inf if span.end is None else span.end for span in (self, other)]
        return max(self.start, other.start) < min(ends)


def refuse_shared_videos(listing: Path, spans: Sequence[ListedSpan]) -> None:
    """Refuse a video that two parts show; warn of one that a part shows twice.

    Args:
        listing: the CSV, for messages.
        spans: its clips; missing videos and folders of frames are left out.

    Raises:
        SvfapError: two clips in different parts show the same frames.
    """
    shared: list[str] = []
    repeated: list[str] = []
    of_path: dict[Path, list[ListedSpan]] = defaultdict(list)
    for span in spans:
        of_path[span.path].append(span)
    for group in equal_videos(of_path):
        for one, other in combinations([span for path in group for span in of_path[path]], 2):
            if one.overlaps(other):
                kind = shared if one.part != other.part else repeated
                rows = " and ".join(s.where.removeprefix(f"{listing}: ") for s in (one, other))
                kind.append(f"{rows} ({one.path.name}, {other.path.name})")
    if repeated:
        logger.warning("%s: the same video twice: %s", listing, _listed(repeated))
    if shared:
        raise SvfapError(
            f"{listing}: the same video in training and test: {_listed(shared)}; delete one of"
            " each, or put both into one fold"
        )


def equal_videos(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield each list of paths that lead to one video or to equal ones; single paths count too."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        if path.is_file():
            by_size[path.stat().st_size].append(path)
    for size, similar in by_size.items():
        by_content: dict[object, list[Path]] = defaultdict(list)
        for path in similar:
            # Empty files are no videos; each counts as different.
            alone = len(similar) == 1 or not size
            by_content[path if alone else _content(path)].append(path)
        yield from by_content.values()


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
