"""No command writes over its input: by name, link, upper case, or through a folder."""

import json
import os
import shutil

import pytest
from helpers.random_checkpoints import write_checkpoint

from svfap.__main__ import main
from svfap.errors import SvfapError
from svfap.overwriting import keep_apart, keep_inputs
from svfap.video.encode import cut


def ways_to(original, folder):
    """Names that lead to a file: the plain one, over a folder, by a symbolic and by a hard link."""
    (folder / "links").mkdir()
    (folder / "symbolic").symlink_to(original)
    (folder / "hard").hardlink_to(original)
    (folder / "links" / "parent").symlink_to(folder)
    return [
        original,
        original.parent / "links" / ".." / original.name,
        folder / "symbolic",
        folder / "hard",
        folder / "links" / "parent" / original.name,
    ]


def test_every_way_to_an_input_is_refused(tmp_path):
    original = tmp_path / "a.mp4"
    original.write_text("film")
    for way in ways_to(original, tmp_path):
        for inputs, outputs in (([original], [way]), ([way], [original])):
            with pytest.raises(SvfapError, match="which is never overwritten"):
                keep_inputs(inputs, [tmp_path / "new", *outputs])
    (tmp_path / "copy").write_text("film")
    keep_inputs([original, tmp_path / "gone"], [tmp_path / "copy", tmp_path / "gone"])


def test_a_folder_above_an_input_is_refused(tmp_path):
    videos, store = tmp_path / "videos", tmp_path / "store"
    for folder in (videos / "sub", store):
        folder.mkdir(parents=True)
    (store / "a.mp4").touch()
    (videos / "sub" / "a.mp4").symlink_to(store / "a.mp4")
    for folder in (videos, videos / "sub", store, tmp_path):
        with pytest.raises(SvfapError, match="holds the input"):
            keep_apart(folder, [videos / "sub" / "a.mp4"])
    keep_apart(videos / "out", [videos / "sub" / "a.mp4"])


@pytest.mark.parametrize("flags", [(), ("--overwrite",)])
def test_predict_into_the_folder_of_the_videos(tmp_path, toy_model, flags, capsys):
    model = write_checkpoint(tmp_path / "model.pt", toy_model)
    videos = tmp_path / "videos"
    (videos / "sub").mkdir(parents=True)
    for name in ("a.mp4", "sub/b.mov"):
        (videos / name).write_text("not opened before the check")
    (tmp_path / "link").symlink_to(videos)
    before = snapshot(tmp_path)
    for source in (videos, videos / "a.mp4", videos / "sub"):
        for output in (videos, tmp_path / "link", videos / ".." / "videos"):
            call = ["predict", source, "--checkpoint", model, "--output", output, *flags]
            assert main([*map(str, call)]) == 2
            assert "model" not in capsys.readouterr().err
    assert snapshot(tmp_path) == before


def test_predict_over_a_hard_link_to_the_video(tmp_path, toy_model, capsys):
    model = write_checkpoint(tmp_path / "model.pt", toy_model)
    (tmp_path / "a.mp4").write_text("film")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.mp4").hardlink_to(tmp_path / "a.mp4")
    call = ["predict", tmp_path / "a.mp4", "--checkpoint", model, "--output", out, "--overwrite"]
    assert main([*map(str, call)]) == 2
    assert "never overwritten" in capsys.readouterr().err


def test_export_and_convert_over_their_model(tmp_path, toy_model, capsys):
    model = write_checkpoint(tmp_path / "model.pt", toy_model)
    shared = tmp_path / "shared"
    assert main(["export", str(model), str(shared)]) == 0
    shutil.copytree(shared, tmp_path / "linked", copy_function=os.link)
    (tmp_path / "link.pt").symlink_to(model)
    before = snapshot(tmp_path)
    for call in (
        ("export", shared, shared),
        ("export", shared, tmp_path / "linked"),
        ("convert", model, model),
        ("convert", model, tmp_path / "link.pt"),
    ):
        assert main([*map(str, call), "--overwrite"]) == 2
        assert "never overwritten" in capsys.readouterr().err
    assert snapshot(tmp_path) == before


def test_crop_over_its_videos_and_its_manifest(tmp_path, capsys):
    faces = tmp_path / "faces"
    faces.mkdir()
    (faces / "k.mkv").write_text("film")
    for manifest in ("manifest.csv", "clips.csv"):
        (tmp_path / manifest).write_text(
            "key,path,part,subject,target,group\nk,faces/k.mkv,p,s,0,\n"
        )
        before = snapshot(tmp_path)
        call = ["--manifest", tmp_path / manifest, "--output", tmp_path / "clips.csv"]
        call = ["crop", "--config", "{}", *call, "--part", "p", "--workers", 1]
        assert main([*map(str, call)]) == 2
        assert "never overwritten" in capsys.readouterr().err
        after = snapshot(tmp_path)
        assert {name: after[name] for name in before} == before


def test_a_stage_over_its_input(tmp_path, capsys):
    (tmp_path / "clips.csv").write_text("key,path\n")
    files = ["--clips", str(tmp_path / "clips.csv"), "--output", str(tmp_path / "clips.csv")]
    assert main(["shard", "--config", "{}", *files]) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [tmp_path / "clips.csv"]


def test_a_cut_over_its_video(tmp_path):
    (tmp_path / "a.mp4").write_text("film")
    with pytest.raises(SvfapError, match="never overwritten"):
        cut(tmp_path / "a.mp4", tmp_path / "." / "a.mp4", start=1)


def test_sync_tracking_over_a_record(tmp_path, monkeypatch, capsys):
    record = tmp_path / "run.jsonl"
    record.write_text(json.dumps({"event": "start", "time": 1.0}) + "\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{record}")
    assert main(["sync-tracking", str(tmp_path)]) == 2
    assert "never overwritten" in capsys.readouterr().err


def snapshot(folder):
    """Content of every file, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
