"""Wrong values from Python are one clear error each, whatever they are."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.photo_videos import face_frames, save
from helpers.random_checkpoints import write_checkpoint

import svfap
from svfap.errors import SvfapError


@pytest.fixture
def model(tmp_path_factory, toy_model):
    return svfap.load(write_checkpoint(tmp_path_factory.mktemp("model") / "model.pt", toy_model))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "the name of the video is blank"),
        (" \n", "the name of the video is blank"),
        ("nowhere.mp4", "no such file or folder"),
        ("https://example.org/a.mp4", "addresses are not read, so download the video first"),
        ("a\0.mp4", "no such file or folder"),
        ("a" * 300, "cannot be read"),
        (None, "^None is no video; give a path, an array of frames with fps=, or a list of these"),
        (5, "^5 is no video"),
        (2.5, "^2.5 is no video"),
        (True, "^True is no video"),
        (b"face.mp4", "^b'face.mp4' is no video"),
        ({"path": "face.mp4"}, "is no video"),
        ({"face.mp4"}, "is no video; .*make a list of it"),
        ((name for name in ["face.mp4"]), "is no video; .*make a list of it"),
        (pd.DataFrame({"path": ["face.mp4"]}), "is no video; .*make a list of it"),
        ([], "the list of videos is empty"),
        ((), "the list of videos is empty"),
        (pd.Series([], dtype=str), "the list of videos is empty"),
        ([None], "item 1 of the list is None"),
        (["nowhere.mp4", 3], "item 2 of the list is 3"),
        (pd.Series(["nowhere.mp4", None]), "item 2 of the list is"),
        ([["nowhere.mp4"]], "item 1 of the list is "),
        (range(3), "is no video"),
        ("~/face.mp4", "only a shell knows ~, so write the whole path"),
        ("videos/*.mp4", "patterns are not searched for, so name the folder"),
        ("/dev/null", "neither a file nor a folder"),
        (io.BytesIO(b"video"), "is no video; .*; write what it holds into a file"),
        (bytearray(b"video"), "is no video; .*; write what it holds into a file"),
        (np.zeros((2, 8, 8, 3), object), "frames have the type object"),
        (torch.zeros((2, 8, 8, 3), dtype=torch.uint8).to_sparse(), "give a dense one with values"),
        (torch.zeros((2, 8, 8, 3), dtype=torch.uint8, device="meta"), "give a dense one"),
        ([np.zeros((99, 99), int).tolist()], r"^item 1 of the list is .{,60}, which is no video"),
    ],
)
def test_what_is_no_video(model, given, message):
    for method in (model.predict, model.features, model.annotate, model.page):
        with pytest.raises(SvfapError, match=message):
            method(given, fps=25 if hasattr(given, "dtype") and given.ndim == 4 else None)


def test_a_folder_without_videos(model, tmp_path):
    with pytest.raises(SvfapError, match="no video in this folder; it is empty"):
        model.predict(tmp_path)
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(SvfapError, match=r"no video in this folder; left out: notes.txt"):
        model.features(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 2}, "no option 'views'; the options are hop, speaker"),
        ({"hop": 0}, "hop is 0; take a number above 0 or 'window'"),
        ({"hop": -1}, "hop is -1"),
        ({"hop": float("nan")}, "hop is nan"),
        ({"hop": True}, "hop is True"),
        ({"hop": "windows"}, "hop is 'windows'"),
        ({"hop": [0.5]}, "hop is "),
        ({"hop": 1j}, "hop is 1j"),
        ({"speaker": None}, "speaker is None"),
        ({"speaker": ["main"]}, "speaker is "),
        ({"preset": 3}, "preset is 3"),
        ({"pad": 1}, "pad is 1"),
        ({"pad": None}, "pad is None"),
        ({"batch_size": 0}, "batch size is 0"),
        ({"batch_size": -8}, "batch size is -8"),
        ({"batch_size": None}, "batch size is None"),
        ({"batch_size": "8"}, "batch size is '8'"),
        ({"stream": -1}, "stream is -1"),
        ({"stream": True}, "stream is True"),
        ({"stream": "0"}, "stream is '0'"),
        ({"device": "gpu"}, "device is 'gpu', which is not cpu, cuda, cuda:N or mps; choose one"),
        ({"device": ""}, "device is ''"),
        ({"device": 0}, "device is 0"),
        ({"device": "cuda:-1"}, "device is 'cuda:-1'"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not on this machine; choose one of cpu"),
        ({"device": torch.device("meta")}, "device is device"),
        ({"progress": "no"}, "progress is 'no'"),
        ({"progress": np.arange(2)}, r"progress is array\(\[0, 1\]\)"),
        ({"batch_size": 10**30}, "batch size is 10+; take a whole number"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(SvfapError, match=f"^{message}"):
        svfap.load("nowhere", **options)


@pytest.mark.parametrize("source", [None, 5, "", ["model.pt"], {"weights": [[1.0] * 999] * 999}])
def test_what_is_no_model(source):
    with pytest.raises(SvfapError, match=r"^.{,60} is no model; name a checkpoint"):
        svfap.load(source)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda"), "mps"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(SvfapError, match="is not on this machine; choose one of cpu"):
        svfap.load("nowhere", device=device)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("https://example.org/model.pt", "addresses are not read; download the model first"),
        ("nowhere", "no such file or folder; name a checkpoint, an exported folder or a hub id"),
        ("nowhere.pt", "no such file or folder; name a checkpoint"),
        ("file:///x/model.pt", "no such file or folder; write the path without file://"),
        ("shared/model.safetensors", "is one file of a model; name its folder, shared"),
        ("long" * 99, "cannot be read \\(File name too long\\)"),
        ("shared/config.json", "is one file of a model; name its folder, shared"),
    ],
)
def test_what_looks_like_a_model(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shared").mkdir()
    for name in ("model.safetensors", "config.json"):
        (tmp_path / "shared" / name).touch()
    with pytest.raises(SvfapError, match=f"^{source}: {message}"):
        svfap.load(source)


def test_videos_that_do_not_exist_may_be_skipped(model, tmp_path, caplog):
    video = save(tmp_path / "face.mp4", face_frames(30))
    both = [video, "nowhere.mp4"]
    with pytest.raises(SvfapError, match=r"nowhere\.mp4: no such file"):
        model.predict(both)
    table = model.predict(both, on_error="skip")
    pd.testing.assert_frame_equal(table, model.predict(video))
    assert "left out: nowhere.mp4 (no such file" in caplog.text
    assert len(model.features(both, on_error="skip")) == len(table)
    with pytest.raises(SvfapError, match=r"no video; left out: nowhere\.mp4"):
        model.predict("nowhere.mp4", on_error="skip")
    with pytest.raises(SvfapError, match="on_error is 'ignore'; choose one of raise, skip"):
        model.predict(both, on_error="ignore")
    with pytest.raises(SvfapError, match=r"on_error is array.*; choose one of raise, skip"):
        model.predict(both, on_error=np.array(["raise", "skip"]))


def test_a_switch_is_true_or_false(model, tmp_path):
    """The text "no" would count as true."""
    (tmp_path / "a.mp4").write_text("keep")
    for wrong in ("no", 1, None, np.arange(2)):
        with pytest.raises(SvfapError, match=r"^as_frame is .*; choose one of False, True"):
            model.features("nowhere.mp4", as_frame=wrong)
        for method in (model.annotate, model.page):
            with pytest.raises(SvfapError, match=r"^overwrite is .*; choose one of False, True"):
                method("nowhere.mp4", tmp_path / "a.mp4", overwrite=wrong)
    assert (tmp_path / "a.mp4").read_text() == "keep"


def test_arguments_that_a_method_does_not_have(model):
    for method in (model.predict, model.features, model.annotate, model.page):
        for name in ("hop", "hops", "speeker"):
            with pytest.raises(SvfapError, match=rf"no argument '{name}'; .* svfap.load"):
                method("nowhere.mp4", **{name: 1})
        with pytest.raises(SvfapError, match=r"no argument 'x'; its arguments are path, .*fps"):
            method("nowhere.mp4", x=1)


def test_a_model_says_what_it_is(model):
    assert repr(model) == (
        "<svfap model model.pt: happy, surprise, sad; windows of 8 frames with stride 2>"
    )


def test_a_chosen_device(tmp_path, toy_model):
    path = write_checkpoint(tmp_path / "model.pt", toy_model)
    video = save(tmp_path / "face.mp4", face_frames(30))
    expected = svfap.load(path).predict(video)
    devices = ["cpu", torch.device("cpu"), *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        table = svfap.load(path, device=device).predict(video)
        pd.testing.assert_frame_equal(table, expected, atol=1e-3)


def test_pictures_replace_a_file_only_if_they_may(tmp_path, model, monkeypatch):
    """It may be another recording."""
    monkeypatch.chdir(tmp_path)
    video = save(tmp_path / "face.mp4", face_frames(20))
    for method, out in ((model.annotate, "face_annotated.mp4"), (model.page, "page.html")):
        (tmp_path / out).write_text("another")
        with pytest.raises(SvfapError, match=f"{out}: exists; .* or give overwrite=True"):
            method(video, out)
        with pytest.raises(SvfapError, match=r"ends in|exists"):
            model.annotate(video)
        assert (tmp_path / out).read_text() == "another"
        method(video, out, overwrite=True)
        assert (tmp_path / out).stat().st_size > 1000


def test_where_pictures_cannot_be_written(tmp_path, model):
    video = save(tmp_path / "face.mp4", face_frames(20))
    for out in (tmp_path, tmp_path / "face.avi", "face", 5, b"a.mp4"):
        with pytest.raises(SvfapError, match=r"ends in \.mp4"):
            model.annotate(video, out)
        with pytest.raises(SvfapError, match=r"ends in \.html"):
            model.page(video, out)
    with pytest.raises(SvfapError, match=r"is the input .*, which is never overwritten"):
        model.annotate(video, video)
    for out in (tmp_path / "face.mp4" / "x", "/sys/x"):
        with pytest.raises(SvfapError, match=r"cannot be written \(.*; choose a folder"):
            model.annotate(video, f"{out}/a.mp4")
        with pytest.raises(SvfapError, match=r"cannot be written \(.*; choose a folder"):
            model.page(video, f"{out}/a.html")
    for out, reason in (
        ("https://example.org/a.mp4", "is an address; name a file"),
        ("a" * 300 + ".mp4", r"cannot be written \(File name too long\)"),
        ("a\0.mp4", "is no name of a file"),
    ):
        with pytest.raises(SvfapError, match=reason):
            model.annotate(video, out)
    with pytest.raises(SvfapError, match="2 videos given; give one at a time"):
        model.page([video, video])
