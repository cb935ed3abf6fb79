"""The crop preset of each dataset: the paper's, unless the configuration sets another."""

from pathlib import Path

import pytest

from svfap import datasets
from svfap.config import Config, DatasetConfig
from svfap.experiment import resolve


def experiment(names: list[str], **crop: str) -> resolve.Experiment:
    config = Config.model_validate(
        {"datasets": {name: {} for name in names}, "crop": crop, "finetune": {"init": "scratch"}}
    )
    return resolve.Experiment(config, {name: datasets.get(name) for name in names})


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("VoxCeleb2", "voxceleb2"),
        ("DFEW", "frames"),
        ("FERV39k", "frames"),
        ("MAFW", "frames"),
        ("CREMA-D", "openface"),
        ("RAVDESS", "openface"),
        ("eNTERFACE05", "openface"),
        ("Werewolf-XL", "openface"),
        ("AVCAffe-arousal", "openface"),
        ("AVCAffe-valence", "openface"),
        ("ChaLearn", "auto"),
        ("MEAD", "auto"),
        ("demo", "auto"),
        ("demo_pretrain", "auto"),
    ],
)
def test_a_dataset_is_cropped_as_in_the_paper(name: str, preset: str) -> None:
    assert experiment([name]).crop_section(name).preset == preset
    assert experiment([name], preset="auto").crop_section(name).preset == "auto"


def test_own_videos_are_cropped_around_the_face(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("path\na.mp4\n")
    chosen = DatasetConfig(csv=tmp_path / "my.csv", task="unlabelled")
    assert datasets.get("mine", chosen).crop == "auto"


@pytest.mark.parametrize(
    ("name", "variant", "preset"),
    [
        ("DFEW", "videos", "auto"),
        ("FERV39k", "videos", "auto"),
        ("MAFW", "videos", "auto"),
        ("CREMA-D", "aligned", "frames"),
        ("RAVDESS", "7-classes", "openface"),
        ("RAVDESS", "aligned", "frames"),
        ("RAVDESS", "7-classes-aligned", "frames"),
        ("eNTERFACE05", "aligned", "frames"),
        ("Werewolf-XL", "audio-visual", "openface"),
        ("AVCAffe-arousal", "faces", "frames"),
        ("ChaLearn", "faces", "frames"),
    ],
)
def test_a_variant_is_cropped_by_its_videos(name: str, variant: str, preset: str) -> None:
    dataset = datasets.get(name, DatasetConfig(variant=variant))
    assert dataset.crop == preset
    assert dataset.is_cropped == (preset == "frames")
