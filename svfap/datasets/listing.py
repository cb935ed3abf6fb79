"""Read and check the CSV in which users list their own videos.

Columns, in any order: `path` (relative to the CSV's folder, or an http(s) URL) or `id` (a video on
YouTube), optionally `subject`, `fold`, `start` and `end` (seconds), and the columns of the task.
Rows are numbered as a spreadsheet shows them: the header is row 1. The module uses only the
standard library and opens no video, because the workflow reads the CSV at every start.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from svfap.datasets import columns, spelling, tracks
from svfap.datasets.cells import read as cells_of_file
from svfap.errors import SvfapError
from svfap.sources import is_url
from svfap.sources.addresses import why_no_path
from svfap.sources.platforms import WATCH

ORDINARY_COLUMNS = frozenset(
    {"path", "label", "subject", "fold", "part", "start", "end", "key", "id"}
)
SOURCE_COLUMNS = frozenset({"path", "id"})
SAFE_NAME = re.compile(r"[A-Za-z0-9_-]+")
SHOWN = 5  # rows that a message names


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


def read(path: Path, named: Mapping[str, str] = MappingProxyType({})) -> list[ListedVideo]:
    """Read a listing; every row gets every column.

    Args:
        path: the listing.
        named: columns that have other names in it: `{"label": "emotion"}`. An ordinary column can
            serve twice: with `{"subject": "path"}` each video shows another person.

    Raises:
        SvfapError: the file cannot be read as CSV, has no rows, lacks a column, or a cell is wrong.
    """
    lines = lines_of(path)
    if not lines or not any(cell.strip() for cell in lines[0]):
        first = "row 1 is blank" if any(map(any, lines)) else "is empty"
        raise SvfapError(f"{path}: {first}; it needs a header row: path,label,subject")
    header = _header(path, lines[0], named)
    twice = {name: own for name, own in named.items() if own in ORDINARY_COLUMNS}
    rows: list[ListedVideo] = []
    for number, line in enumerate(lines[1:], start=2):
        if any(cell.strip() for cell in line):
            row = _row(path, number, header, line)
            copied = {name: row.cells[own] for name, own in twice.items()}
            rows.append(replace(row, cells={**row.cells, **copied}))
    if not rows:
        raise SvfapError(f"{path}: lists no videos; add one row per video below the header")
    _refuse_repeated(path, rows)
    return rows


def _header(path: Path, line: list[str], named: Mapping[str, str]) -> list[str]:
    """Return the names of the columns, ordinary ones by their ordinary names."""
    if any(cell.strip() and (path.parent / cell.strip()).is_file() for cell in line):
        raise SvfapError(f"{path}: row 1 is a video; add a header row above: path,label,subject")
    _check_separators(f"{path}: row 1", line)
    header = [_column_name(name) for name in line]
    for column, own in named.items():
        columns.require(path, header, _column_name(own))
        if own not in ORDINARY_COLUMNS:
            header = ["" if name == column else name for name in header]
            header = [column if name == _column_name(own) else name for name in header]
    repeated = [name for name, count in Counter(header).items() if name and count > 1]
    if repeated:
        raise SvfapError(f"{path}: column '{repeated[0]}' occurs twice; rename one")
    if "id" not in header:
        columns.require(path, header, "path")
    return header


def _refuse_repeated(path: Path, rows: Sequence[ListedVideo]) -> None:
    """Refuse a clip that is listed twice.

    Links and equal files are found when the videos are read, by `svfap.datasets.same_video`.
    """
    first_rows: dict[tuple[str, float, float | None], int] = {}
    repeated = []
    for row in rows:
        clip = (os.path.normpath(row.source), row.start, row.end)
        first = first_rows.setdefault(clip, row.number_of_row)
        if first != row.number_of_row:
            column = "path" if "path" in row.cells else "id"
            repeated.append(
                f"row {row.number_of_row}: {column} '{row.cells[column]}' is in row {first} too"
            )
    if repeated:
        more = f" (and {len(repeated) - 1} more rows are repeated)" if repeated[1:] else ""
        raise SvfapError(
            f"{path}: {repeated[0]}{more}; delete one, or give them different start and end"
        )


def require_filled(path: Path, rows: Sequence[ListedVideo], column: str) -> None:
    """Raise SvfapError, with the rows, if a column has blank cells."""
    blank = [str(row.number_of_row) for row in rows if not row.cells.get(column)]
    if blank:
        more = f" and {len(blank) - SHOWN} more" if len(blank) > SHOWN else ""
        shown = f"row{'s' * (len(blank) > 1)} {', '.join(blank[:SHOWN])}{more}"
        raise SvfapError(f"{path}: {shown}: blank {column}; fill it in or delete the row")


def _check_separators(where: str, line: list[str]) -> None:
    """Raise SvfapError if a cell holds what separates the columns of other programs' tables."""
    for cell in line:
        if separator := re.search(r"[;\t]", cell.strip()):
            name = "a tab" if separator[0] == "\t" else "';'"
            shown = " ".join(cell.split())
            raise SvfapError(f"{where}: {name} in '{shown}'; separate columns by commas")


def lines_of(path: Path) -> list[list[str]]:
    """Return all lines of a list, split into cells; other lists of clips are converted.

    Raises:
        SvfapError: the file cannot be read.
    """
    if path.is_dir() or path.suffix.lower() == ".json":
        return [list(tracks.COLUMNS), *map(list, tracks.read(path))]
    return cells_of_file(path)


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
    as_here = value.replace("\\", "/")
    if as_here != value and not (folder / value).exists() and (folder / as_here).exists():
        value = as_here  # a list that was made on Windows
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
