"""Six real clips of CREMA-D, Flash video with the VP6 codec, from the dataset to shards."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from svfap.config import CropConfig, ShardConfig
from svfap.config.stage_sections import ReviewConfig
from svfap.datasets import DATASETS
from svfap.datasets.dataset import write_manifest
from svfap.faces.clip_tables import read_clips, read_quality
from svfap.faces.detectors.make import make_detector
from svfap.shards.store import ClipStore
from svfap.stages import crop, review, shard
from svfap.video.decode import read_frames

CLIPS = Path(__file__).parents[1] / "data" / "crema_d"
PART = "actors1001-1018"


def no_log(_: object) -> None:
    """Ignore metrics."""


@pytest.fixture(scope="module")
def cropped(tmp_path_factory):
    """The `clips.csv` of the six clips, cropped as the paper crops CREMA-D."""
    root = tmp_path_factory.mktemp("crema_d")
    shutil.copytree(CLIPS, root / "VideoFlash")
    manifest, output = root / "manifest.csv", root / PART / "clips.csv"
    write_manifest(manifest, DATASETS["CREMA-D"].clips(root))
    config = CropConfig(preset=DATASETS["CREMA-D"].crop)
    crop.run(config, manifest=manifest, part=PART, output=output, workers=1, log=no_log)
    return output


@pytest.mark.parametrize("path", sorted(CLIPS.glob("*.flv")), ids=lambda path: path.stem)
def test_every_frame_of_a_flash_video_is_decoded(path):
    with av.open(str(path)) as video:
        (stream,) = video.streams.video
        assert stream.codec_context.name == "vp6f"
        packets = sum(packet.size > 0 for packet in video.demux(stream))
    frames = [*read_frames(path)]
    assert len(frames) == packets
    assert len({frame.bgr().tobytes() for frame in frames}) > 0.9 * packets


def test_each_real_video_gives_one_clip_with_its_label_and_actor(cropped):
    clips = {clip.key: clip for clip in read_clips(cropped)}
    assert len(clips) == 6
    assert {clip.subject for clip in clips.values()} == {"1001"}
    classes = DATASETS["CREMA-D"].targets
    labels = {key.split("_")[2]: classes[int(clip.target[0])] for key, clip in clips.items()}
    expected = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happy"}
    assert labels == expected | {"NEU": "neutral", "SAD": "sad"}
    for clip in clips.values():
        assert clip.frames > 50
        assert clip.fps == pytest.approx(29.97, abs=0.1)


def test_the_face_fills_the_crop_and_holds_still(cropped, tmp_path):
    index = tmp_path / "index.parquet"
    shard.run(ShardConfig(), clips=cropped, output=index, log=no_log)
    store = ClipStore([index])
    detector = make_detector(CropConfig())
    for clip in range(len(store)):
        pictures = store.frames(clip, range(0, store.length(clip), 20))
        faces = [detector.detect(np.ascontiguousarray(image[..., ::-1])) for image in pictures]
        assert all(len(found) == 1 for found in faces)
        centres = np.array([found[0].centre for found in faces])
        assert np.abs(centres - 80).max() < 20  # of 160 pixels
    assert len(read_quality(cropped)) == 6


def test_the_contact_sheet_shows_them(cropped, tmp_path):
    sheet = tmp_path / "CREMA-D" / "crops.png"
    review.run(ReviewConfig(), crops=[cropped], output=sheet, log=no_log)
    assert sheet.stat().st_size > 50_000


def test_the_licence_is_beside_them():
    text = (CLIPS / "LICENSE.md").read_text()
    assert "Open Database License 1.0" in text
    assert "Cao" in text
