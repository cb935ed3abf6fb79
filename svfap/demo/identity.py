"""The looks of a synthetic subject, drawn from its number."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

Colour: TypeAlias = tuple[float, float, float]

SKIN = (
    (242, 208, 182),
    (228, 188, 156),
    (208, 164, 126),
    (178, 130, 94),
    (134, 92, 66),
    (98, 66, 50),
)
# Index of the first dark skin colour; subjects with dark skin get dark hair and eyes.
FIRST_DARK_SKIN = 3
HAIR = (
    (32, 27, 26),
    (44, 32, 26),
    (58, 40, 30),
    (150, 147, 143),
    (94, 64, 42),
    (142, 104, 64),
    (190, 156, 106),
    (126, 58, 34),
)
DARK_HAIRS = 4  # the first four colours of HAIR are dark or grey
IRIS = ((84, 54, 36), (58, 36, 26), (74, 104, 134), (86, 112, 82), (112, 92, 54))
DARK_IRISES = 2  # the first two colours of IRIS are dark


@dataclass(frozen=True)
class Identity:
    """Looks of one subject; lengths in head units (a face is about 110 wide and 150 high)."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    face_width: float
    face_height: float
    jaw: float
    chin: float
    hair_volume: float
    hair_length: float
    hairline: float
    parting: float
    fringe: float
    eye_spacing: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_height: float
    brow_weight: float
    brow_arch: float
    brow_shade: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip_weight: float
    blush: float
    freckles: float
    beard: float
    glasses: float
    texture: int


def identity(subject: int) -> Identity:
    """Draw the looks of subject number `subject`; equal numbers give equal looks.

    The order of the draws below is part of the demo: changing it changes every video.
    """
    rng = np.random.default_rng((subject, 1))
    uniform = rng.uniform
    tone = int(rng.integers(len(SKIN)))
    skin = np.asarray(SKIN[tone]) * uniform(0.93, 1.05)
    shades = HAIR[:DARK_HAIRS] if tone >= FIRST_DARK_SKIN else HAIR
    hair = np.asarray(shades[rng.integers(len(shades))]) * uniform(0.85, 1.1)
    long_hair, bearded = uniform() < 0.45, uniform() < 0.3
    return Identity(
        skin=_colour(skin),
        hair=_colour(hair),
        iris=IRIS[rng.integers(DARK_IRISES if tone >= FIRST_DARK_SKIN else len(IRIS))],
        lips=_colour(skin * (uniform(0.82, 0.9), uniform(0.56, 0.66), uniform(0.58, 0.68))),
        face_width=uniform(51, 59),
        face_height=uniform(69, 78),
        jaw=uniform(0.06, 0.24),
        chin=uniform(0, 0.05),
        hair_volume=uniform(3, 12),
        hair_length=uniform(0.6, 1) if long_hair else uniform(0, 0.3),
        hairline=uniform(-52, -38),
        parting=uniform(-0.7, 0.7),
        fringe=uniform(0, 8),
        eye_spacing=uniform(21.5, 25),
        eye_width=uniform(9.8, 11.8),
        eye_height=uniform(4.3, 5.6),
        eye_tilt=uniform(-0.06, 0.12),
        brow_height=uniform(13, 15.5),
        brow_weight=uniform(1.5, 3),
        brow_arch=uniform(1.5, 3.5),
        brow_shade=uniform(0.55, 0.85),
        nose_length=uniform(26.5, 32),
        nose_width=uniform(8, 11),
        mouth_width=uniform(17, 21.5),
        lip_weight=uniform(2.4, 4.4),
        blush=uniform(0, 0.12),
        freckles=uniform(0.2, 0.8) if uniform() < 0.2 else 0.0,
        beard=uniform(0.25, 0.8) if bearded and not long_hair else 0.0,
        glasses=uniform(0.6, 1) if uniform() < 0.15 else 0.0,
        texture=int(rng.integers(2**31)),
    )


def _colour(values: np.ndarray) -> Colour:
    """Return an RGB colour, clipped to visible values."""
    red, green, blue = (float(value) for value in np.clip(values, 8, 250))
    return red, green, blue
