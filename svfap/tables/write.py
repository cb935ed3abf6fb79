"""Write tables to files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from svfap.tables.html import html_page
from svfap.tables.render import Table, latex, markdown


def write_markdown(path: Path, tables: Sequence[Table], heading: str) -> None:
    """Write tables as one Markdown document."""
    path.write_text(markdown(tables, heading=heading), encoding="utf-8")


def write_html(path: Path, tables: Sequence[Table], heading: str) -> None:
    """Write tables as one HTML page."""
    path.write_text(html_page(tables, heading=heading), encoding="utf-8")


def write_pages(path: Path, tables: Sequence[Table], heading: str) -> None:
    """Write the same tables as Markdown to `path`, and as HTML beside it."""
    write_markdown(path, tables, heading)
    write_html(path.with_suffix(".html"), tables, heading)


def write_all_formats(path: Path, tables: Sequence[Table], heading: str) -> None:
    """Write the same tables as Markdown to `path`, and as HTML and LaTeX beside it."""
    write_pages(path, tables, heading)
    path.with_suffix(".tex").write_text(latex(tables), encoding="utf-8")


def write_csv(
    path: Path, rows: Iterable[Mapping[str, object]], columns: tuple[str, ...] | None = None
) -> None:
    """Write rows as CSV.

    Args:
        path: the file to write.
        rows: values by column.
        columns: the header; None takes it from the rows, so there must be a row.
    """
    pd.DataFrame(list(rows), columns=columns).to_csv(path, index=False)
