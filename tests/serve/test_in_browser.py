"""The page of the server in a real Chromium, with a fake camera that plays a video."""

import os
from pathlib import Path

import pytest
from helpers.browser import PROGRAM, browser
from helpers.photo_videos import convert, face_frames, noise_frames, save
from helpers.random_checkpoints import write_checkpoint
from helpers.served import served

pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs Chromium")
STATES = "[...document.querySelectorAll('article p')].map(p => p.textContent)"
# A folder in which to keep pictures of the page, to look at.
SHOTS = os.environ.get("SVFAP_TEST_SHOTS")


def shoot(page, name):
    if SHOTS:
        page.screenshot(Path(SHOTS) / f"{name}.png")


@pytest.fixture
def checkpoint(tmp_path, toy_model):
    return write_checkpoint(tmp_path / "model.pt", toy_model)


@pytest.fixture
def server(checkpoint, tmp_path):
    with served(checkpoint, tmp_path / "server", "--workers", "1") as running:
        yield running


def test_videos_are_dropped_scored_and_shown(server, tmp_path):
    face = save(tmp_path / "a face & <b>.mp4", face_frames(60, step=0.5))
    nobody = save(tmp_path / "nobody.mp4", noise_frames(30))
    with browser() as opened:
        page = opened.open(server.url, size=(1200, 1500))
        page.until("document.getElementById('about').textContent.includes('happy')")
        shoot(page, "1-empty")
        page.drop(400, 220, [face, nobody])
        page.until(f"{STATES}.length === 2")
        shoot(page, "2-dropped")
        page.until(f"{STATES}.some(t => t.includes('no face found'))", 60)
        page.until("document.querySelectorAll('article a[download]').length === 3", 60)
        names = page.evaluate("[...document.querySelectorAll('a[download]')].map(a => a.download)")
        assert names == [face.stem + suffix for suffix in (".csv", ".mp4", ".html")]
        table = page.evaluate(
            "fetch(document.querySelector('a[download]').href).then(a => a.text())"
        )
        answer = server.post(video=face, format="csv")
        assert table == answer.text
        page.evaluate("document.querySelector('article button[aria-expanded]').click()")
        page.until("!!document.querySelector('iframe')?.contentDocument?.querySelector('svg path')")
        inner = "document.querySelector('iframe').contentDocument"
        page.until(f"{inner}.querySelector('video').readyState >= 2")
        assert page.evaluate(f"{inner}.title") == face.name
        shoot(page, "3-timeline")
        page.evaluate("document.querySelector('article button:last-of-type').click()")
    server.until_nothing_is_left()


def test_a_phone_shows_the_page_without_scrolling_sideways(server):
    with browser() as opened:
        page = opened.open(server.url, size=(360, 740))
        page.until("document.getElementById('about').textContent.includes('happy')")
        shoot(page, "5-phone")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.press("Tab")
        assert page.evaluate("document.activeElement.id") == "files"
        page.open(server.root + "/docs", size=(360, 740))
        page.until("document.querySelectorAll('section').length > 6")
        shoot(page, "6-docs")


def test_the_camera_is_scored_live(server, tmp_path):
    film = save(tmp_path / "film.mp4", face_frames(120, step=0.3))
    film = convert(film, tmp_path / "film.mjpeg", **{"q:v": 2, "s": "480x480"})
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )
    with browser(*flags) as opened:
        page = opened.open(server.url, size=(900, 1300))
        page.until("document.getElementById('about').textContent.includes('happy')")
        page.evaluate("document.getElementById('camera').click()")
        latency = "document.getElementById('latency').textContent"
        page.until(f"{latency}.includes('scores come')", 90)
        assert page.evaluate("document.querySelectorAll('#bars i').length") == 3
        assert len(server.workers()) == 2
        shoot(page, "4-camera")
        print(page.evaluate(latency))
        page.evaluate("document.getElementById('camera').click()")
        page.until("document.getElementById('screen').hidden")
        page.evaluate("document.getElementById('camera').click()")
        page.until(f"{latency}.includes('scores come')", 90)  # the same worker takes it again
