"""Videos on web pages, downloaded by the real yt-dlp from a local server; lists of clips."""

import csv
import gc
import json
from pathlib import Path

import pytest
from helpers.http_server import running, serve_files
from helpers.photo_videos import noise_frames, save

from svfap.datasets.folder import load
from svfap.datasets.listing import read
from svfap.errors import SvfapError
from svfap.sources import SourceError, platforms
from svfap.video.decode import read_frames

# yt-dlp leaves sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A server with a web page that shows a video, one that does not, and the video file."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    video = save(tmp_path / "origin.mp4", list(noise_frames(50, side=64))).read_bytes()
    page = b"<html><title>Anna</title><video src='/film.mp4'></video></html>"
    files = {"watch.html": page, "empty.html": b"<html>gone</html>", "film.mp4": video}
    with running() as server:
        server.script = serve_files(files)
        yield server.url
    gc.collect()


def test_a_web_page_that_shows_a_video(pages, tmp_path):
    path = platforms.fetch_from_page(f"{pages}/watch.html", tmp_path / "a.video")
    assert sum(1 for _ in read_frames(path)) == 50
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.video", "origin.mp4"]


def test_the_error_for_a_deleted_video_has_a_reason(pages, tmp_path):
    for name in ("empty.html", "nothing.html"):
        with pytest.raises(SourceError, match=name) as caught:
            platforms.fetch_from_page(f"{pages}/{name}", tmp_path / "a.video")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "a.video").exists()


def test_known_platforms():
    assert platforms.is_known_platform("https://www.youtube.com/watch?v=abc")
    assert platforms.is_known_platform("https://youtu.be/abc")
    assert not platforms.is_known_platform("https://notyoutube.com/a.mp4")
    assert not platforms.is_known_platform("https://example.org/youtube.com/a.mp4")


def test_failures_in_a_list_of_web_pages_are_listed(pages, tmp_path):
    rows = ["path,start,end", f"{pages}/watch.html,0.4,1.2", f"{pages}/watch.html,1,2"]
    rows += [f"{pages}/empty.html,0,1", f"{pages}/film.mp4,0,0.4"]
    (tmp_path / "list.csv").write_text("\n".join(rows))
    dataset = load("pages", tmp_path / "list.csv", task="unlabelled", folds=2)
    dataset.fetch(tmp_path / "raw")
    clips = list(dataset.clips(tmp_path / "raw"))
    lengths = [sum(1 for _ in read_frames(c.path)) if c.path.exists() else 0 for c in clips]
    assert lengths == [20, 25, 0, 10]
    with (tmp_path / "raw" / "failed.csv").open(newline="") as file:
        (failed,) = csv.DictReader(file)
    assert failed["source"] == f"{pages}/empty.html"
    assert "empty.html" in failed["reason"]


def test_a_list_of_ids(tmp_path, monkeypatch):
    (tmp_path / "ids.csv").write_text("id,start,end\nM2Ohb0FAaJU,81.62,86.17\n-a_b,0,2\n-a_b,3,4\n")
    asked = []

    def gone(url: str, destination: Path) -> Path:
        asked.append(url)
        raise SourceError(f"{url}: Video unavailable")

    monkeypatch.setattr(platforms, "fetch_from_page", gone)
    dataset = load("ids", tmp_path / "ids.csv", task="unlabelled", folds=2)
    dataset.fetch(tmp_path / "raw")
    clips = list(dataset.clips(tmp_path / "raw"))
    assert clips[0].key == "M2Ohb0FAaJU"
    assert len({clip.key for clip in clips}) == 3
    assert sorted(asked) == [
        f"https://www.youtube.com/watch?v={v}" for v in ("-a_b", "M2Ohb0FAaJU")
    ]
    assert len((tmp_path / "raw" / "failed.csv").read_text().splitlines()) == 4


def test_celebv(tmp_path):
    entry = {
        "ytb_id": "M2Ohb0FAaJU",
        "duration": {"start_sec": 81.62, "end_sec": 86.17},
        "bbox": {"top": 0.0, "bottom": 0.8, "left": 0.3, "right": 0.8},
    }
    content = {"meta_info": {}, "clips": {"M2Ohb0FAaJU_1": entry}}
    (tmp_path / "celebvhq_info.json").write_text(json.dumps(content))
    (row,) = read(tmp_path / "celebvhq_info.json")
    assert row.source == "https://www.youtube.com/watch?v=M2Ohb0FAaJU"
    assert (row.start, row.end) == (81.62, 86.17)


def test_late_tracks_of_voxceleb2_keep_their_hundredths(tmp_path):
    path = tmp_path / "txt" / "id00012" / "21Uxsk56VDQ" / "00001.txt"
    path.parent.mkdir(parents=True)
    path.write_text(TRACK.replace("000245", "308642").replace("000369", "308668"))
    (row,) = read(tmp_path / "txt")
    assert (row.cells["start"], row.cells["end"]) == ("12345.68", "12346.76")


@pytest.mark.parametrize("text", ["{", "[]", '{"clips": {"a": {"ytb_id": "x"}}}'])
def test_json_of_another_format(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SvfapError, match="not a clip list of CelebV"):
        read(tmp_path / "a.json")


TRACK = """Identity  : \tid00012
Reference : \t21Uxsk56VDQ
Offset    : \t-2
FV Conf   : \t20.344\t(1)
ASD Conf  : \t5.123

FRAME \tX \tY \tW \tH
000245 \t0.309 \t0.181 \t0.300 \t0.533
000246 \t0.309 \t0.181 \t0.300 \t0.533
000369 \t0.309 \t0.181 \t0.300 \t0.533
"""


def test_tracks_of_voxceleb2(tmp_path):
    for number in (1, 2):
        path = tmp_path / "txt" / "id00012" / "21Uxsk56VDQ" / f"{number:05d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TRACK.replace("0003", f"0{number}03").replace("\n", "\r\n").encode())
    first, second = read(tmp_path / "txt")
    assert (first.start, first.end) == (9.8, (10369 + 1) / 25)
    assert first.cells["subject"] == "id00012"
    assert second.source == "https://www.youtube.com/watch?v=21Uxsk56VDQ"
    (tmp_path / "txt" / "id00012" / "21Uxsk56VDQ" / "00003.txt").write_text("nothing")
    with pytest.raises(SvfapError, match=r"00003\.txt: not a track file of VoxCeleb2"):
        read(tmp_path / "txt")
