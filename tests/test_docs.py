"""The documentation builds without a warning, loads nothing from other hosts, has no dead links."""

import os
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers.browser import PROGRAM, browser

from svfap.commands import COMMANDS
from svfap.config import FinetuneConfig
from svfap.datasets import DATASETS
from svfap.experiment.stage_list import STAGE_NAMES, STAGES
from svfap.tables.paper import rows_of

ROOT = Path(__file__).parent.parent
ASSETS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Links(HTMLParser):
    """What a page loads, its links, and the ids that links can point to."""

    def __init__(self, text):
        super().__init__()
        self.assets, self.links, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids.add(found.get("id"))
        if found.get(ASSETS.get(tag)) and found.get("rel") != "canonical":
            self.assets.append(found[ASSETS[tag]])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    settings = {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | proxies | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Links(path.read_text("utf-8")) for path in site.rglob("*.html")}


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert len(pages) > 40
    for path, page in pages.items():
        assert not [url for url in page.assets if urlsplit(url).netloc], path
    for path in site.rglob("*.css"):
        assert "url(http" not in path.read_text("utf-8")


@pytest.mark.slow
def test_links_lead_somewhere(site, pages):
    for path, page in pages.items():
        if path.name == "404.html":  # its links are relative to the root of a server
            continue
        for link in page.links + page.assets:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            goal = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert goal.exists(), f"{path.name}: {link}"
            if url.fragment and goal in pages:
                assert unquote(url.fragment) in pages[goal].ids, f"{path.name}: {link}"


@pytest.mark.slow
def test_pages_have_the_facts_of_the_code(site):
    configuration = (site / "configuration.html").read_text("utf-8")
    for key in FinetuneConfig.model_fields:
        assert f"<code>{key}</code>" in configuration
    consent = (site / "responsible-use.html").read_text("utf-8")
    for name, dataset in DATASETS.items():
        assert dataset.about.licence.split("'")[0] in (
            site / "datasets" / f"{name}.html"
        ).read_text("utf-8")
        assert dataset.about.people
        assert f'href="datasets/{name}.html"' in consent
    pipeline = (site / "pipeline.html").read_text("utf-8")
    for stage in STAGES:
        assert f"<td><code>{stage.name}</code></td>" in pipeline
        assert f'id="{stage.name}"' in pipeline
    results = (site / "results.html").read_text("utf-8")
    for row in rows_of("paper_results"):
        assert row["value"] in results
    assert "<!-- generated" not in "".join(p.read_text("utf-8") for p in site.glob("*.html"))
    assert "<pre>" in (site / "index.html").read_text("utf-8").split("ends with")[1][:400]


@pytest.mark.slow
def test_the_command_line_is_described(site):
    text = unescape((site / "command-line.html").read_text("utf-8"))
    for name in (*COMMANDS, *STAGE_NAMES):
        assert f"usage: svfap {name}" in text


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="no chromium or google-chrome installed")
def test_the_search_works_from_files(site):
    with browser() as page:
        page.open((site / "index.html").as_uri())
        page.evaluate(
            """(() => {
              const query = document.querySelector("[data-md-component=search-query]");
              query.focus();
              query.value = "bottleneck";
              query.dispatchEvent(new KeyboardEvent("keyup", {bubbles: true}));
            })()"""
        )
        page.until("document.querySelectorAll('.md-search-result__item').length > 0")
