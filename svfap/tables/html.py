"""Tables as one self-contained HTML page, for the report and for people."""

from collections.abc import Sequence
from html import escape

from svfap.tables.render import Table

# Every rule is limited to the tables: the first page of the report contains a page.
_STYLE = """
.tables { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; margin: 1em; max-width: 80em; }
.tables h1 { font-size: 1.4em; font-weight: bold; margin: 0; }
.tables h2 { font-size: 1.1em; font-weight: bold; margin: 2em 0 .8em; }
.tables div { overflow-x: auto; }
.tables table { border-collapse: collapse; width: auto; margin: 0; font-size: 1em; }
.tables table { border-top: 2px solid; border-bottom: 2px solid; }
.tables th, .tables td { padding: .3em 1em; text-align: left; }
.tables th { border-bottom: 1px solid; }
.tables .r { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tables p { color: #59636e; margin: .4em 0; }
@media (max-width: 40em) { .tables { margin: .5em; } .tables th, .tables td { padding: .3em; } }
"""


def html_page(tables: Sequence[Table], *, heading: str) -> str:
    """Return a page with the tables in order, each with its notes below it."""
    sections = "\n".join(_section(table) for table in tables)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(heading)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<style>{_STYLE}</style>\n<main class="tables">\n<h1>{escape(heading)}</h1>\n{sections}\n'
        "</main>\n</html>\n"
    )


def _section(table: Table) -> str:
    head = _row("th", table.columns, table.align)
    body = "\n".join(_row("td", row, table.align) for row in table.rows)
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in table.notes)
    return f"<h2>{escape(table.title)}</h2>\n<div><table>\n{head}\n{body}\n</table></div>\n{notes}"


def _row(tag: str, cells: Sequence[str], align: str) -> str:
    marked = (
        f'<{tag} class="{side}">{_link(escape(cell))}</{tag}>'
        for cell, side in zip(cells, align, strict=True)
    )
    return f"<tr>{''.join(marked)}</tr>"


def _link(cell: str) -> str:
    """Return an escaped cell, as a link if it is an address."""
    if not cell.startswith(("http://", "https://")):
        return cell
    # Open a new window: Snakemake's report shows this page in a frame, where MLflow does not open.
    # The link's text is the start of the MLflow run id at the end of the address.
    return f'<a href="{cell}" target="_blank">{cell.rpartition("/")[-1][:8]}</a>'
