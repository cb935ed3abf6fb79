"""Read and check the CSV in which users list their own videos.

Columns, in any order: `path` (relative to the CSV's folder, or an http(s) URL) or `id` (a video on
YouTube), optionally `subject`, `fold`, `start` and `end` (seconds), and the columns of the task.
Rows are numbered as a spreadsheet shows them: the header is row 1. The module uses only the
standard library and opens no video, because the workflow reads the CSV at every start.
"""

import csv
import hashlib
import io
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from svfap.datasets import spelling, tracks
from svfap.errors import SvfapError
from svfap.sources import is_url
from svfap.sources.addresses import why_no_path
from svfap.sources.platforms import WATCH

ORDINARY_COLUMNS = frozenset(
    {"path", "label", "subject", "fold", "part", "start", "end", "key", "id"}
)
SOURCE_COLUMNS = frozenset({"path", "id"})
SAFE_NAME = re.compile(r"[A-Za-z0-9_-]+")
STEM_LENGTH = 80  # leaves room for suffixes and digests in the 255 bytes of a file name


@dataclass(frozen=True)
class ListedVideo:
    """One listed video.

    Attributes:
        where: file and row, with which error messages about the video begin.
        number_of_row: number of the row, as a spreadsheet shows it.
        source: absolute local path, or URL.
        start: second at which the clip starts.
        end: second at which the clip ends; None for the end of the video.
        cells: column -> stripped text, for every column.
    """

    where: str
    number_of_row: int
    source: str
    start: float
    end: float | None
    cells: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether the clip is the whole video."""
        return self.start == 0 and self.end is None

    def require(self, column: str) -> str:
        """Return the text in a column; raise SvfapError if it is blank."""
        value = self.cells[column]
        if not value:
            raise SvfapError(f"{self.where}: blank {column}; fill it in or delete the row")
        return value

    def number(self, column: str) -> float:
        """Return the text in a column as a finite number; raise SvfapError if it is not one."""
        value = self.require(column)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SvfapError(f"{self.where}: {column} '{value}' is not a number; write it like 0.5")
        return number


def read(path: Path) -> list[ListedVideo]:
    """Read a listing; every row gets every column.

    Raises:
        SvfapError: the file cannot be read as CSV, has no rows, lacks a column, or a cell is wrong.
    """
    lines = _csv_lines(path)
    header = [_column_name(name) for name in lines[0]] if lines else []
    if not any(header):
        first = "row 1 is blank" if any(map(any, lines)) else "is empty"
        raise SvfapError(f"{path}: {first}; it needs a header row: path,label,subject")
    _check_separators(f"{path}: row 1", lines[0])
    repeated = [name for name, count in Counter(header).items() if name and count > 1]
    if repeated:
        raise SvfapError(f"{path}: column '{repeated[0]}' occurs twice; rename one")
    if "id" not in header:
        require_column(path, header, "path")
    rows: list[ListedVideo] = []
    first_rows: dict[tuple[str, float, float | None], int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            row = _row(path, number, header, line)
            # Links and equal files are found when the videos are read, by `same_video`.
            clip = (os.path.normpath(row.source), row.start, row.end)
            if clip in first_rows:
                raise SvfapError(
                    f"{row.where}: path '{path_or_id(row.cells)}' is in row {first_rows[clip]}"
                    " too; delete one, or give them different start and end"
                )
            first_rows[clip] = number
            rows.append(row)
    if not rows:
        raise SvfapError(f"{path}: lists no videos; add one row per video below the header")
    return rows


def require_column(path: Path, columns: list[str], column: str) -> None:
    """Raise SvfapError, with the columns found, if a column is missing."""
    if column not in columns:
        found = ", ".join(name for name in columns if name)
        raise SvfapError(
            f"{path}: column '{column}' is missing (found: {found}); add or rename a column"
        )


def _check_separators(where: str, line: list[str]) -> None:
    """Raise SvfapError if a cell holds what separates the columns of other programs' tables."""
    for cell in line:
        if separator := re.search(r"[;\t]", cell.strip()):
            name = "a tab" if separator[0] == "\t" else "';'"
            shown = " ".join(cell.split())
            raise SvfapError(f"{where}: {name} in '{shown}'; separate columns by commas")


def keys(rows: list[ListedVideo]) -> list[str]:
    """Return a key for each row: the file's stem in safe letters, plus a digest where stems clash.

    A key depends on the row and on which stems clash, not on the order of rows. Stems that differ
    only in upper and lower case clash too, because some file systems ignore case.
    """
    names = [stem(row.source) for row in rows]
    count = Counter(name.casefold() for name in names)
    return [
        name if count[name.casefold()] == 1 else f"{name}-{digest(row)}"
        for name, row in zip(names, rows, strict=True)
    ]


def digest(row: ListedVideo) -> str:
    """Return eight hexadecimal digits that depend on the path, start and end of a row."""
    return digest_of_text(f"{path_or_id(row.cells)}\n{row.start}\n{row.end}")


def digest_of_text(text: str) -> str:
    """Return eight hexadecimal digits that depend on the text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _csv_lines(path: Path) -> list[list[str]]:
    """Return all lines of a CSV, split into cells; other lists of clips are converted."""
    if path.is_dir() or path.suffix.lower() == ".json":
        return [list(tracks.COLUMNS), *map(list, tracks.read(path))]
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Excel writes a byte order mark
        # newline="" keeps line ends inside quoted cells; strict raises for unclosed quotes.
        return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise SvfapError(
            f"{path}: cannot be read ({error.strerror}); `csv:` must name a CSV file"
        ) from None
    except UnicodeDecodeError as error:
        raise SvfapError(
            f"{path}: not UTF-8 text (byte {error.start + 1}); save it as 'CSV UTF-8'"
        ) from None
    except csv.Error as error:
        raise SvfapError(f"{path}: not valid CSV ({error}); check its quotation marks") from None


def _column_name(name: str) -> str:
    """Return a column name without extra blanks; names of ordinary columns become lower case."""
    name = spelling.plain(name)
    return name.lower() if name.lower() in ORDINARY_COLUMNS else name


def _row(path: Path, number: int, header: list[str], line: list[str]) -> ListedVideo:
    """Check one line of a CSV and return it as a row; its path is relative to the CSV's folder."""
    where = f"{path}: row {number}"
    if any(cell.strip() for cell in line[len(header) :]):
        raise SvfapError(
            f"{where}: {len(line)} values for {len(header)} columns;"
            " put a value that contains a comma in quotation marks"
        )
    if len(line) < len(header):
        _check_separators(where, line)
    # Spreadsheets drop empty cells at the end of a line, so pad it to the length of the header.
    padded = [*(" ".join(cell.strip().splitlines()) for cell in line), *("" for _ in header)]
    cells = {
        # A file's name must stay as the file system has it.
        column: cell if column in SOURCE_COLUMNS else spelling.plain(cell)
        for column, cell in zip(header, padded, strict=False)
    }
    row = ListedVideo(where, number, "", 0.0, None, cells)
    start = row.number("start") if cells.get("start") else 0.0
    end = row.number("end") if cells.get("end") else None
    if start < 0 or (end is not None and end <= start):
        raise SvfapError(f"{where}: start must be 0 or later and end after start, in seconds")
    if "path" in cells:
        source = _source(path.parent.absolute(), where, row.require("path"))
    else:
        source = WATCH.format(row.require("id"))
    return replace(row, source=source, start=start, end=end)


def path_or_id(cells: Mapping[str, str]) -> str:
    """Return the cell by which the user names a video: its path, or else its YouTube id."""
    return cells.get("path") or cells["id"]


def _source(folder: Path, where: str, value: str) -> str:
    """Return the URL or the absolute local path that a cell names."""
    if "\0" in value:
        raise SvfapError(f"{where}: path {value!r} contains a NUL character; delete it")
    try:
        if is_url(value) and not why_no_path(value):
            urlsplit(value)  # raises ValueError for a malformed address
            return value
        local = Path(value).expanduser() if value.startswith("~") else value
    except (ValueError, RuntimeError) as error:
        raise SvfapError(f"{where}: path '{value}' is not valid ({error}); correct it") from None
    source = str(folder / local)
    advice = why_no_path(value)
    if advice and not Path(source).exists():  # a file may have a strange name
        raise SvfapError(f"{where}: path '{value}': {advice}")
    # A list from somebody else must not reach other folders unnoticed. An absolute path is plain.
    if Path(os.path.normpath(local)).parts[:1] == ("..",):
        raise SvfapError(
            f"{where}: path '{value}' leads out of the folder of the list; write the absolute path"
        )
    return source


def stem(source: str) -> str:
    """Return the name of a path or URL without suffix, in letters that any file name may have."""
    name = Path(source).as_posix()
    if is_url(source):
        address = urlsplit(source)
        video_id = parse_qs(address.query).get("v", [""])[0]  # YouTube's .../watch?v=ID
        # The suffix `.page` keeps a dot within an id from being taken as the start of a suffix.
        name = f"{video_id}.page" if video_id else unquote(address.path)
    plain = unicodedata.normalize("NFKD", PurePosixPath(name).stem).encode("ascii", "ignore")
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain.decode())[:STEM_LENGTH].strip("_-") or "clip"
