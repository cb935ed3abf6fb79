"""The contact sheet and the histograms, on real crops."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import face_frames, noise_frames, save

from svfap.config import CropConfig
from svfap.config.stage_sections import ReviewConfig
from svfap.datasets.dataset import Clip, write_manifest
from svfap.errors import SvfapError
from svfap.faces.clip_tables import QUALITY_COLUMNS
from svfap.faces.quality import blur
from svfap.plots.contact_sheet import BETTER_HIGH, BETTER_LOW, rank
from svfap.stages import crop, review


def nothing(metrics: object) -> None:
    del metrics


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two parts of a dataset; one clip is blurred."""
    folder = tmp_path_factory.mktemp("toy")
    clips = []
    for number in range(5):
        frames = list(face_frames(20, step=0.5 * number))
        if number == 3:
            frames = [np.asarray(cv2.blur(frame, (15, 15)), dtype=np.uint8) for frame in frames]
        path = save(folder / f"{number}.mp4", frames)
        clips.append(Clip(f"clip{number}", path, f"p{number % 2}"))
    clips.append(Clip("noise", save(folder / "noise.mp4", noise_frames(12)), "p1"))
    write_manifest(folder / "manifest.csv", clips)
    outputs = []
    for part in ("p0", "p1"):
        outputs.append(folder / "crops" / "toy" / part / "clips.csv")
        crop.run(
            CropConfig(max_rejects=0.5),
            manifest=folder / "manifest.csv",
            part=part,
            output=outputs[-1],
            workers=1,
            log=nothing,
        )
    return outputs


def test_a_sheet_and_histograms_are_drawn(tmp_path: Path, crops: list[Path]) -> None:
    logged: dict[str, float] = {}
    output = tmp_path / "figures" / "toy" / "crops.png"
    review.run(ReviewConfig(notice="Synthetic."), crops=crops, output=output, log=logged.update)
    for name in ("crops.png", "crop_quality.png"):
        picture = cv2.imread(str(output.with_name(name)))
        assert picture is not None
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 10
    assert logged["median_detection_rate"] == 1
    assert set(logged) == {f"median_{name}" for name in QUALITY_COLUMNS if name != "key"}
    before = output.read_bytes()
    review.run(ReviewConfig(notice="Synthetic."), crops=crops, output=output, log=nothing)
    assert output.read_bytes() == before


def test_the_blurred_clip_has_the_largest_blur(crops: list[Path]) -> None:
    quality = pd.concat(pd.read_parquet(path.with_name("quality.parquet")) for path in crops)
    blurs = quality.set_index("key")["blur"]
    assert blurs.idxmax() == "clip3"
    assert blurs["clip3"] > 1.2 * blurs.drop("clip3").max()


def test_ranking_puts_the_worst_first() -> None:
    names = [*BETTER_HIGH, *BETTER_LOW]
    good = dict.fromkeys(BETTER_HIGH, 1.0) | dict.fromkeys(BETTER_LOW, 0.0)
    bad = dict.fromkeys(BETTER_HIGH, 0.1) | dict.fromkeys(BETTER_LOW, 9.0)
    table = pd.DataFrame([good | {"key": "good"}, bad | {"key": "bad"}], columns=["key", *names])
    assert [*rank(table)["key"]] == ["bad", "good"]


def test_blur_grows_with_blurring() -> None:
    sharp = next(face_frames(1))
    values = [blur(np.asarray(cv2.blur(sharp, (size, size)))) for size in (1, 3, 7, 15)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1
    assert blur(np.zeros((9, 9, 3), np.uint8)) == 1


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SvfapError, match="cannot be reviewed") as caught:
        review.run(
            ReviewConfig(), crops=[tmp_path / "clips.csv"], output=tmp_path / "a.png", log=nothing
        )
    assert "\n" not in str(caught.value)
