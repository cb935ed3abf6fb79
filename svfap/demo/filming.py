"""Film a performance: camera, light, background, noise, and the encoder's settings."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.demo.face import DrawnFace, Landmarks
from svfap.demo.head import (
    Materials,
    body_view,
    make_materials,
    paint_back_hair,
    paint_body,
    paint_front_hair,
    paint_skin,
)
from svfap.demo.identity import Colour, Identity
from svfap.demo.painting import Canvas, HeadView, Planes
from svfap.demo.performance import Moment

SIZES = ((240, 180), (300, 224), (320, 180), (180, 240), (224, 224))
RATES = (12, 12.5, 15)
PRESETS = ("ultrafast", "superfast", "veryfast", "faster")
FACE_UNITS = 150.0  # height of a face in head units
NOISE_MARGIN = 32  # pixels by which the noise is larger than a frame, to shift it at random


@dataclass(frozen=True)
class RenderedFrame:
    """One frame with its true landmarks.

    Attributes:
        image: (height, width, 3) uint8 RGB.
        landmarks: true points of the face in pixels.
    """

    image: NDArray[np.uint8]
    landmarks: Landmarks


@dataclass(frozen=True)
class FilmSettings:
    """Camera and encoder settings of one video, drawn by `draw_settings`.

    Attributes:
        size: width and height in pixels.
        fps: frames per second.
        centre: position of the face as a share of the frame.
        face_height: height of the face as a share of the shorter side.
        light: direction of the light, x to the right and y up.
        exposure: gain per colour channel.
        grain: standard deviation of the sensor noise in grey levels.
        shirt: colour of the clothes.
        crf: quality of x264, lower is better.
        preset: speed preset of x264.
        pix_fmt: chroma sampling of the file.
    """

    size: tuple[int, int]
    fps: float
    centre: tuple[float, float]
    face_height: float
    light: tuple[float, float]
    exposure: Colour
    grain: float
    shirt: Colour
    crf: int
    preset: str
    pix_fmt: str


def draw_settings(rng: np.random.Generator) -> FilmSettings:
    """Draw the settings of one video; the order of the draws is part of the demo."""
    uniform = rng.uniform
    gain, warmth = uniform(0.82, 1.15), uniform(-0.06, 0.06)
    tone, tint = uniform(40, 190), rng.normal(0, 28, 3)
    return FilmSettings(
        size=SIZES[rng.integers(len(SIZES))],
        fps=RATES[rng.integers(len(RATES))],
        centre=(uniform(0.38, 0.62), uniform(0.4, 0.5)),
        face_height=uniform(0.42, 0.62),
        light=(uniform(-1, 1), uniform(0, 0.8)),
        exposure=(gain * (1 + warmth), gain, gain * (1 - warmth)),
        grain=uniform(0.4, 2.6),
        shirt=(tone + tint[0], tone + tint[1], tone + tint[2]),
        crf=int(rng.integers(19, 30)),
        preset=PRESETS[rng.integers(len(PRESETS))],
        pix_fmt="yuv420p" if uniform() < 0.8 else ("yuv422p", "yuv444p")[rng.integers(2)],
    )


class Filming:
    """A camera that films one subject in front of one background.

    Args:
        settings: camera and encoder settings.
        who: the subject.
        rng: source of background and noise.
    """

    def __init__(self, settings: FilmSettings, who: Identity, *, rng: np.random.Generator) -> None:
        self.settings, self.who, self.rng = settings, who, rng
        self.materials: Materials = make_materials(who, light=settings.light, shirt=settings.shirt)
        self.background = _background(settings, rng)
        width, height = settings.size
        # Noise is drawn once per video and shifted per frame: much faster than new noise per frame.
        area = (height + NOISE_MARGIN, width + NOISE_MARGIN)
        noise = rng.standard_normal((*area, 1), dtype=np.float32)
        tint = rng.standard_normal((*area, 3), dtype=np.float32)
        self.noise = (0.8 * noise + 0.5 * tint) * np.float32(settings.grain)

    def shoot(self, moment: Moment) -> RenderedFrame:
        """Film one moment."""
        planes = self.background.copy()
        view = self._view(moment)
        radii = (self.who.face_width, self.who.face_height)
        canvas = Canvas(planes, view, radii)
        paint_back_hair(canvas, self.who, self.materials)
        paint_body(Canvas(planes, body_view(view), radii), self.who, self.materials)
        paint_skin(canvas, self.who, self.materials, moment.action)
        face = DrawnFace(canvas, self.who, moment.action, blink=moment.blink, gaze=moment.gaze)
        face.paint()
        paint_front_hair(canvas, self.who, self.materials)
        return RenderedFrame(self._develop(planes), face.landmarks())

    def _view(self, moment: Moment) -> HeadView:
        """Return where the camera sees the head."""
        size, pose = np.asarray(self.settings.size), moment.pose
        unit = float(size.min()) * self.settings.face_height / FACE_UNITS * pose.scale
        origin = size * self.settings.centre + np.array((pose.x, pose.y)) * unit
        return HeadView.turned((pose.yaw, pose.pitch, pose.roll), origin=origin, unit=unit)

    def _develop(self, planes: Planes) -> NDArray[np.uint8]:
        """Apply exposure and sensor noise, and convert to 8 bits."""
        top, left = self.rng.integers(0, NOISE_MARGIN, 2)
        width, height = self.settings.size
        gains = self.settings.exposure
        noise = self.noise[top : top + height, left : left + width]
        image = cv2.merge([p * np.float32(g) for p, g in zip(planes, gains, strict=True)])
        return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


def _background(settings: FilmSettings, rng: np.random.Generator) -> Planes:
    """Paint a room out of focus: a graded wall, some furniture, a few lamps."""
    # Paint at half the size, because blurring is slow and removes the detail anyway.
    width, height = (side // 2 for side in settings.size)
    hue = rng.normal(0, 14, 3)
    corners = (
        rng.uniform(60, 190) + hue + rng.normal(0, 18, (2, 2, 1)) + rng.normal(0, 6, (2, 2, 3))
    )
    wall = cv2.resize(corners.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(2, 7)):
        x, y = rng.uniform(-0.1, 0.9, 2) * (width, height)
        far = np.array((x, y)) + rng.uniform(0.08, 0.4, 2) * (width, height)
        colour = (rng.uniform(30, 215) + rng.normal(0, 24, 3)).tolist()
        cv2.rectangle(wall, (int(x), int(y)), (int(far[0]), int(far[1])), colour, -1)
    for _ in range(rng.integers(0, 4)):
        x, y = rng.uniform(0, 1, 2) * (width, 0.6 * height)
        cv2.circle(wall, (int(x), int(y)), int(rng.uniform(2, 8)), (250, 235, 200), -1)
    focus = rng.uniform(0.008, 0.035) * width
    wall = cv2.GaussianBlur(wall, (0, 0), focus, borderType=cv2.BORDER_REPLICATE)
    wall = cv2.resize(wall, settings.size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(wall.transpose(2, 0, 1))
