"""Face clips that nobody keeps, and checkpoints that nobody may replace."""

import shutil

import pytest
import yaml
from helpers.toy_project import CONFIG, planned, snakemake

pytestmark = [pytest.mark.slow, pytest.mark.long]


def write(folder, videos, **changes):
    """Write a project of four videos in two folds, trained from scratch."""
    rows = [f"{video},{'ab'[n % 2]},{1 + n // 2}" for n, video in enumerate(videos)]
    (folder / "my.csv").write_text("\n".join(["path,label,fold", *rows]) + "\n")
    config = {"datasets": {"toy": {"csv": "my.csv"}}, "baseline": False, "model": CONFIG["model"]}
    config["finetune"] = CONFIG["finetune"] | {"init": "scratch"}
    config["crop"] = CONFIG["crop"] | changes.pop("crop", {})
    (folder / "toy.yaml").write_text(yaml.safe_dump(config | changes))


def tars(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob("data/shards/toy/*/*.tar")}


def test_clips_go_when_they_are_packed_and_checkpoints_stay(tmp_path, toy_videos):
    videos = [tmp_path / f"{n}.mp4" for n in range(5)]
    for video, toy in zip(videos, toy_videos.values(), strict=False):
        shutil.copy2(toy, video)
    kept, lean = tmp_path / "kept", tmp_path / "lean"
    for folder in (kept, lean):
        folder.mkdir()
    write(kept, videos[:4])
    snakemake(kept, "--until", "shard")
    write(lean, videos[:4], crop={"keep": False}, protect=True)
    snakemake(lean)
    assert not [*lean.rglob("*.mkv")]
    assert len([*kept.rglob("*.mkv")]) == 4
    assert tars(lean) == tars(kept)
    assert len(tars(lean)) == 2
    assert planned(lean) == {}

    models = sorted(lean.glob("results/finetune/toy/*/checkpoint.pt"))
    assert [model.stat().st_mode & 0o222 for model in models] == [0, 0]
    before = [model.read_bytes() for model in models]
    write(lean, videos, crop={"keep": False}, protect=True)
    jobs = planned(lean)
    assert {name: jobs[name] for name in ("download", "crop", "shard")} == {
        "download": 1,
        "crop": 2 + 1,
        "shard": 2 + 1,
    }
    done = snakemake(lean, check=False)
    assert done.returncode != 0
    (line,) = (line for line in done.stderr.splitlines() if "error: " in line)
    assert "checkpoint.pt is write-protected, and this run would replace it" in line
    assert "Traceback" not in done.stderr
    assert [model.read_bytes() for model in models] == before
