"""One name, one spelling: people, classes and folds of a user's CSV.

Spellings that no reader can tell apart become one: Unicode's composed form, single plain blanks and
no invisible characters. Names that a reader may or may not take for one (`Anna` and `anna`, `1` and
`01`) are not merged but refused, since one person in training and test inflates results.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from svfap.errors import SvfapError

# The byte order mark, blanks of no width, and the hyphen that shows only at the end of a line.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u2060\u00ad\u200e\u200f"))
# Texts that programs write for a missing value.
_MISSING = frozenset(
    {"na", "n/a", "n.a.", "nan", "<na>", "none", "null", "nil", "nat"}
    | {"#n/a", "#na", "-", "--", "?", "."}
)
SHOWN = 5
SHORTEST = 4  # letters of a name that can be a misspelling of another: Ann and Anna are two people


def plain(text: str) -> str:
    """Return a name in Unicode's composed form, with single plain blanks and nothing invisible."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())


def is_missing(name: str) -> bool:
    """Return whether a name is what programs write for a missing value, such as NA."""
    return name.casefold() in _MISSING


def refuse_lookalikes(names: Mapping[str, int], *, what: str, where: object, accept: str) -> None:
    """Refuse names that look alike, or like a missing value.

    Args:
        names: name that `plain` returned -> number of the first row with it.
        what: what they name, in the singular, such as "subject".
        where: the beginning of the message.
        accept: the key that accepts the names as they are written.

    Raises:
        SvfapError: some names are doubtful; the message lists them.
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name, row in names.items():
        if is_missing(name):
            raise SvfapError(
                f"{where}: row {row}: {what} '{name}' looks like a missing value; fill it in or"
                f" delete the row, or set {accept} if it is a name"
            )
        alike[_skeleton(name)].append(f"'{name}' (row {row})")
    groups = [" = ".join(group) for group in alike.values() if len(group) > 1]
    if groups:
        more = f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else ""
        raise SvfapError(
            f"{where}: is each of these one {what}? {', '.join(groups[:SHOWN])}{more}; write each"
            f" {what} the same way everywhere, or set {accept} if they differ"
        )


def misspellings(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of names that differ by one letter (or two swapped ones) and by no digit."""
    near: dict[tuple[str, str], list[str]] = defaultdict(list)
    pairs: dict[tuple[str, str], None] = {}
    for name in dict.fromkeys(names):
        letters = "".join(c for c in name.casefold() if c.isalpha())
        if len(letters) < SHORTEST:
            continue
        digits = "".join(c for c in name if c.isdigit())
        # Two texts differ by one letter if both are equal after losing at most one.
        for shorter in {letters, *(letters[:n] + letters[n + 1 :] for n in range(len(letters)))}:
            others = near[shorter, digits]
            pairs |= dict.fromkeys((other, name) for other in others)
            others.append(name)
    return list(pairs)


def _skeleton(name: str) -> str:
    """Return a name without all that spellings of one name differ in.

    These are upper and lower case, accents, the width of letters, separators, zeros before a
    number, and `.0` behind a whole one.
    """
    text = unicodedata.normalize("NFKD", name).casefold()
    text = re.sub("[\u0300-\u036f]", "", text)
    text = re.sub(r"(\d)[.,]0+(?!\d)", r"\1", text)  # 1.0
    text = re.sub(r"(?<!\d)(?<!\d[.,])0+(?=\d)", "", text)  # 007, but not the zeros of 1.007
    text = re.sub(r"(?<=\d)[\s_-]+(?=\d)", "-", text)  # 1_2 is 1-2, not 12
    # Elsewhere separators tell nothing apart, except the sign of a number.
    return re.sub(r"[\s_'’`]+|(?<=[^\W\d])[-.]+|[-.]+(?=[^\W\d])", "", text) or name
