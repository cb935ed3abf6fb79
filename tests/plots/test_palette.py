"""Colours of classes: fixed by the name, whatever the dataset."""

import pytest

from svfap.plots.palette import COLOURS, colours_of

PAPER = ("happy", "sad", "neutral", "anger", "surprise", "disgust", "fear")
RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def test_an_emotion_has_one_colour_in_all_datasets_and_orders() -> None:
    paper = dict(zip(PAPER, colours_of(PAPER), strict=True))
    ravdess = dict(zip(RAVDESS, colours_of(RAVDESS), strict=True))
    for one, other in (("happy", "happy"), ("anger", "angry"), ("surprise", "surprised")):
        assert paper[one] == ravdess[other]
    assert colours_of(PAPER[::-1]) == colours_of(PAPER)[::-1]
    assert len({*paper.values()}) == len(PAPER)


def test_other_names_keep_their_colours_too() -> None:
    assert colours_of(["boredom", "pride"])[0] == colours_of(["pride", "boredom"])[1]
    assert colours_of(["openness", "happy"])[0] == colours_of(["sad", "openness"])[1]


@pytest.mark.parametrize(
    "names", [("happy", "joy", "Happiness"), [f"class {number}" for number in range(14)]]
)
def test_classes_of_one_dataset_differ(names: list[str]) -> None:
    assert len({*colours_of(names)}) == len(names)


def test_many_classes_share_colours_evenly() -> None:
    colours = colours_of([str(number) for number in range(2 * len(COLOURS))])
    assert {colours.count(colour) for colour in COLOURS} == {2}
