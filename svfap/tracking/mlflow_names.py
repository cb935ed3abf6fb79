"""Names and values as MLflow accepts them, so that nothing is lost and all can be decoded.

MLflow 3.17 (mlflow/utils/validation.py) forbids many characters in keys, and keys that a file
system would take for another path, such as `a//b`. It cuts or refuses long values. `encode` writes
a forbidden character as `_xHH_` with its code point, so `valence (1-9)` becomes
`valence _x28_1-9_x29_`; `decode` reverses it.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping

# The limits are 250 characters per key, 6000 per param, 8000 per tag. The server may be older: stay
# below them.
LONGEST_KEY = 250
LONGEST_VALUE = 5000
DIGEST_DIGITS = 16
FULL_NAME_TAG = "svfap.name."
# "_" before "x" is encoded too, so that no other text looks like an encoded character.
FORBIDDEN = re.compile(r"[^/\w.\- ]|_(?=x)")
ENCODED = re.compile(r"_x([0-9a-f]*)_")


def encode(name: str) -> str:
    """Return a key that MLflow accepts if it is short enough; equal results have equal names."""
    key = FORBIDDEN.sub(_encode_character, name)
    if posixpath.normpath(key) != key or key.startswith(("/", "..")) or key == ".":
        key = re.sub(r"[/.]", _encode_character, key)
    return key or "_x_"


def decode(key: str) -> str:
    """Return the name that `encode` was given."""
    return ENCODED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", key)


def shortened(key: str) -> str:
    """Return a key of at most 250 characters: the key itself, or its start and a digest."""
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - DIGEST_DIGITS - 1]}.{_digest(key)}"


def full_names(names: Mapping[str, object]) -> dict[str, str]:
    """Return tags that hold the encoded names of keys that had to be shortened."""
    keys = (encode(name) for name in names)
    return {f"{FULL_NAME_TAG}{_digest(key)}": key for key in keys if shortened(key) != key}


def pairs(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield keys and values; a long value is divided over `KEY`, `KEY.part2`, `KEY.part3`..."""
    for name, value in values.items():
        # Paths that are not valid UTF-8 hold surrogates, and a database may refuse NUL.
        text = value.encode(errors="backslashreplace").decode().replace("\0", r"\x00")
        for number, begin in enumerate(range(0, len(text) or 1, LONGEST_VALUE), 1):
            key = encode(name) if number == 1 else f"{encode(name)}.part{number}"
            yield shortened(key), text[begin : begin + LONGEST_VALUE]


def _encode_character(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):x}_"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:DIGEST_DIGITS]
