"""The server as a real process: uploads, the API, and what is left of them."""

import csv
import gzip
import http.client
import io
import json
import time
import wave
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import cv2
import pandas as pd
import pytest
import requests
from helpers.photo_videos import convert, face_frames, noise_frames, save
from helpers.random_checkpoints import CLASSES, NOTICE, write_checkpoint
from helpers.served import served

import svfap
from svfap.config import ModelConfig
from svfap.serve.options import NOT_OFFERED
from svfap.use.options import Options

TOY = ModelConfig(
    image_size=32, patch_size=8, num_frames=8, dim=24, heads=2, depths=(1, 2, 2),
    bottleneck_tokens=2, decoder_dim=16, decoder_heads=2, decoder_depth=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model") / "model.pt", TOY)


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    return save(tmp_path_factory.mktemp("videos") / "a face.mp4", face_frames(50, step=0.5))


@pytest.fixture(scope="module")
def server(checkpoint, tmp_path_factory):
    options = ("--megabytes", "2", "--seconds", "20")
    with served(checkpoint, tmp_path_factory.mktemp("server"), *options) as running:
        yield running


def expected(checkpoint, face, **options):
    return svfap.load(checkpoint, **options).predict(face).round(4)


def test_a_form_gives_the_scores_of_predict(server, checkpoint, face):
    answer = server.post(video=face, hop=0.5)
    assert answer.status_code == 200
    content, table = answer.json(), expected(checkpoint, face, hop=0.5)
    assert content["video"] == "a face.mp4"
    assert content["targets"] == [*CLASSES]
    assert content["notice"] == f"Trained on: {NOTICE}"
    assert len(content["windows"]) == len(table) > 1
    for window, (_, row) in zip(content["windows"], table.iterrows(), strict=True):
        assert [window["start"], window["end"]] == [row["start"], row["end"]]
        assert window["label"] == row["label"]
        assert list(window["scores"].values()) == pytest.approx(list(row[[*CLASSES]]), abs=1e-4)
    (whole,) = content["faces"]
    assert whole["windows"] == len(table)
    assert sum(whole["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_results_name_the_model_but_not_its_folder(server, checkpoint, face):
    """Others see them."""
    assert server.get("/model").json()["model"] == checkpoint.name
    assert server.post(video=face).json()["model"] == checkpoint.name
    for form in ("html", "csv"):
        assert str(checkpoint.parent) not in server.post(video=face, format=form).text


def test_options_may_be_fields_of_the_form(server, checkpoint, face):
    answer = requests.post(
        server.root + "/predict",
        data={"hop": "window", "pad": True, "speaker": "all", "batch_size": "3"},
        files={"video": ("x.mp4", face.read_bytes())},
        timeout=60,
    )
    table = expected(checkpoint, face, hop="window", pad=True, speaker="all")
    assert len(answer.json()["windows"]) == len(table)


@pytest.mark.parametrize(("form", "status"), [("csv", 200), ("xml", 400)])
def test_the_format_may_be_a_field_of_the_form(server, face, form, status):
    files = {"video": ("x.mp4", face.read_bytes())}
    answer = requests.post(server.root + "/predict", data={"format": form}, files=files, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/csv") == (status == 200)


def test_a_bare_body_and_a_table(server, checkpoint, face):
    answer = server.post(body=face.read_bytes(), name="b.mp4", format="csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "b.csv" in answer.headers["content-disposition"]
    found = pd.read_csv(io.StringIO(answer.text))
    whole = expected(checkpoint, face).drop(columns="video")
    found = found.drop(columns="video")
    pd.testing.assert_frame_equal(found, whole, atol=1e-4, check_dtype=False)


def test_all_files_in_an_archive(server, face):
    answer = server.post(video=face, format="zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {*archive.namelist()} == {
            "a face.csv", "a face.mp4", "a face.html", "scores.json"
        }  # fmt: skip
        assert b"data:video/mp4;base64," in archive.read("a face.html")
    assert server.post(video=face, format="mp4").content[4:8] == b"ftyp"
    assert server.post(video=face, format="html").text.startswith("<!doctype html>")


def test_progress_comes_while_a_video_is_scored(server, face):
    answer = server.post(video=face, format="stream")
    *lines, rest = answer.content.split(b"\n", answer.content[: 1 << 16].count(b'"stage"') + 1)
    messages = [json.loads(line) for line in lines]
    stages = [message["stage"] for message in messages[:-1]]
    assert [*dict.fromkeys(stages)] == ["waiting", "faces", "scores", "video"]
    assert len({message.get("percent") for message in messages}) > 5
    names = [file["name"] for file in messages[-1]["files"]]
    assert names == ["a face.csv", "a face.mp4", "a face.html"]
    assert len(rest) == sum(file["bytes"] for file in messages[-1]["files"])
    first = messages[-1]["files"][0]["bytes"]
    assert len([*csv.DictReader(rest[:first].decode().splitlines())]) > 1
    assert messages[-1]["result"]["faces"]


def test_names_of_files_cannot_lead_out_of_the_folder(server, face):
    for name in (
        "../../x.mp4",
        "/etc/x.mp4",
        "..\\x.mp4",
        "x\n\0.mp4",
        "x" * 500 + ".mp4",
        "..",
        "",
    ):
        answer = server.post(body=face.read_bytes(), name=name, format="stream")
        assert answer.status_code == 200
        result = next(line for line in answer.content.split(b"\n") if b'"files"' in line)
        for file in json.loads(result)["files"]:
            assert file["name"].isprintable(), name
            assert not {*"/\\"} & {*file["name"]}, name
    server.until_nothing_is_left()


@pytest.fixture(scope="module")
def uploads(face, tmp_path_factory):
    """Name -> bytes of an upload that cannot be scored."""
    folder = tmp_path_factory.mktemp("bad")
    whole = face.read_bytes()
    tone = folder / "tone.wav"
    with wave.open(str(tone), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    long = save(folder / "long.mp4", noise_frames(30), fps=1)
    return {
        "text": (b"hello\n" * 100, 422, "not a video"),
        "sound": (tone.read_bytes(), 422, "no video stream|not a video"),
        "truncated": (whole[: len(whole) // 3], 422, "cannot be decoded|only a part of one"),
        "noise": (b"\0\x01\xff" * 1000, 422, "not a video"),
        "no face": (save(folder / "n.mp4", noise_frames(30)).read_bytes(), 422, "no face found"),
        "long": (long.read_bytes(), 422, "lasts 30 s, and the server takes up to 20 s"),
        "short": (
            save(folder / "s.mp4", face_frames(3)).read_bytes(),
            422,
            "a face is seen for 0.12 s, a window takes",
        ),
        "too large": (bytes(2_100_000), 413, "larger than 2 MB"),
        "empty": (b"", 400, "the upload is empty"),
    }


BAD = ("text", "sound", "truncated", "noise", "no face", "long", "short", "too large", "empty")


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("way", ["form", "body", "chunks"])
def test_a_bad_upload_is_refused_with_the_reason(server, uploads, kind, way):
    data, status, reason = uploads[kind]
    if way == "form":
        answer = requests.post(
            server.root + "/predict", files={"video": ("v.mp4", data)}, timeout=60
        )
    else:
        body = data if way == "body" else (data[i : i + 9999] for i in range(0, len(data), 9999))
        answer = server.post(body=body, name="v.mp4")
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert content["status"] == status
    assert any(part in content["error"] for part in reason.split("|")), content
    assert "/tmp" not in content["error"]
    server.until_nothing_is_left()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"hop": "0"}, "hop is 0; take a number above 0"),
        ({"hop": "fast"}, "hop is 'fast'; take a number above 0"),
        ({"hop": "Infinity"}, "hop is inf; take a number above 0"),
        ({"speaker": "both"}, "speaker is 'both'; choose one of main, all"),
        ({"speed": "2"}, "no option 'speed'; the options are hop, speaker"),
        ({"device": "cpu"}, "no option 'device' here"),
        ({"batch_size": "2.5"}, "batch size is 2.5; take a whole number"),
        ({"preset": "tight"}, "preset is 'tight'; choose one of"),
        ({"pad": "yes"}, "pad is 'yes'; choose one of False, True"),
        ({"stream": "-1"}, "stream is -1; count streams from 0"),
        ({"format": "xml"}, "format is 'xml'; choose one of json, csv"),
        ({"hop": "[" * 5000}, "hop is '[[["),
    ],
)
def test_a_wrong_option_is_named(server, face, options, reason):
    answer = server.post(body=face.read_bytes(), **options)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(reason)


def test_an_option_of_the_owner_is_not_offered(server):
    for options in ({"speed": "2"}, {"device": "cpu"}):
        error = server.post(body=b"x", **options).json()["error"]
        assert "device" not in error.partition("; ")[2]


def test_a_wrong_form_is_refused(server, face):
    send = lambda **form: requests.post(server.root + "/predict", timeout=60, **form)  # noqa: E731
    data = face.read_bytes()
    two = [("video", ("a.mp4", data)), ("video", ("b.mp4", data))]
    for form, reason in (
        ({"files": {"file": ("a.mp4", data)}}, "no field 'file' for a file; the file is 'video'"),
        ({"files": two}, "several files"),
        ({"files": {"hop": (None, "1")}}, "the form has no file in the field 'video'"),
        ({"files": {"video": (None, "text")}}, "the field 'video' holds a text, not a file"),
        (
            {"data": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            "the form is broken",
        ),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "the form is broken"),
    ):
        answer = send(**form)
        assert answer.status_code == 400, reason
        assert reason in answer.json()["error"]
    for form, reason in (
        ({"json": {"video": "a.mp4"}}, "JSON holds no video; send it in the field 'video'"),
        ({"data": gzip.compress(data), "headers": {"Content-Encoding": "gzip"}}, "compressed"),
    ):
        answer = send(**form)
        assert answer.status_code == 415
        assert reason in answer.json()["error"]


def test_addresses_that_do_not_exist(server):
    assert server.get("/nothing").status_code == 404
    assert server.get("/predict").status_code == 405
    assert "error" in server.get("/predict").json()
    assert {*server.get("/live").headers["allow"].split(", ")} == {"POST", "DELETE"}
    assert server.get("/page.html").status_code == 404
    assert server.get("/../svfap/serve/run.py").status_code == 404


def test_a_sender_that_goes_away_leaves_nothing(server, face):
    """In the middle of the upload, and while the video is scored."""
    host = server.root.removeprefix("http://")
    for length in (len(face.read_bytes()) + 1000, len(face.read_bytes())):
        connection = http.client.HTTPConnection(host)
        connection.putrequest("POST", "/predict?format=zip&hop=0.04")
        connection.putheader("Content-Length", str(length))
        connection.endheaders(face.read_bytes())
        deadline = time.monotonic() + 10
        while not server.left():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        connection.close()
        server.until_nothing_is_left(5)
    assert server.post(video=face).status_code == 200


def test_several_requests_at_once(server, face):
    one = server.post(video=face).json()
    with ThreadPoolExecutor(6) as pool:
        every = [*pool.map(lambda _: server.post(video=face).json(), range(6))]
    assert every == [one] * 6
    assert len(server.workers()) == 2


def test_a_killed_worker_costs_one_request(server, face):
    """The other requests and later ones are scored, by a fresh worker."""
    before = {worker.pid for worker in server.workers()}
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(server.post, video=face, format="zip", hop=0.04)
        server.busy().kill()
        answer = sent.result()
    assert answer.status_code == 500
    assert "the process that scored this request has ended (signal 9)" in answer.json()["error"]
    for _ in range(3):
        assert server.post(video=face).status_code == 200
    assert len({worker.pid for worker in server.workers()} & before) < 2
    server.until_nothing_is_left()


def test_a_playlist_reads_no_file_of_the_server(server, face, tmp_path):
    """FFmpeg would follow the addresses in it."""
    stream = convert(face, tmp_path / "secret.ts", c="copy")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{stream}\n#EXT-X-ENDLIST\n"
    concat = f"ffconcat version 1.0\nfile '{stream}'\n"
    for text in (playlist, playlist.replace(str(stream), f"file://{stream}"), concat):
        for name in ("a.m3u8", "a.mp4", "a.ffconcat"):
            answer = server.post(body=text.encode(), name=name)
            assert answer.status_code == 422
            assert "not a video that can be read" in answer.json()["error"]


def test_the_description_fits_the_options(server):
    api = server.get("/openapi.json").json()
    assert api["openapi"].startswith("3.1")
    named = {each["name"] for each in api["paths"]["/predict"]["post"]["parameters"]}
    assert named == {field.name for field in fields(Options)} - NOT_OFFERED | {"format", "name"}


def test_pages_load_nothing_from_elsewhere(server):
    for path in ("/", "/docs", "/page.js"):
        answer = server.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "https://" not in answer.text.replace("https://USER", "")


def test_a_picture_after_the_end_of_its_camera_takes_no_worker(server):
    _, jpeg = cv2.imencode(".jpg", next(face_frames(1)))

    def see(camera, taken):
        return server.post("/live", body=jpeg.tobytes(), camera=camera, taken=taken)

    assert see("first", 0.0).status_code == 200
    ended = requests.delete(server.root + "/live", params={"camera": "first"}, timeout=20)
    assert ended.status_code == 204
    late = see("first", 0.1)
    assert late.status_code == 410
    assert "has ended" in late.json()["error"]
    assert see("second", 0.0).status_code == 200  # there is one worker for cameras
