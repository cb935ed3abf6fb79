"""Links between the Markdown files lead somewhere on a Git host; `test_docs.py` checks the site."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks/README.md"])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path):
    """The text of a page without blocks and pieces of code, which show links of other files."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path):
    """The anchors of a page's headings, as Git hosts and the site make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(prose(page)):
        name, _, anchor = unquote(link).partition("#")
        if ":" in name:
            continue
        goal = page.parent / name if name else page
        assert goal.exists(), f"{link}: no such file"
        assert goal.resolve().is_relative_to(ROOT), f"{link}: outside the repository"
        if anchor and goal.suffix == ".md":
            assert anchor in anchors(goal), f"{link}: no such heading"


def test_links_are_found():
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 60


def test_the_readme_fits_two_screens_and_its_pictures_are_small():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
    for path in (ROOT / "docs" / "images").glob("*.png"):
        assert path.stat().st_size < 150_000, path.name
