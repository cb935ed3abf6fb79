"""Read tables of labels, saved as CSV or by Excel, as rows of text by the names of their columns.

An Excel workbook is a zip of XML files. Its first sheet is all that is read here, so no package for
Excel is needed.
"""

import csv
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree  # a document type is refused below, so nothing can expand

from svfap.datasets.local_copy import text_lines
from svfap.errors import SvfapError

MAX_BYTES = 100_000_000  # of one XML file; lists of labels have about 1 MB
TEXTS = "xl/sharedStrings.xml"
SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
_CELL = re.compile(r"([A-Z]+)\d+")
_XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read_table(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a table: column -> text without surrounding blanks.

    Args:
        path: a CSV or an Excel workbook (`.xlsx`).
        columns: names that the first row must have; case and surrounding blanks do not matter, and
            other columns are left out.

    Raises:
        SvfapError: the file is damaged, or lacks a column.
    """
    lines = workbook(path) if path.suffix.lower() == ".xlsx" else csv.reader(text_lines(path))
    cells = filter(any, lines)
    names = [name.strip().casefold() for name in next(cells, [])]
    missing = [name for name in columns if name.casefold() not in names]
    if missing:
        raise SvfapError(
            f"{path}: no column '{missing[0]}'; its first row must name {', '.join(columns)}"
        )
    places = {name: names.index(name.casefold()) for name in columns}
    for row in cells:
        padded = [*row, *[""] * (len(names) - len(row))]
        yield {name: padded[place].strip() for name, place in places.items()}


def workbook(path: Path) -> Iterator[list[str]]:
    """Yield the cells of the rows of a workbook's first sheet; rows that it leaves out are empty.

    Raises:
        SvfapError: the file is not a workbook, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sheets = sorted(
                (int(match[1]), match[0])
                for match in map(SHEET.fullmatch, archive.namelist())
                if match
            )
            texts = _texts(archive) if TEXTS in archive.namelist() else []
            rows = [*_parsed(archive, sheets[0][1]).iter(f"{_XML}row")]
            before = 0
            for row in rows:
                number = int(row.get("r", before + 1))
                yield from ([] for _ in range(before + 1, number))
                yield _cells(row, texts)
                before = number
    except (zipfile.BadZipFile, ElementTree.ParseError, IndexError, ValueError, OSError) as error:
        raise SvfapError(
            f"{path}: not a workbook of Excel ({error}); download it again, or save it as CSV"
        ) from None


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """Return an XML file of the workbook."""
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise ValueError(f"{name} is larger than {MAX_BYTES:,} bytes")
    content = archive.read(name)
    if b"<!DOCTYPE" in content:
        raise ValueError(f"{name} declares a document type")
    return ElementTree.fromstring(content)


def _texts(archive: zipfile.ZipFile) -> list[str]:
    """Return the texts that cells refer to by their number."""
    return [_text(entry) for entry in _parsed(archive, TEXTS).iter(f"{_XML}si")]


def _text(element: ElementTree.Element) -> str:
    """Return the text of an element, which may be in pieces of different looks."""
    return "".join(piece.text or "" for piece in element.iter(f"{_XML}t"))


def _cells(row: ElementTree.Element, texts: Sequence[str]) -> list[str]:
    """Return the cells of a row; a workbook leaves empty ones out."""
    cells: list[str] = []
    for cell in row.iter(f"{_XML}c"):
        match = _CELL.fullmatch(cell.get("r", ""))
        place = _column(match[1]) if match else len(cells)
        cells += [""] * (place + 1 - len(cells))
        kind, value = cell.get("t"), cell.findtext(f"{_XML}v", "")
        if kind == "inlineStr":
            value = _text(cell)
        cells[place] = texts[int(value)] if kind == "s" else value
    return cells


def _column(letters: str) -> int:
    """Return the number of a column from its letters: A is 0, Z is 25, AA is 26."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
