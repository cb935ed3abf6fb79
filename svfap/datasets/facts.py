"""Facts of a dataset for people: how to get it, its terms, and the figures of a complete copy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Access = Literal["open", "sign-up", "closed", "own", "embedded"]
FoldSizes = tuple[int, int]


@dataclass(frozen=True)
class About:
    """How to get a dataset, and its terms.

    Attributes:
        access: "open" fetches itself; "sign-up" must be applied for; "closed" has no known route.
        licence: the terms in a few words.
        people: who is seen, and where the labels come from.
        citation: the paper to cite.
        homepage: where it is described.
        apply: how to apply for it.
        place: what must lie below its folder, as the publisher names it.
        remarks: what else to know, such as what differs between copies or protocols.
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
    """Figures that a complete copy has, under the protocol; what is 0 or empty is not published.

    Attributes:
        clips: number of clips.
        classes: clips of each class.
        subjects: number of people.
        folds: fold -> clips for training (validation included) and for testing.
        test_classes: fold -> test clips of each class.
    """

    clips: int = 0
    classes: tuple[int, ...] = ()
    subjects: int = 0
    folds: Mapping[str, FoldSizes] = field(default_factory=dict)
    test_classes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def cross_validation(
        cls, test: Mapping[str, int], *, classes: tuple[int, ...] = (), subjects: int = 0
    ) -> "Published":
        """Figures of folds that together test every clip once."""
        clips = sum(test.values())
        folds = {name: (clips - count, count) for name, count in test.items()}
        return cls(clips, classes, subjects, folds)
