"""A table of strings, and its rendering as Markdown and LaTeX."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "\N{EN DASH}": "--",
    **{mark: rf"\textsuperscript{{{digit}}}" for digit, mark in enumerate(_SUPERSCRIPTS)},
}


@dataclass(frozen=True)
class Table:
    """A table whose cells are final texts.

    Attributes:
        title: one line, without a full stop.
        columns: headers.
        rows: cells, as many in each row as there are columns.
        align: "l" or "r" for each column.
        notes: sentences below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if rows differ in length."""
        widths = {len(self.columns), len(self.align), *map(len, self.rows)}
        if len(widths) != 1:
            raise ValueError(f"{self.title}: rows of {sorted(widths)} cells")


def with_note(tables: Iterable[Table], *notes: str) -> list[Table]:
    """Return tables with further sentences below each."""
    return [replace(table, notes=(*table.notes, *notes)) for table in tables]


def superscript(number: int) -> str:
    """Return a footnote mark that plain text can show too."""
    return "".join(_SUPERSCRIPTS[int(digit)] for digit in str(number))


def markdown(tables: Sequence[Table], *, heading: str) -> str:
    """Return a Markdown document in which the columns line up."""
    return "\n\n".join([f"# {heading}", *(_markdown(table) for table in tables)]) + "\n"


def latex(tables: Sequence[Table]) -> str:
    """Return LaTeX `table` floats for a document that loads `booktabs`."""
    intro = "% needs \\usepackage{booktabs}"
    return "\n\n".join([intro, *(_latex(table) for table in tables)]) + "\n"


def escape_latex(text: str) -> str:
    """Return text in which every character that LaTeX takes for markup is escaped."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _markdown(table: Table) -> str:
    cells = [[_cell(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * (n - 1) + (":" if side == "r" else "-") for n, side in _sides(widths, table)]
    lines = [
        "| " + " | ".join(_pad(text, n, side) for text, (n, side) in row) + " |"
        for row in (zip(line, _sides(widths, table), strict=True) for line in cells)
    ]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return "\n\n".join([f"## {table.title}", "\n".join(lines), *table.notes])


def _sides(widths: Sequence[int], table: Table) -> list[tuple[int, str]]:
    return list(zip(widths, table.align, strict=True))


def _pad(text: str, width: int, side: str) -> str:
    return text.rjust(width) if side == "r" else text.ljust(width)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _latex(table: Table) -> str:
    def line(row: Sequence[str]) -> str:
        return "    " + " & ".join(map(escape_latex, row)) + r" \\"

    notes = [rf"  \par\smallskip\footnotesize {escape_latex(note)}" for note in table.notes]
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{escape_latex(table.title)}}}",
            rf"  \begin{{tabular}}{{{table.align}}}",
            r"    \toprule",
            line(table.columns),
            r"    \midrule",
            *map(line, table.rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            *notes,
            r"\end{table}",
        ]
    )
