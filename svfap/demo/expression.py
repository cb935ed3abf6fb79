"""The seven expressions as facial actions, modelled on the Facial Action Coding System (FACS)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Action:
    """How far each part of the face moves; 0 is at rest, 1 a full movement.

    Attributes:
        brow_inner: inner brow raised (AU1), or lowered if negative (AU4).
        brow_outer: outer brow raised (AU2).
        furrow: brows drawn together, with the crease between them (AU4).
        lid: upper lid raised (AU5), or eyes narrowed if negative (AU7).
        cheek: cheeks raised (AU6).
        wrinkle: nose wrinkled (AU9).
        upper_lip: upper lip raised (AU10).
        corner: lip corners pulled up (AU12), or down if negative (AU15).
        stretch: mouth widened (AU20), or rounded if negative (AU18).
        press: lips pressed together (AU24).
        open: jaw dropped (AU26).
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    furrow: float = 0.0
    lid: float = 0.0
    cheek: float = 0.0
    wrinkle: float = 0.0
    upper_lip: float = 0.0
    corner: float = 0.0
    stretch: float = 0.0
    press: float = 0.0
    open: float = 0.0


EXPRESSIONS: Mapping[str, Action] = MappingProxyType(
    {
        "happy": Action(corner=1.1, open=0.25, lid=-0.25, cheek=1, stretch=0.4),
        "sad": Action(corner=-1, brow_inner=1.1, brow_outer=-0.3, lid=-0.35, stretch=-0.1),
        "neutral": Action(),
        "anger": Action(
            brow_inner=-1.5,
            brow_outer=0.4,
            furrow=1.1,
            lid=-0.15,
            press=1.1,
            corner=-0.4,
            stretch=-0.15,
        ),
        "surprise": Action(open=1, brow_inner=1, brow_outer=1, lid=0.9, stretch=-0.35),
        "disgust": Action(
            upper_lip=1,
            corner=-0.5,
            brow_inner=-0.6,
            brow_outer=-0.2,
            lid=-0.55,
            furrow=0.7,
            wrinkle=1,
            cheek=0.4,
        ),
        "fear": Action(
            open=0.4, brow_inner=1, brow_outer=0.3, lid=0.85, stretch=0.6, corner=-0.35, furrow=0.5
        ),
    }
)
"""Expression -> action at the apex, in the class order of DFEW."""
