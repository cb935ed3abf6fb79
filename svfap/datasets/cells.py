"""Read the cells of a list of videos, whichever program saved it.

Excel saves CSV with commas or, where numbers have a decimal comma, with semicolons; "Unicode text"
has tabs, and a workbook (`.xlsx`) is none of these. Row 1 shows what separates the cells.
"""

import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from svfap.datasets import spreadsheet
from svfap.errors import SvfapError

SEPARATORS = ",;\t"
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_EXCEL_SAYS = re.compile(r"sep=(.)\r?\n")  # Excel hides such a first line


def read(path: Path) -> list[list[str]]:
    """Return all lines of a list, split into cells.

    In a list with semicolons or tabs, `0,5` is a number and becomes `0.5`.

    Raises:
        SvfapError: the file cannot be read as text, CSV or workbook.
    """
    if path.suffix.lower() == ".xlsx" and path.is_file():
        return list(spreadsheet.workbook(path))
    text = _text(path)
    said = _EXCEL_SAYS.match(text)
    text = text[said.end() :] if said else text
    # Equal counts mean a comma, so a file of one column has commas.
    separator = said[1] if said else max(SEPARATORS, key=text.partition("\n")[0].count)
    try:
        # newline="" keeps line ends inside quoted cells; strict raises for unclosed quotes.
        lines = [
            *csv.reader(
                io.StringIO(text, newline=""),
                delimiter=separator,
                skipinitialspace=separator != "\t",
                strict=True,
            )
        ]
    except csv.Error as error:
        raise SvfapError(f"{path}: not valid CSV ({error}); check its quotation marks") from None
    if separator == ",":
        return lines
    return [lines[0], *([_with_point(cell) for cell in line] for line in lines[1:])]


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # "Unicode text" of Excel
            return content.decode("utf-16")
        return content.decode("utf-8-sig")  # Excel writes a byte order mark
    except OSError as error:
        raise SvfapError(
            f"{path}: cannot be read ({error.strerror}); `csv:` must name a CSV file"
        ) from None
    except UnicodeDecodeError as error:
        raise SvfapError(
            f"{path}: not UTF-8 text (byte {error.start + 1}); save it as 'CSV UTF-8' or as .xlsx"
        ) from None


def _with_point(cell: str) -> str:
    """Return a number with a decimal point; other texts stay as they are."""
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell
