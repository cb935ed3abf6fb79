"""The page of a scored video in a real browser: curves, pointer, seeking, no other request."""

import json
import re

import cv2
import pytest
from helpers.browser import PROGRAM, browser
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import CLASSES, NOTICE, TRAITS, write_checkpoint

from svfap.__main__ import main
from svfap.use import timeline_page

NEEDS_BROWSER = pytest.mark.skipif(not PROGRAM, reason="no chromium or google-chrome installed")
PLACE = """(share => {
  const box = document.querySelector("svg").getBoundingClientRect();
  return [box.left + box.width * (44 + 848 * share) / 900, box.top + box.height / 2];
})(%g)"""


def predicted_page(folder, checkpoint):
    video = save(folder / "a <b> face.mp4", face_frames(60))
    out = folder / "out"
    assert main(["predict", str(video), "--checkpoint", str(checkpoint), "--output", str(out)]) == 0
    return out / "a <b> face.html"


@NEEDS_BROWSER
def test_classes_in_a_browser(tmp_path, toy_model):
    path = predicted_page(tmp_path, write_checkpoint(tmp_path / "m.pt", toy_model))
    with browser() as opened:
        page = opened.open(path.as_uri())
        page.until("video.readyState >= 2")
        assert page.evaluate("video.duration") == pytest.approx(2.4, abs=0.05)
        assert page.evaluate("document.querySelectorAll('svg path').length") == 3
        page.point(*page.evaluate(PLACE % 0.5))
        first, *rows = page.evaluate("tip.textContent").splitlines()
        assert first == "0:01.2"
        assert sorted(row.split("  ")[0] for row in rows) == sorted(CLASSES)
        page.point(*page.evaluate(PLACE % 0.75), click=True)
        page.until("!video.seeking && video.currentTime > 1")
        assert page.evaluate("video.currentTime") == pytest.approx(1.8, abs=0.05)
        cursor = "(document.querySelector('.cursor').getAttribute('x1') - 44) / 848"
        assert page.evaluate(cursor) == pytest.approx(0.75, abs=0.02)
        words = page.evaluate(
            "[...document.querySelectorAll('#bars span')].map(s => s.textContent)"
        )
        assert words[::2] == [*CLASSES]
        assert sum(int(word[:-2]) for word in words[1::2]) == pytest.approx(100, abs=2)
        page.press("ArrowLeft")
        page.until("!video.seeking && video.currentTime < 1")
        page.evaluate("document.querySelector('.legend button').click()")
        assert page.evaluate("document.querySelectorAll('svg path').length") == 2
        page.press(" ")
        page.until("video.currentTime > 1.2")
        loaded = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))"
        assert page.evaluate(f"{loaded}.length") == 0
        page.screenshot(tmp_path / "page.png")
    picture = cv2.imread(str(tmp_path / "page.png"))
    assert picture.shape == (800, 1400, 3)
    assert picture[100:300, 100:400].std() > 30


@NEEDS_BROWSER
def test_values_on_a_small_screen_with_the_video_beside_the_page(tmp_path, toy_model, monkeypatch):
    monkeypatch.setattr(timeline_page, "EMBEDDED", 0)
    checkpoint = write_checkpoint(
        tmp_path / "m.pt", toy_model, targets=TRAITS, task="regression", activation="sigmoid"
    )
    path = predicted_page(tmp_path, checkpoint)
    assert "data:video" not in path.read_text()
    with browser() as opened:
        page = opened.open(path.as_uri(), size=(390, 800))
        page.until("video.readyState >= 2")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelectorAll('svg path').length") == 5
        words = page.evaluate(
            "[...document.querySelectorAll('#bars span')].map(s => s.textContent)"
        )
        assert all(0 <= float(word) <= 1 for word in words[1::2])


def test_names_are_escaped_and_the_notice_is_shown(tmp_path, toy_model):
    targets = ("</script><b>", "&amp;")
    path = predicted_page(tmp_path, write_checkpoint(tmp_path / "m.pt", toy_model, targets=targets))
    text = path.read_text()
    assert "<b>" not in text
    assert "a &lt;b&gt; face.mp4" in text
    assert NOTICE in text
    assert "not what someone feels" in text
    assert "m.pt, described in card.md" in text
    assert (path.parent / "card.md").is_file()
    assert not re.search(r"(src|href)=.https?:", text)
    data = re.search(r'id="data">(.*?)</script>', text)[1]
    assert json.loads(data)["targets"] == [*targets]
