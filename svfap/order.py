"""The order in which people count: `frame2` before `frame10`."""

import re

NaturalKey = tuple[list[tuple[int, str]], str]


def natural_key(name: str) -> NaturalKey:
    """Sorting key that compares runs of digits as numbers."""
    pieces = re.split(r"([0-9]+)", name)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces], name
