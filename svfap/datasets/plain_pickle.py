"""Read pickles of dictionaries, lists, text and numbers without importing or calling anything.

A pickle runs code through the classes and functions that it names. This reader replaces the few
names that label files need by harmless stand-ins, and refuses every other name. NumPy's numbers and
arrays are among them: publishers pickle labels that NumPy computed, often in Python 2.
"""

import io
import math
import pickle
import struct
from collections.abc import Callable
from typing import Any

# What `pickle` documents: damaged data may raise errors other than its own.
UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    RecursionError,
    OverflowError,
    struct.error,
)
# NumPy's letter and number of bytes -> the letter of `struct`.
_NUMBERS = {
    **{f"f{size}": letter for size, letter in ((2, "e"), (4, "f"), (8, "d"))},
    **{f"i{size}": letter for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))},
    **{f"u{size}": letter for size, letter in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))},
    "b1": "?",
}
# NumPy 2 moved `core` to `_core`.
_MODULES = {"numpy"} | {
    f"numpy.{core}.{name}" for core in ("core", "_core") for name in ("multiarray", "numeric")
}


def load_plain(content: bytes) -> object:
    """Return what a pickle holds; text of Python 2 is read as latin-1.

    Raises:
        pickle.UnpicklingError: the pickle names something else than plain values.
        Exception: the data are damaged; one of `UNPICKLING_ERRORS`.
    """
    return _plain(_Unpickler(io.BytesIO(content), encoding="latin1").load())


class _DType:
    """The type of NumPy's numbers: its bytes and their order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = str(code), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "<"

    def read(self, raw: str | bytes) -> list[float]:
        """Return the numbers in some bytes; in a pickle of Python 2, bytes are latin-1 text."""
        if self.code not in _NUMBERS:
            raise pickle.UnpicklingError(f"it holds values of NumPy's type {self.code}")
        data = raw.encode("latin1") if isinstance(raw, str) else bytes(raw)
        letter = _NUMBERS[self.code]
        count = len(data) // struct.calcsize(letter)
        return [*struct.unpack(f"{self.order}{count}{letter}", data)]


class _Array:
    """An array of NumPy's numbers."""

    def __init__(self, *_: object) -> None:
        self.shape: tuple[int, ...] = ()
        self.values: list[float] = []

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, raw = state
        self.shape, self.values = tuple(shape), dtype.read(raw)
        if math.prod(self.shape) != len(self.values) or (by_columns and len(self.shape) > 1):
            raise pickle.UnpicklingError("it holds an array of NumPy in an unusual form")

    def nested(self) -> object:
        """Return the numbers as lists in lists; an array without dimensions is a number."""
        values: list[object] = [*self.values]
        for size in reversed(self.shape[1:]):
            values = [values[start : start + size] for start in range(0, len(values), size)]
        return values if self.shape else values[0]


def _scalar(dtype: _DType, raw: str | bytes) -> float:
    """Return one of NumPy's numbers."""
    (value,) = dtype.read(raw)
    return value


def _from_buffer(
    raw: bytes, dtype: _DType, shape: tuple[int, ...], order: str, *_: object
) -> _Array:
    """Return an array as protocol 5 holds it."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return bytes that a pickle of protocol 2 or less holds as latin-1 text."""
    return text.encode("latin1") if encoding in ("latin1", "latin-1") else text.encode("utf-8")


def _no_bytes() -> bytes:
    """Return what protocol 2 or less holds for empty bytes, as a call without arguments."""
    return b""


_NUMPY: dict[str, Callable[..., object]] = {
    "dtype": _DType,
    "ndarray": _Array,
    "_reconstruct": _Array,
    "_frombuffer": _from_buffer,
    "scalar": _scalar,
}
_STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    **{(module, name): _NUMPY[name] for module in _MODULES for name in _NUMPY},
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
}


class _Unpickler(pickle.Unpickler):
    """Unpickler that finds stand-ins only; it never imports anything."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        if (module, name) not in _STAND_INS:
            # A pickle runs code through the classes and functions that it names.
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return _STAND_INS[module, name]


def _plain(value: object) -> object:
    """Replace arrays by numbers and lists, however deep they are."""
    if isinstance(value, _Array):
        return value.nested()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
