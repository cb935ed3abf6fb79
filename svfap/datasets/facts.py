"""Facts for users of a dataset: how to get it, its licence, and the counts of a complete copy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Access = Literal["open", "sign-up", "closed", "own", "embedded"]
FoldSizes = tuple[int, int]
# Shown with the results on engagement, whose data are made for schools and offices.
AI_ACT = (
    "In the European Union, Regulation 2024/1689, article 5(1)(f), prohibits systems that infer"
    " emotions at work and in education, except for medical and safety reasons."
)


@dataclass(frozen=True)
class About:
    """How to get a dataset, and its licence.

    Attributes:
        access: "open" if the stage `download` downloads it, "sign-up" if users must apply for it,
            "closed" if only its authors can give it, "own" for a user's videos, and "embedded" if
            the package renders it.
        licence: the licence in a few words.
        people: who appears in the videos, and where the labels come from.
        citation: the paper to cite.
        homepage: URL of the page that describes the dataset.
        apply: how to get the dataset.
        place: files and folders that a copy must have, by the publisher's names.
        remarks: anything else a user should know, such as differences between protocols.
    """

    access: Access = "own"
    licence: str = "yours"
    people: str = ""
    citation: str = ""
    homepage: str = ""
    apply: str = ""
    place: tuple[str, ...] = ()
    remarks: str = ""


@dataclass(frozen=True)
class Published:
    """Published counts of a complete copy; a count that is not published is 0 or empty.

    Attributes:
        clips: number of clips.
        classes: clips of each class.
        subjects: number of people.
        folds: fold -> clips for training (validation included) and for testing.
        test_classes: fold -> test clips of each class.
        at_most: number of clips with those that are left out, if only that is published.
        broken: clip that the publisher's own copy has damaged -> what is wrong with it.
    """

    clips: int = 0
    classes: tuple[int, ...] = ()
    subjects: int = 0
    folds: Mapping[str, FoldSizes] = field(default_factory=dict)
    test_classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    at_most: int = 0
    broken: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def cross_validation(
        cls, test: Mapping[str, int], *, classes: tuple[int, ...] = (), subjects: int = 0
    ) -> "Published":
        """Return the counts of a cross-validation that tests each clip in one fold.

        Args:
            test: fold -> number of its test clips.
            classes: clips of each class.
            subjects: number of people.
        """
        clips = sum(test.values())
        folds = {name: (clips - count, count) for name, count in test.items()}
        return cls(clips, classes, subjects, folds)
