"""Natural order of names: `frame2` before `frame10`."""

import re

NaturalKey = tuple[list[tuple[int, str]], str]


def natural_key(name: str) -> NaturalKey:
    """Return a sorting key that compares sequences of digits as numbers."""
    pieces = re.split(r"([0-9]+)", name)
    # -1 sorts text before numbers; the name itself orders "a1" and "a01".
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in pieces], name
