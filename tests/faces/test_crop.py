"""The stage `crop`, on real files."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import convert, face_frames, noise_frames, save

from svfap.config import CropConfig
from svfap.datasets.dataset import Clip, write_manifest
from svfap.errors import SvfapError
from svfap.faces.clip_tables import CLIP_COLUMNS, QUALITY_COLUMNS
from svfap.faces.cropped_video import file_stem
from svfap.stages import crop
from svfap.video.decode import declared
from svfap.video.facevideo import read_jpegs


class Metrics(dict[str, float]):
    """Collects the metrics that a stage logs."""

    def log(self, metrics: dict[str, float], step: int = 0) -> None:
        del step
        self.update(metrics)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("raw")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video\n" * 50)
    return {
        "happy": save(folder / "happy.mp4", face_frames(20)),
        "sad": save(folder / "sad.mp4", face_frames(15, step=-1), fps=30),
        "noise": save(folder / "noise.mp4", noise_frames(12)),
        "short": save(folder / "short.mp4", face_frames(3)),
        "short2": save(folder / "short2.mp4", face_frames(5)),
        "empty": folder / "empty.mp4",
        "text": folder / "text.mp4",
        "missing": folder / "missing.mp4",
    }


def manifest(folder: Path, videos: dict[str, Path], keys: Sequence[str]) -> Path:
    path = folder / "manifest.csv"
    clips = [Clip(k, videos[k], "p0", f"subject of {k}", (n, 0.5)) for n, k in enumerate(keys)]
    write_manifest(path, [*clips, Clip("other", videos["happy"], "p1")])
    return path


def run(
    folder: Path, table: Path, config: CropConfig | None = None, *, workers: int = 1
) -> Metrics:
    metrics = Metrics()
    output = folder / "crops" / "clips.csv"
    crop.run(
        config or CropConfig(),
        manifest=table,
        part="p0",
        output=output,
        workers=workers,
        log=metrics.log,
    )
    return metrics


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_good_videos_become_face_clips(tmp_path: Path, videos: dict[str, Path]) -> None:
    metrics = run(tmp_path, manifest(tmp_path, videos, ["sad", "happy"]), CropConfig(size=96))
    table = rows(tmp_path / "crops" / "clips.csv")
    assert list(table[0]) == [*CLIP_COLUMNS]
    assert [(r["key"], r["frames"], r["fps"]) for r in table] == [
        ("sad", "15", "30"),
        ("happy", "20", "25"),
    ]
    assert table[1]["subject"] == "subject of happy"
    assert table[1]["group"] == "happy"
    assert table[1]["target"] == "1 0.5"
    assert json.loads(table[0]["crop"])["preset"] == "auto"
    quality = pd.read_parquet(tmp_path / "crops" / "quality.parquet")
    assert [*quality.columns] == [*QUALITY_COLUMNS]
    assert [*quality.key] == ["sad", "happy"]
    assert (quality.detection_rate == 1).all()
    assert (quality.score > 0.8).all()
    for row in table:
        clip = tmp_path / "crops" / row["path"]
        jpegs = read_jpegs(clip)
        assert len(jpegs) == int(row["frames"])
        assert declared(clip).fps == pytest.approx(float(row["fps"]), rel=1e-3)
        for data in jpegs:
            picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None
            assert picture.shape == (96, 96, 3)
    assert rows(tmp_path / "crops" / "rejects.csv") == []
    assert metrics["clips"] == 2
    assert metrics["rejects"] == 0
    assert metrics["frames"] == 35
    assert metrics["detection_rate"] == 1
    assert metrics["seconds"] > 0


def test_folders_of_frames_and_flash_become_face_clips_too(tmp_path: Path) -> None:
    frames = tmp_path / "raw" / "00012"
    frames.mkdir(parents=True)
    for number, image in enumerate(face_frames(12), start=1):
        cv2.imwrite(str(frames / f"frame{number}.jpg"), image)
    flash = tmp_path / "raw" / "1001_DFA_ANG_XX.flv"
    convert(save(tmp_path / "raw" / "a.mp4", face_frames(12)), flash, vcodec="flv")
    (tmp_path / "raw" / "empty").mkdir()
    paths = {"frames": frames, "flash": flash, "empty": tmp_path / "raw" / "empty"}
    run(tmp_path, manifest(tmp_path, paths | {"happy": flash}, [*paths]), CropConfig(max_rejects=1))
    table = rows(tmp_path / "crops" / "clips.csv")
    assert [(r["key"], r["frames"], r["fps"]) for r in table] == [
        ("frames", "12", "25"),
        ("flash", "12", "25"),
    ]
    (reject,) = rows(tmp_path / "crops" / "rejects.csv")
    assert reject["reason"] == "no picture in its folder"
    made = tmp_path / "crops" / "faces" / "frames.mkv"
    before = made.stat().st_mtime_ns
    cv2.imwrite(str(frames / "frame13.jpg"), next(face_frames(1)))
    run(tmp_path, tmp_path / "manifest.csv", CropConfig(max_rejects=1))
    assert made.stat().st_mtime_ns != before
    assert rows(tmp_path / "crops" / "clips.csv")[0]["frames"] == "13"


def test_each_reject_is_named_with_its_reason(tmp_path: Path, videos: dict[str, Path]) -> None:
    keys = ["missing", "happy", "empty", "text", "noise", "short"]
    metrics = run(tmp_path, manifest(tmp_path, videos, keys), CropConfig(max_rejects=0.9))
    assert [row["key"] for row in rows(tmp_path / "crops" / "clips.csv")] == ["happy"]
    rejects = rows(tmp_path / "crops" / "rejects.csv")
    assert [(row["key"], row["reason"]) for row in rejects] == [
        ("missing", "no such file"),
        ("empty", "empty file (0 bytes)"),
        ("text", "not a readable video (Invalid data found when processing input)"),
        ("noise", "no face found"),
        ("short", "3 frames, at least 8 needed (crop.min_frames)"),
    ]
    assert all(row["path"] == str(videos[row["key"]]) for row in rejects)
    assert metrics["rejects"] == 5
    faces = {path.name for path in (tmp_path / "crops" / "faces").iterdir()}
    assert faces == {"happy.mkv"} | {f"{key}.json" for key in keys}


def test_too_many_rejects_stop_the_run_after_all_is_written(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    table = manifest(tmp_path, videos, ["happy", "short", "noise", "short2"])
    with pytest.raises(SvfapError) as caught:
        run(tmp_path, table)
    assert str(caught.value) == (
        "3 of 4 videos rejected, 2 of them like this: 3 frames, at least 8 needed "
        f"(crop.min_frames); see {tmp_path / 'crops' / 'too_many_rejects.csv'}, then fix or remove "
        "these videos or raise crop.max_rejects (now 0.2)"
    )
    assert len(rows(tmp_path / "crops" / "rejects.csv")) == 3
    clip = tmp_path / "crops" / "faces" / "happy.mkv"
    made = clip.stat().st_mtime_ns
    run(tmp_path, table, CropConfig(max_rejects=0.75))
    assert clip.stat().st_mtime_ns == made


def test_no_clip_at_all_is_an_error_whatever_is_tolerated(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    table = manifest(tmp_path, videos, ["noise", "empty"])
    with pytest.raises(SvfapError, match=r"^2 of 2 videos rejected.*fix or remove these videos$"):
        run(tmp_path, table, CropConfig(max_rejects=1))


def test_two_runs_give_the_same_bytes(tmp_path: Path, videos: dict[str, Path]) -> None:
    outcomes = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        table = manifest(folder, videos, ["happy", "noise", "sad"])
        run(folder, table, CropConfig(max_rejects=0.5))
        outcomes.append(contents(folder / "crops"))
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 9
    assert not [name for name in outcomes[0] if name.endswith(".partial")]


def test_a_finished_video_is_not_cropped_again(tmp_path: Path, videos: dict[str, Path]) -> None:
    table = manifest(tmp_path, videos, ["happy", "sad"])
    run(tmp_path, table)
    before = contents(tmp_path / "crops")
    faces = tmp_path / "crops" / "faces"
    (faces / "happy.mkv").write_bytes(b"kept as it is")
    (faces / "sad.mkv").unlink()
    run(tmp_path, table)
    assert (faces / "happy.mkv").read_bytes() == b"kept as it is"
    (faces / "happy.json").unlink()
    run(tmp_path, table)
    assert contents(tmp_path / "crops") == before


def test_a_video_that_is_gone_stops_the_run(tmp_path: Path, videos: dict[str, Path]) -> None:
    own = {key: Path(shutil.copy(videos[key], tmp_path)) for key in ("happy", "sad")}
    table = manifest(tmp_path, {**videos, **own}, [*own])
    run(tmp_path, table)
    before = contents(tmp_path / "crops")
    own["sad"].unlink()
    with pytest.raises(SvfapError, match=f"{own['sad']}: cropped earlier and gone now"):
        run(tmp_path, table)
    assert contents(tmp_path / "crops") == before


def test_a_damaged_outcome_is_written_again(tmp_path: Path, videos: dict[str, Path]) -> None:
    table = manifest(tmp_path, videos, ["happy"])
    run(tmp_path, table)
    before = contents(tmp_path / "crops")
    outcome = tmp_path / "crops" / "faces" / "happy.json"
    for damage in ("", "[]", '{"fingerprint": 1}', outcome.read_text()[:50]):
        outcome.write_text(damage)
        run(tmp_path, table)
        assert contents(tmp_path / "crops") == before


def test_other_settings_or_another_video_are_noticed(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    raw = tmp_path / "raw.mp4"
    raw.write_bytes(videos["noise"].read_bytes())
    table = manifest(tmp_path, {**videos, "raw": raw}, ["raw", "happy"])
    tolerant = CropConfig(max_rejects=0.5)
    run(tmp_path, table, tolerant)
    assert [row["key"] for row in rows(tmp_path / "crops" / "clips.csv")] == ["happy"]
    raw.write_bytes(videos["happy"].read_bytes())
    run(tmp_path, table, tolerant)
    first = contents(tmp_path / "crops")
    assert first["faces/raw.mkv"] == first["faces/happy.mkv"]
    os.utime(raw, ns=(1, 1))
    run(tmp_path, table, tolerant)
    touched = contents(tmp_path / "crops")
    assert touched["faces/raw.json"] != first["faces/raw.json"]
    assert touched["faces/happy.json"] == first["faces/happy.json"]
    run(tmp_path, table, CropConfig(margin=0.6))
    assert contents(tmp_path / "crops")["faces/happy.mkv"] != first["faces/happy.mkv"]


def test_a_clip_that_no_longer_passes_is_removed(tmp_path: Path, videos: dict[str, Path]) -> None:
    table = manifest(tmp_path, videos, ["happy", "sad"])
    run(tmp_path, table)
    run(tmp_path, table, CropConfig(min_frames=18, max_rejects=0.5))
    assert [row["key"] for row in rows(tmp_path / "crops" / "clips.csv")] == ["happy"]
    assert not (tmp_path / "crops" / "faces" / "sad.mkv").exists()
    outcome = json.loads((tmp_path / "crops" / "faces" / "sad.json").read_text())
    assert outcome["reject"] == "15 frames, at least 18 needed (crop.min_frames)"


def test_keys_never_leave_the_folder(tmp_path: Path, videos: dict[str, Path]) -> None:
    keys = ["../up", ".hidden", "a/b", "a b", "ä", "100%", "plain-1.x_Y"]
    named = dict.fromkeys(keys, videos["short"]) | {"happy": videos["happy"]}
    table = manifest(tmp_path, named, [*keys, "happy"])
    run(tmp_path, table, CropConfig(max_rejects=0.9))
    faces = {path.name for path in (tmp_path / "crops" / "faces").iterdir()}
    assert len(faces) == len(keys) + 2
    assert "plain-1.x_Y.json" in faces
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.csv", "crops"}
    assert not any(name.startswith(".") for name in faces)
    assert len({file_stem(key) for key in (*keys, "%2Ehidden", "a%2Fb")}) == len(keys) + 2


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path, videos: dict[str, Path]) -> None:
    table = manifest(tmp_path, videos, ["happy", "sad", "happy"])
    with pytest.raises(SvfapError, match=r"key 'happy' occurs 2 times"):
        run(tmp_path, table)


def test_an_unknown_part_and_a_missing_manifest_are_refused(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    table = manifest(tmp_path, videos, ["happy"])
    for path, part, message in (
        (table, "p7", "no clip belongs to part 'p7'"),
        (tmp_path / "nowhere.csv", "p0", "no such file; run the stage `download` first"),
    ):
        with pytest.raises(SvfapError, match=message):
            crop.run(
                CropConfig(),
                manifest=path,
                part=part,
                output=tmp_path / "c" / "clips.csv",
                workers=1,
                log=Metrics().log,
            )


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    table = manifest(tmp_path, videos, ["happy"])
    (tmp_path / "crops").write_text("a file where the folder should be")
    with pytest.raises(SvfapError, match=r"cannot be written \(.+\); make room") as caught:
        run(tmp_path, table)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device")
def test_a_full_disk_is_one_line(tmp_path: Path, videos: dict[str, Path]) -> None:
    table = manifest(tmp_path, videos, ["happy"])
    faces = tmp_path / "crops" / "faces"
    faces.mkdir(parents=True)
    (faces / "happy.mkv.partial").symlink_to("/dev/full")
    with pytest.raises(SvfapError, match=r"cannot be written \(No space left on device\)"):
        run(tmp_path, table)
    assert not (faces / "happy.json").exists()


def test_any_number_of_workers_gives_the_same_bytes(
    tmp_path: Path, videos: dict[str, Path]
) -> None:
    outcomes = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        table = manifest(folder, videos, ["happy", "noise", "sad", "text", "short"])
        run(folder, table, CropConfig(max_rejects=0.7), workers=workers)
        outcomes.append(contents(folder / "crops"))
    assert outcomes[0] == outcomes[1]


def test_everyone_in_a_video_is_one_group(tmp_path: Path) -> None:
    pair = [np.hstack([frame, frame[:, ::-1]]) for frame in face_frames(20, step=0.2)]
    video = save(tmp_path / "pair.mp4", pair)
    table = manifest(tmp_path, {"pair": video, "happy": video}, ["pair"])
    run(tmp_path, table, CropConfig(speaker="all"))
    clips = rows(tmp_path / "crops" / "clips.csv")
    assert [(clip["key"], clip["group"]) for clip in clips] == [
        ("pair", "pair"),
        ("pair~2", "pair"),
    ]
    before = contents(tmp_path / "crops")
    assert all((tmp_path / "crops" / clip["path"]).is_file() for clip in clips)
    (tmp_path / "crops" / clips[1]["path"]).unlink()
    run(tmp_path, table, CropConfig(speaker="all"))
    assert contents(tmp_path / "crops") == before
    run(tmp_path, table, CropConfig(speaker="main"))
    assert not (tmp_path / "crops" / clips[1]["path"]).exists()


def crop_command(table: Path, output: Path) -> list[str]:
    """The command line that crops part p0 of a manifest in two processes."""
    files = ("--manifest", str(table), "--output", str(output))
    options = ("--config", "{}", "--part", "p0", "--workers", "2")
    return [sys.executable, "-m", "svfap", "crop", *files, *options]


def test_a_kill_loses_no_finished_video(tmp_path: Path, videos: dict[str, Path]) -> None:
    longer = save(tmp_path / "longer.mp4", face_frames(150, step=0.3))
    keys = [f"clip{number}" for number in range(12)]
    table = manifest(tmp_path, dict.fromkeys(keys, longer) | {"happy": videos["happy"]}, keys)
    output = tmp_path / "crops" / "clips.csv"
    faces = output.parent / "faces"
    command = crop_command(table, output)
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as job:
        while len([*faces.glob("*.json")]) < 3:
            assert job.poll() is None
            time.sleep(0.02)
        os.killpg(job.pid, signal.SIGKILL)
    done = {path: path.stat().st_mtime_ns for path in faces.glob("*.json")}
    assert not output.exists()
    run(tmp_path, table)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert len(rows(output)) == 12
    clips = {(faces / f"{key}.mkv").read_bytes() for key in keys}
    assert len(clips) == 1
    assert not [*faces.glob("*.partial")]


def test_an_interrupt_is_obeyed_at_once(tmp_path: Path, videos: dict[str, Path]) -> None:
    longer = save(tmp_path / "longer.mp4", face_frames(400, step=0.1))
    keys = [f"clip{number}" for number in range(30)]
    table = manifest(tmp_path, dict.fromkeys(keys, longer) | {"happy": videos["happy"]}, keys)
    command = crop_command(table, tmp_path / "crops" / "clips.csv")
    with subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as job:
        while not [*(tmp_path / "crops" / "faces").glob("*.json")]:
            assert job.poll() is None
            time.sleep(0.02)
        os.killpg(job.pid, signal.SIGINT)
        _, errors = job.communicate(timeout=15)
    assert job.returncode == 130
    assert "Traceback" not in errors
    assert "the same command resumes" in errors
