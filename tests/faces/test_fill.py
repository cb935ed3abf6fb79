"""What clips show where the face is missing: `crop.missing`."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from helpers.photo_videos import face_frames, noise_frames, save, to_bgr

from svfap.config import CropConfig
from svfap.config.yaml_file import parse
from svfap.datasets.dataset import Clip, write_manifest
from svfap.errors import SvfapError
from svfap.faces.clip_tables import quality_path
from svfap.faces.clips import FaceClip, cut_clips
from svfap.faces.cropped_video import clip_settings, read_cropped_video
from svfap.faces.detectors.make import make_detector
from svfap.faces.fill import hold
from svfap.faces.find_clips import find_clips
from svfap.stages import crop
from svfap.use.bundle import ModelFacts
from svfap.use.options import Options, crop_settings
from svfap.video.decode import Reject, read_frames

FACE, NOBODY = 50, 60  # frames


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face, then nobody for longer than `crop.max_gap`, then the face again."""
    faces = [*face_frames(FACE)]
    height, width = faces[0].shape[:2]
    nobody = [np.full((height, width, 3), 90, np.uint8)] * NOBODY
    return save(tmp_path_factory.mktemp("away") / "away.mp4", [*faces, *nobody, *faces])


def clip_of(path: Path, **settings: Any) -> FaceClip:
    config = CropConfig(preset="auto", **settings)
    (clip,) = find_clips(path, config, make_detector(config))
    return clip


def brightness(path: Path, clip: FaceClip) -> list[float]:
    return [float(to_bgr(image).mean()) for _, image in cut_clips(read_frames(path), [clip])]


def test_by_default_a_clip_ends_where_its_face_does(away: Path) -> None:
    clip = clip_of(away)
    assert len(clip) < FACE + 10
    assert clip.blank is None
    assert clip.quality.faceless == 0


def test_blank_frames_stand_for_a_missing_face(away: Path) -> None:
    clip = clip_of(away, missing="blank")
    assert len(clip) == 2 * FACE + NOBODY
    values = brightness(away, clip)
    black = [place for place, value in enumerate(values) if value == 0]
    assert black == [*range(black[0], black[-1] + 1)]
    assert abs(black[0] - FACE) < 6
    assert abs(black[-1] + 1 - FACE - NOBODY) < 6
    assert clip.quality.faceless == pytest.approx(len(black) / len(clip))
    assert clip.quality.detection_rate == pytest.approx(2 * FACE / (2 * FACE + NOBODY), abs=0.05)
    assert clip.quality.coverage == 1
    half = clip.sampled(np.arange(0, len(clip), 2))
    assert [value == 0 for value in brightness(away, half)] == [v == 0 for v in values[::2]]


def test_held_squares_stay_where_the_face_was(away: Path) -> None:
    clip = clip_of(away, missing="hold")
    assert len(clip) == 2 * FACE + NOBODY
    gap = clip.corners[FACE + 8 : FACE + NOBODY - 8]
    assert np.ptp(gap, axis=0).max() == 0
    assert np.abs(gap[0] - clip.corners[FACE]).max() < 0.05
    assert clip.quality.faceless == pytest.approx(NOBODY / len(clip), abs=0.1)
    assert min(brightness(away, clip)) > 0


def test_a_video_without_any_face(tmp_path: Path) -> None:
    path = save(tmp_path / "noise.mp4", list(noise_frames(30, side=160)))
    with pytest.raises(Reject, match="no face found"):
        clip_of(path)
    with pytest.raises(Reject, match="no face found"):
        clip_of(path, missing="hold")
    clip = clip_of(path, missing="blank")
    assert brightness(path, clip) == [0.0] * 30
    assert (clip.quality.faceless, clip.quality.detection_rate) == (1, 0)


def test_squares_before_between_and_after() -> None:
    one, two = (np.full((2, 3, 2), value) for value in (1.0, 2.0))
    corners, seen = hold([(5, two), (2, one)], 9)
    assert corners[:, 0, 0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert seen.tolist() == [False, False, True, True, False, True, True, False, False]


def test_one_face_only_and_old_settings_stay_the_same() -> None:
    with pytest.raises(SvfapError, match=r"missing: blank makes one clip of a whole video"):
        parse(CropConfig, {"missing": "blank", "speaker": "all"}, where="crop")
    assert "missing" not in clip_settings(CropConfig())
    assert clip_settings(CropConfig(missing="hold"))["missing"] == "hold"


def test_the_stage_marks_and_writes_blank_frames(away: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [Clip("a", away, "one")])
    output = tmp_path / "crops" / "one" / "clips.csv"
    config = CropConfig(missing="blank", size=64)
    manifest = tmp_path / "manifest.csv"
    crop.run(config, manifest=manifest, part="one", output=output, workers=1, log=lambda _: None)
    quality = pd.read_parquet(quality_path(output))
    assert quality["faceless"].tolist() == pytest.approx([NOBODY / (2 * FACE + NOBODY)], abs=0.1)
    assert 0 < quality["blur"][0] < 1
    frames = [frame.bgr() for frame in read_frames(output.parent / "faces" / "a.mkv")]
    assert len(frames) == 2 * FACE + NOBODY
    assert frames[FACE + NOBODY // 2].max() == 0
    assert frames[0].mean() > 20
    # Outcomes of earlier versions are read, so that nothing is cropped again.
    sidecar = output.parent / "faces" / "a.json"
    values = json.loads(sidecar.read_text())
    values["clips"][0]["quality"].pop("faceless")
    sidecar.write_text(json.dumps(values))
    earlier = read_cropped_video(sidecar)
    assert earlier is not None
    assert earlier.clips[0].quality.faceless == 0


@pytest.mark.parametrize(
    ("trained", "speaker", "used"),
    [("blank", "main", "blank"), ("blank", "all", "reject"), (None, "main", "reject")],
)
def test_predictions_crop_as_the_model_was_trained(
    trained: str | None, speaker: Literal["main", "all"], used: str
) -> None:
    learned = {"preset": "auto"} | ({"missing": trained} if trained else {})
    facts = ModelFacts.model_construct(crop=learned)
    settings = crop_settings(facts, Options(speaker=speaker))
    assert settings.missing == used
    assert settings.speaker == ("main" if used == "blank" else "all")
