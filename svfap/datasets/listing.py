"""The CSV in which users list their own videos, read and checked cell by cell.

Columns, in any order: `path` (relative to the CSV's folder, or an http(s) URL) or `id` (a video on
YouTube), optionally `subject`, `fold`, `start` and `end` (seconds), and what the task needs. Rows
are numbered as a spreadsheet shows them: the header is row 1. Standard library only and no video
is touched, so that the workflow can read it whenever it is started.
"""

import csv
import hashlib
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from svfap.datasets import tracks
from svfap.errors import SvfapError
from svfap.sources import is_url
from svfap.sources.platforms import WATCH

ORDINARY_COLUMNS = frozenset(
    {"path", "label", "subject", "fold", "part", "start", "end", "key", "id"}
)
SAFE_NAME = re.compile(r"[A-Za-z0-9_-]+")
STEM_LENGTH = 80


@dataclass(frozen=True)
class ListedVideo:
    """One listed video.

    Attributes:
        where: file and row, to begin an error message with.
        source: absolute local path, or URL.
        start: seconds to skip.
        end: second at which the clip ends; None: at the end of the video.
        cells: column -> stripped text, of every column.
    """

    where: str
    source: str
    start: float
    end: float | None
    cells: Mapping[str, str]

    @property
    def whole(self) -> bool:
        """Whether the clip is the whole video."""
        return self.start == 0 and self.end is None

    def need(self, column: str) -> str:
        """The cell of a column that must not be blank."""
        value = self.cells[column]
        if not value:
            raise SvfapError(f"{self.where}: blank {column}; fill it in or delete the row")
        return value

    def number(self, column: str) -> float:
        """The cell of a column that must hold a finite number."""
        value = self.need(column)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SvfapError(f"{self.where}: {column} '{value}' is not a number; write it like 0.5")
        return number


def read(path: Path) -> list[ListedVideo]:
    """Read a listing of at least one row; every row has every column.

    Raises:
        SvfapError: the file cannot be read as CSV, a column is missing, or a cell is wrong.
    """
    lines = _lines(path)
    header = [_column(name) for name in lines[0]] if lines else []
    if not any(header):
        raise SvfapError(f"{path}: is empty; it needs a header row: path,label,subject")
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise SvfapError(f"{path}: column '{twice[0]}' occurs twice; rename one")
    if "id" not in header:
        require(path, header, "path")
    folder = path.parent.absolute()
    rows: list[ListedVideo] = []
    first_at: dict[tuple[str, float, float | None], int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            row = _row(f"{path}: row {number}", folder, header, line)
            clip = (row.source, row.start, row.end)
            if clip in first_at:
                raise SvfapError(
                    f"{row.where}: path '{_given(row.cells)}' is in row {first_at[clip]} too;"
                    " delete one, or give them different start and end"
                )
            first_at[clip] = number
            rows.append(row)
    if not rows:
        raise SvfapError(f"{path}: lists no videos; add one row per video below the header")
    return rows


def require(path: Path, columns: list[str], column: str) -> None:
    """Raise an error that shows the columns found if one is missing."""
    if column not in columns:
        found = ", ".join(name for name in columns if name)
        separated = re.search(r"[;\t]", found)
        advice = "separate columns by commas" if separated else "add or rename a column"
        shown = " ".join(found.split())
        raise SvfapError(f"{path}: column '{column}' is missing (found: {shown}); {advice}")


def keys(rows: list[ListedVideo]) -> list[str]:
    """A key for each row: the file's stem in safe letters, plus a digest where stems clash.

    A key depends on the row and on which stems clash, not on the order of rows. Upper and lower
    case count as the same, as they do to some file systems.
    """
    names = [stem(row.source) for row in rows]
    count = Counter(name.casefold() for name in names)
    return [
        name if count[name.casefold()] == 1 else f"{name}-{digest(row)}"
        for name, row in zip(names, rows, strict=True)
    ]


def digest(row: ListedVideo) -> str:
    """Tells apart the clips of a listing: eight hexadecimal digits."""
    return digest_of(f"{_given(row.cells)}\n{row.start}\n{row.end}")


def digest_of(text: str) -> str:
    """Eight hexadecimal digits that depend on the text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _lines(path: Path) -> list[list[str]]:
    """All lines of a CSV, split into cells."""
    if path.is_dir() or path.suffix.lower() == ".json":
        return [list(tracks.COLUMNS), *map(list, tracks.read(path))]
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise SvfapError(
            f"{path}: cannot be read ({error.strerror}); `csv:` must name a CSV file"
        ) from None
    except UnicodeDecodeError as error:
        raise SvfapError(
            f"{path}: not UTF-8 text (byte {error.start}); save it as 'CSV UTF-8'"
        ) from None
    except csv.Error as error:
        raise SvfapError(f"{path}: not valid CSV ({error}); check its quotation marks") from None


def _column(name: str) -> str:
    """A column name without blanks around it; those with a meaning in any case of letters."""
    name = " ".join(name.split())
    return name.lower() if name.lower() in ORDINARY_COLUMNS else name


def _row(where: str, folder: Path, header: list[str], line: list[str]) -> ListedVideo:
    """One line as a row; `folder` is what its path is relative to."""
    if any(cell.strip() for cell in line[len(header) :]):
        raise SvfapError(
            f"{where}: {len(line)} values for {len(header)} columns;"
            " put a value that contains a comma in quotation marks"
        )
    padded = [*(" ".join(cell.strip().splitlines()) for cell in line), *("" for _ in header)]
    cells = dict(zip(header, padded, strict=False))
    draft = ListedVideo(where, "", 0.0, None, cells)
    start = draft.number("start") if cells.get("start") else 0.0
    end = draft.number("end") if cells.get("end") else None
    if start < 0 or (end is not None and end <= start):
        raise SvfapError(f"{where}: start must be 0 or later and end after start, in seconds")
    if "path" not in cells:
        return ListedVideo(where, WATCH.format(draft.need("id")), start, end, cells)
    return ListedVideo(where, _source(folder, where, draft.need("path")), start, end, cells)


def _given(cells: Mapping[str, str]) -> str:
    """The video as the user names it."""
    return cells.get("path") or cells["id"]


def _source(folder: Path, where: str, value: str) -> str:
    if "\0" in value:
        raise SvfapError(f"{where}: path {value!r} holds a NUL, as no path can; delete the row")
    try:
        if is_url(value):
            urlsplit(value)
            return value
        local = Path(value).expanduser() if value.startswith("~") else value
    except (ValueError, RuntimeError) as error:
        raise SvfapError(f"{where}: path '{value}' is none ({error}); correct it") from None
    if "://" in value:
        raise SvfapError(f"{where}: path '{value}' is neither a local path nor http(s)")
    return str(folder / local)


def stem(source: str) -> str:
    """The name of a path or URL without its ending, in letters that are safe in any file name."""
    name = Path(source).as_posix()
    if is_url(source):
        address = urlsplit(source)
        shown = parse_qs(address.query).get("v", [""])[0]
        name = f"{shown}.page" if shown else unquote(address.path)
    plain = unicodedata.normalize("NFKD", PurePosixPath(name).stem)
    ascii_only = plain.encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_only)[:STEM_LENGTH].strip("_-") or "clip"
