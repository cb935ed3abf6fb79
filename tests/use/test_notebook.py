"""The page within another page, such as a notebook, and progress bars there."""

import html
import json
import re
import subprocess
import sys

import pytest
from helpers.browser import PROGRAM, browser
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint

import svfap
from svfap.errors import SvfapError
from svfap.use import drawn_scores, timeline_page

NEEDS_BROWSER = pytest.mark.skipif(not PROGRAM, reason="no chromium or google-chrome installed")
ROOT = ".svfap-timeline"
# A page with elements and names like those of ours, and a place for the output of a cell.
OUTSIDE = """<!doctype html><title>notebook</title><body><h1>Title</h1><main><section><h2>Part</h2>
<button id="play">Run</button><p class="legend">Words <i>and</i> <span>more</span></p>
<div class="screen" id="screen">a</div><video></video><div id="tip">tip</div><div id="clock">c</div>
<svg viewBox="0 0 9 9"><text>t</text></svg></section></main><footer>End</footer>
<div id="cell"></div></body>"""
# What a notebook does with HTML: insert it, and run its scripts.
INSERT = """(text => {
  const cell = document.getElementById("cell").appendChild(document.createElement("div"));
  cell.innerHTML = text;
  for (const old of cell.querySelectorAll("script")) {
    const script = document.createElement("script");
    for (const {name, value} of old.attributes) script.setAttribute(name, value);
    script.textContent = old.textContent;
    old.replaceWith(script);
  }
})(%s)"""
STYLES = """JSON.stringify([...document.querySelectorAll("html, body, body *")]
  .filter(node => !node.closest("#cell"))
  .map(node => [node.outerHTML.slice(0, 40), {...getComputedStyle(node)}])
  // The page grows by what is shown in it; that is no change of style.
  .map(([name, style]) => [name, Object.entries(style).filter(([key]) =>
    !/height|block|^inset|origin|^bottom|^top/i.test(key))]))"""


@pytest.fixture
def model(tmp_path, toy_model):
    return svfap.load(write_checkpoint(tmp_path / "model.pt", toy_model))


@pytest.fixture
def video(tmp_path):
    return save(tmp_path / "face.mp4", face_frames(40))


def selectors(text):
    """Return all selectors of the styles in a page."""
    css = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    css = re.sub(r"@media[^{]*", "", css)
    return [part.strip() for rule in re.findall(r"([^{}]+)\{", css) for part in rule.split(",")]


def test_no_selector_is_global(model, video):
    found = [selector for selector in selectors(model.page(video).html) if selector]
    assert len(found) > 20
    assert [one for one in found if not re.match(rf"{re.escape(ROOT)}(?![\w-])", one)] == []


@NEEDS_BROWSER
def test_pages_in_a_notebook_restyle_nothing_and_work(tmp_path, model, video):
    text = model.page(video).html
    (tmp_path / "notebook.html").write_text(OUTSIDE)
    with browser() as opened:
        page = opened.open((tmp_path / "notebook.html").as_uri())
        before = page.evaluate(STYLES)
        for _ in range(2):
            page.evaluate(INSERT % json.dumps(text))
        page.until("document.querySelectorAll('.svfap-timeline svg path').length === 6")
        assert page.evaluate(STYLES) == before
        assert page.evaluate("document.title") == "notebook"
        roots = "[...document.querySelectorAll('.svfap-timeline')]"
        page.until(f"{roots}.every(root => root.querySelector('video').readyState >= 2)")
        page.evaluate(f"{roots}[1].querySelector('.legend button').click()")
        counts = f"{roots}.map(root => root.querySelectorAll('path').length)"
        assert page.evaluate(counts) == [3, 2]  # each page answers its own buttons
        page.press("ArrowRight")  # a key of the notebook, not of the pages
        times = f"{roots}.map(root => root.querySelector('video').currentTime)"
        assert page.evaluate(times) == [0, 0]
        page.evaluate(f"{roots}[0].focus()")
        page.press("ArrowRight")
        page.until(f"{times}[0] > 0")
        assert page.evaluate(times)[1] == 0


@NEEDS_BROWSER
def test_the_returned_object_shows_itself(tmp_path, model, video):
    shown = model.page(video)._repr_html_()
    (tmp_path / "notebook.html").write_text(OUTSIDE)
    with browser() as opened:
        page = opened.open((tmp_path / "notebook.html").as_uri())
        before = page.evaluate(STYLES)
        page.evaluate(INSERT % json.dumps(shown))
        inside = "document.querySelector('iframe').contentDocument"
        page.until(f"{inside}.querySelectorAll('svg path').length === 3")
        page.until(f"{inside}.querySelector('video').readyState >= 2")
        assert page.evaluate(STYLES) == before


def test_a_page_is_written_and_returned(tmp_path, model, video, monkeypatch):
    page = model.page(video, tmp_path / "new" / "face.html")
    assert page.path.read_text("utf-8") == page.html
    assert html.escape(page.html) in page._repr_html_()
    assert "data:video/mp4" in page.html
    assert [one.name for one in page.path.parent.iterdir()] == ["face.html"]
    for module in (drawn_scores, timeline_page):
        monkeypatch.setattr(module, "EMBEDDED", 100)
    page = model.page(video, tmp_path / "large" / "face.html")
    assert 'src="face.mp4"' in page.html
    assert (tmp_path / "large" / "face.mp4").is_file()
    assert "iframe" not in page._repr_html_()
    with pytest.raises(SvfapError, match="too large for a page without a file; give `out`"):
        model.page(video)
    with pytest.raises(SvfapError, match="never overwritten"):
        model.page(video, video.with_suffix(".html"))


def test_the_annotated_video_has_a_name_of_its_own(tmp_path, model, video, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model.annotate(video).name == "face_annotated.mp4"
    assert (tmp_path / "face_annotated.mp4").stat().st_size > 1000


# IPython is no dependency. This module says the one thing by which a kernel is known.
KERNEL = """
import sys, types, warnings
warnings.simplefilter("error")
kernel = types.ModuleType("IPython")
kernel.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
%s
from svfap import progress
print(progress.in_notebook())
for _ in progress.track(range(3), total=3, label="faces"):
    pass
"""


@pytest.mark.parametrize("notebook", [False, True])
def test_bars_are_shown_in_a_notebook_but_not_in_a_log(notebook):
    code = KERNEL % ('sys.modules["IPython"] = kernel' if notebook else "")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(notebook)
    assert ("faces: 100%" in done.stderr) == notebook
    assert "Warning" not in done.stderr
