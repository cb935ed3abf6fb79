"""Files in an object store, by fsspec: S3, Google Storage, Azure and whatever else it knows.

fsspec comes with torch; the package for each kind of store is the user's choice, such as s3fs. A
store replaces an object at once, so nobody reads half a file.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from svfap.errors import SvfapError
from svfap.redact import redacted
from svfap.replacing import replacing

P = ParamSpec("P")


def _explained(function: Callable[P, None]) -> Callable[P, None]:
    """Turn whatever a store raises into one line."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except SvfapError:
            raise
        except Exception as error:  # every store has exceptions of its own
            where = redacted(str(next(arg for arg in args if "://" in str(arg))))
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SvfapError(
                f"SVFAP_STATE: {where}: {redacted(reason)}; check address, package and credentials"
            ) from None

    return call


@_explained
def put(path: Path, address: str, *, previous: str) -> None:
    """Store a file, and keep the one of the same name under the name `previous`.

    Raises:
        SvfapError: the store cannot be reached or refuses.
    """
    store, folder = _open(address)
    if folder.startswith("/"):  # in an object store, the path begins with a bucket, never made here
        store.makedirs(folder, exist_ok=True)
    own = f"{folder}/{path.name}"
    if store.exists(own):
        store.copy(own, f"{folder}/{previous}")
    store.put_file(str(path), own)


@_explained
def get(address: str, paths: Iterable[Path]) -> None:
    """Fetch the files that the store has.

    Raises:
        SvfapError: the store cannot be reached or refuses.
    """
    store, folder = _open(address)
    store.invalidate_cache()
    for path in paths:
        if store.exists(f"{folder}/{path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:  # several processes of a run may do this at once
                store.get_file(f"{folder}/{path.name}", str(partial))


@_explained
def remove(address: str, names: Iterable[str]) -> None:
    """Delete the files that the store has.

    Raises:
        SvfapError: the store cannot be reached or refuses.
    """
    store, folder = _open(address)
    for name in names:
        if store.exists(f"{folder}/{name}"):
            store.rm_file(f"{folder}/{name}")


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    from fsspec.core import url_to_fs

    store, folder = url_to_fs(address)
    return store, str(folder).rstrip("/")
