"""Paint shoulders, neck, ears, skin and hair."""

from dataclasses import dataclass

import cv2
import numpy as np

from svfap.demo.expression import Action
from svfap.demo.identity import Colour, Identity
from svfap.demo.painting import (
    NECK,
    Canvas,
    HeadView,
    Points,
    Texture,
    ellipse,
    flat,
    moved,
    ribbon,
)

SIDES = (-1, 1)


@dataclass(frozen=True)
class Materials:
    """Skin, hair and clothes of one subject under one light, made once per video."""

    skin: Texture
    hair: Texture
    shirt: Colour


def make_materials(who: Identity, *, light: tuple[float, float], shirt: Colour) -> Materials:
    """Return skin and hair lit from direction (x, y); y points up, and both are within -1 and 1."""
    rng = np.random.default_rng(who.texture)
    return Materials(_skin_texture(who, light, rng), _hair_texture(who, light, rng), shirt)


def _skin_texture(who: Identity, light: tuple[float, float], rng: np.random.Generator) -> Texture:
    """Shade an ellipsoid by ambient, diffuse and specular light, and add mottle and freckles."""
    size, step = 160, 1.25
    y, x = (np.mgrid[0:size, 0:size] - size / 2) * step
    nx, ny = x / (who.face_width * 1.12), np.minimum(y / (who.face_height * 1.12), 0.75)
    nz = np.sqrt(np.maximum(1 - nx**2 - ny**2, 0.2))
    lx, ly, lz = np.array((light[0], -light[1], 1.3)) / np.hypot(np.hypot(*light), 1.3)
    diffuse = np.clip(nx * lx + ny * ly + nz * lz, 0, 1)
    shine = np.clip(diffuse, 0, 1) ** 24
    mottle = cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), 3)
    mottle = 1 + 0.1 * mottle
    spots = cv2.GaussianBlur((rng.random((size, size)) < 0.03).astype(float), (0, 0), 0.8)
    spots = spots * who.freckles * np.exp(-((ny - 0.15) ** 2) / 0.04)
    shade = (0.46 + 0.56 * diffuse) * mottle * (1 - 0.8 * np.clip(spots, 0, 1))
    rim = np.clip(1.1 - nz, 0, 1)[..., None] * (0, 0.04, 0.06)
    pixels = np.asarray(who.skin) * (shade[..., None] - rim) + 16 * shine[..., None]
    return Texture(np.clip(pixels, 0, 255).astype(np.float32), (-size * step / 2,) * 2, step)


def _hair_texture(who: Identity, light: tuple[float, float], rng: np.random.Generator) -> Texture:
    """Paint strands: noise that is stretched along the fall of the hair, with a band of sheen."""
    height, width, step = 200, 180, 1.5
    y, x = np.mgrid[0:height, 0:width] * step + np.array((-120, -135))[:, None, None]
    strands = cv2.GaussianBlur(rng.standard_normal((64, 1024)), (0, 0), sigmaX=0.8, sigmaY=7)
    strands = strands / np.std(strands)
    angle = np.arctan2(x, 75 - np.minimum(y, 10)) / np.pi
    radius = np.hypot(x, y - 20) / 170
    across = ((angle + 1) * 511).astype(np.float32)
    along = (np.clip(radius, 0, 1) * 63).astype(np.float32)
    grain = cv2.remap(strands, across, along, cv2.INTER_LINEAR)
    sheen = np.exp(-(((radius - 0.48) / 0.1) ** 2)) * (0.5 + 0.25 * light[0] * np.sign(x))
    shade = 0.82 + 0.1 * grain + 0.35 * sheen - 0.25 * np.clip(y / 90, 0, 1)
    pixels = np.asarray(who.hair) * shade[..., None] + 10 * sheen[..., None]
    return Texture(np.clip(pixels, 0, 255).astype(np.float32), (-135.0, -120.0), step)


def paint_body(canvas: Canvas, who: Identity, materials: Materials) -> None:
    """Paint shoulders and neck on a canvas whose view is `body_view`."""
    shoulders = who.face_height + 22
    outline = np.concatenate(
        (
            ellipse(0, shoulders + 52, 112, 52, arc=(1, 2)),
            np.array([(118.0, 420.0), (-118.0, 420.0)]),
        )
    )
    outline = flat(outline)
    canvas.fill(outline, materials.shirt, soft=1)
    canvas.shade(flat(ellipse(0, shoulders + 120, 60, 60)), 1.12, soft=14, within=outline)
    for side in SIDES:
        arm = flat(ellipse(side * 112, shoulders + 100, 24, 70))
        canvas.shade(arm, 0.72, soft=12, within=outline)
    wide = who.face_width * 0.56
    right = np.array([(wide, 30), (wide + 1, shoulders - 8), (wide + 14, shoulders + 8)])
    left = right[::-1] * (-1, 1)
    neck = flat(np.concatenate((right, np.array([(0.0, shoulders + 22)]), left)))
    canvas.shade(moved(neck, 0, 4, 0), 0.7, soft=3, within=outline)
    canvas.fill(neck, materials.skin, soft=0.8)
    under_chin = flat(ellipse(0, who.face_height - 2, wide * 1.2, 18))
    canvas.shade(under_chin, 0.62, soft=6, within=neck)
    for side in SIDES:
        flank = flat(ellipse(side * wide, who.face_height + 10, 5, 30))
        canvas.shade(flank, 0.78, soft=4, within=neck)


def paint_back_hair(canvas: Canvas, who: Identity, materials: Materials) -> None:
    """Paint the hair behind the face, down to the shoulders if it is long."""
    wide, top = who.face_width + who.hair_volume, who.face_height + who.hair_volume
    crown = ellipse(0, -4, wide, top, arc=(1, 2))
    long_hair = who.hair_length > 0.5
    fall, flare = (15 + 95 * who.hair_length, 1.05) if long_hair else (40 * who.hair_length, 0.96)
    right = [(flare, 0.6), (0.94 * flare, 0.92), (0.7, 1)]
    left = [(-0.7, 1), (-0.94 * flare, 0.92), (-flare, 0.6)]
    tips = np.array(right + left)
    canvas.fill(flat(np.concatenate((crown, tips * (wide, fall))), -10), materials.hair, soft=1.5)
    if long_hair:
        canvas.shade(flat(ellipse(0, 40, who.face_width * 0.8, 45), -10), 0.6, soft=6)


def paint_skin(canvas: Canvas, who: Identity, materials: Materials, action: Action) -> None:
    """Paint ears and the bare face; the jaw follows the mouth."""
    for side in SIDES:
        ear = ellipse(side * who.face_width * 0.99, 2, 6.5, 13)
        canvas.fill(flat(ear, -4), materials.skin, soft=0.8)
        canvas.shade(flat(ellipse(side * (who.face_width + 1.5), 2, 3, 8), -4), 0.75, soft=1.5)
    outline = _outline(who, action)
    canvas.fill(flat(outline), materials.skin, soft=0.8)
    if who.beard:
        _paint_beard(canvas, who, outline)


def paint_front_hair(canvas: Canvas, who: Identity, materials: Materials) -> None:
    """Paint the hair between crown and hairline, and its shadow on the forehead."""
    wide, top = who.face_width, who.face_height
    crown = ellipse(0, -4, wide + who.hair_volume, top + who.hair_volume, arc=(1, 2), count=30)
    along = np.linspace(-1, 1, 30)
    arch = np.sqrt(np.maximum(1 - along**2, 0))
    gap = np.exp(-(((along - who.parting) / 0.35) ** 2))
    line = -8 + (who.hairline + 8) * arch**0.7 - who.fringe * gap + 0.4 * who.fringe
    hairline = np.column_stack((along * (wide + 1), line))
    depth = 46 * np.sqrt(np.maximum(1 - along**2, 0)) * 0.8
    front = np.column_stack((hairline, depth))
    sides = 6 if who.hair_length < 0.5 else 34
    temples = np.array([(wide + 1.0, sides, -2.0)]), np.array([(-wide - 1.0, sides, -2.0)])
    canvas.shade(ribbon(moved(front, 0, 5, 0), moved(front, 0, -8, 0)), 0.8, soft=3)
    shape = np.concatenate((flat(crown), temples[0], front[::-1], temples[1]))
    canvas.fill(shape, materials.hair, soft=1.2)


def _outline(who: Identity, action: Action) -> Points:
    """Return the edge of the face: an ellipse, narrow at the jaw, longer if the mouth is open."""
    points = ellipse(0, 0, 1, 1, count=64)
    low = np.clip(points[:, 1], 0, 1)
    x = who.face_width * points[:, 0] * (1 - who.jaw * low**2 + who.chin * low)
    y = who.face_height * points[:, 1] + 7 * max(action.open, 0.0) * low**2
    return np.column_stack((x, y))


def _paint_beard(canvas: Canvas, who: Identity, outline: Points) -> None:
    """Paint a beard along the jaw and around the mouth."""
    jaw = outline[2:31]
    along = np.linspace(1, -1, len(jaw))
    inner = np.column_stack((jaw[:, 0] * 0.86, 18 + 12 * np.cos(np.pi * along / 2)))
    inner[:, 1] = np.minimum(inner[:, 1], jaw[:, 1])
    red, green, blue = (
        0.7 * hair + 0.15 * skin for hair, skin in zip(who.hair, who.skin, strict=True)
    )
    canvas.fill(flat(ribbon(jaw, inner), 8), (red, green, blue), soft=4, alpha=who.beard * 0.85)


def body_view(view: HeadView) -> HeadView:
    """Return the view of the body under a head: the body stays upright when the head turns."""
    neck = np.asarray(NECK)
    axes = np.eye(3)[:2] * view.unit
    return HeadView(axes, view.project(neck[None])[0] - axes @ neck, view.unit)
