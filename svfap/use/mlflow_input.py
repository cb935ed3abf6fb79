"""Read the input of a logged MLflow model: paths and URLs of videos, or crops of faces."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.sources.http import fetch, is_url
from svfap.sources.source_error import SourceError

CROPS = "crops"
_COLUMNS = ("video", "path", "url", CROPS)
LARGEST_DOWNLOAD = 2 << 30  # bytes


def items_of(data: Any) -> tuple[list[Any], str]:  # noqa: ANN401
    """Return the items of an input, and the name of the column that held them.

    Args:
        data: an item or several: a text, a list, an array, a Series, or a column of a table, of a
            dictionary or of a list of records. Of several columns, the one called video, path, url
            or crops is taken.

    Raises:
        SvfapError: there is no item, or it is unclear which column has the items.
    """
    name = ""
    if isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        data = pd.DataFrame(data)
    if isinstance(data, pd.DataFrame | Mapping):
        column = _column(list(data))
        name, data = str(column).lower(), data[column]
    if isinstance(data, np.ndarray) and (data.ndim == 0 or data.dtype.kind in "OU"):
        # The server makes an array without dimensions of one path, and a column of a table of text.
        data = data.ravel().tolist()
    if isinstance(data, str | bytes | Path) or not isinstance(data, Iterable):
        return [data], name
    items = list(data)
    if not items:
        raise SvfapError("the input is empty; give the path of a video")
    return items, name


def _column(names: Sequence[Any]) -> Any:  # noqa: ANN401 (pandas takes anything for a name)
    """Return the name of the column that has the videos or crops."""
    found = [name for name in names if str(name).lower() in _COLUMNS] or names
    if len(found) != 1:
        shown = ", ".join(map(str, names)) or "none"
        raise SvfapError(f"the columns are {shown}; call the one with the videos `video`")
    return found[0]


def crops_of(items: Sequence[Any]) -> list[NDArray[np.uint8]]:
    """Return crops of faces as arrays (T, H, W, 3) uint8.

    Raises:
        SvfapError: an item is no such array; nested lists, as JSON has them, are accepted.
    """
    crops = []
    for number, item in enumerate(items):
        try:
            crop = np.asarray(item)
        except ValueError:  # lists of unequal length
            crop = np.empty(0)
        whole = crop.dtype.kind in "iu" and crop.size and crop.min() >= 0 and crop.max() <= 255
        if crop.ndim != 4 or crop.shape[-1] != 3 or not whole:
            raise SvfapError(
                f"item {number} is no crops of a face; give RGB pictures (T, H, W, 3) of 0 to 255"
                " (whole numbers), or the path of a video with input: videos"
            )
        crops.append(crop.astype(np.uint8))
    return crops


@contextlib.contextmanager
def local_videos(items: Sequence[Any], *, most: int = LARGEST_DOWNLOAD) -> Iterator[list[Path]]:
    """Yield local paths of videos; downloads exist while the block runs.

    Args:
        items: paths, `file:` URLs or http(s) URLs.
        most: largest size of a download in bytes.

    Raises:
        SvfapError: an item is neither, or its download fails or is too large.
    """
    with tempfile.TemporaryDirectory(prefix="svfap-") as folder:
        yield [_local(item, Path(folder) / str(number), most) for number, item in enumerate(items)]


def _local(item: Any, folder: Path, most: int) -> Path:  # noqa: ANN401
    """Return the local path of a video; a URL is downloaded into a folder."""
    if not isinstance(item, str | Path):
        kind = type(item).__name__
        raise SvfapError(
            f"a video is given as {kind}, not as path or URL; crops of faces need the parameter"
            ' {"input": "crops"}'
        )
    text = str(item)
    if not text.strip():  # as a path, it would be the working folder
        raise SvfapError("the path of a video is blank; correct it")
    if text.lower().startswith("file:"):
        return Path(url2pathname(urlsplit(text).path))
    if not is_url(text):
        return Path(item)
    name = PurePosixPath(unquote(urlsplit(text).path)).name or "video"
    return fetch(text, folder / name, advance=_Limit(text, most), tries=2)


class _Limit:
    """Count the bytes of a download, and stop it when they are too many."""

    def __init__(self, url: str, most: int) -> None:
        self._url, self._most, self._received = url, most, 0

    def __call__(self, count: int) -> None:
        """Add received bytes; raise SourceError beyond the limit."""
        self._received += count
        if self._received > self._most:
            raise SourceError(
                f"{self._url}: is larger than {self._most / 1e6:.0f} MB; download it by hand and"
                " give its path"
            )
