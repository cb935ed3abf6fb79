"""The crop preset of each dataset unless the configuration sets one."""

import pytest

from svfap import datasets
from svfap.config import Config, DatasetConfig
from svfap.experiment import resolve


def plan(names: list[str], **crop: str) -> resolve.Experiment:
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
        ("ChaLearn", "auto"),
        ("demo", "auto"),
    ],
)
def test_a_dataset_is_cropped_as_in_the_paper(name: str, preset: str) -> None:
    assert plan([name]).crop(name).preset == preset
    assert plan([name], preset="auto").crop(name).preset == "auto"


def test_every_named_dataset_exists() -> None:
    assert {*resolve.OPENFACE_IN_PAPER} <= {*datasets.DATASETS}


@pytest.mark.parametrize(
    ("name", "variant", "preset"),
    [("DFEW", "videos", "auto"), ("CREMA-D", "aligned", "frames"), ("ChaLearn", "faces", "frames")],
)
def test_a_variant_is_cropped_by_what_it_holds(name: str, variant: str, preset: str) -> None:
    dataset = datasets.get(name, DatasetConfig(variant=variant))
    assert resolve.paper_crop(dataset) == preset
