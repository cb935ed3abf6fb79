"""Paint soft-edged shapes, given in head coordinates, into a frame.

Head coordinates: origin in the middle of the face, x to the right of the frame, y down, z towards
the camera; a face is about 110 units wide. Shapes with two coordinates lie on the face and are
lifted onto its curved surface; shapes with three coordinates are used as they are.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Planes = NDArray[np.float32]

DEPTH = 50.0  # depth of the face's surface at its middle
NECK = (0.0, 62.0, -12.0)  # pivot of head turns
SUBPIXEL_BITS = 4  # fractional bits of the vertices that OpenCV fills


@dataclass(frozen=True)
class HeadView:
    """Orthographic projection from head coordinates to pixels: `axes @ point + origin`.

    Attributes:
        axes: (2, 3), first two rows of the head's rotation, times `unit`.
        origin: (2,), pixel of the middle of the face.
        unit: pixels per head unit.
    """

    axes: Points
    origin: Points
    unit: float

    @classmethod
    def turned(
        cls, angles: tuple[float, float, float], *, origin: Points, unit: float
    ) -> "HeadView":
        """Return the view of a head turned about its neck by (yaw, pitch, roll) radians."""
        (cy, cp, cr), (sy, sp, sr) = np.cos(angles), np.sin(angles)
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        axes = (roll @ yaw @ pitch)[:2] * unit
        pivot = np.asarray(NECK)
        return cls(axes, origin + pivot[:2] * unit - axes @ pivot, unit)

    def project(self, points: Points) -> Points:
        """Project (n, 3) head coordinates to (n, 2) pixels."""
        return np.asarray(points @ self.axes.T + self.origin)


@dataclass(frozen=True)
class Texture:
    """A picture in the plane z = 0 of the head.

    Attributes:
        pixels: (height, width, 3) float32.
        corner: head coordinates of its top left pixel.
        step: head units per pixel.
    """

    pixels: Planes
    corner: tuple[float, float]
    step: float


Paint = tuple[float, float, float] | Texture


class Canvas:
    """A frame to paint on in the coordinates of one head.

    Args:
        planes: (3, height, width) float32 RGB from 0 to 255, painted in place.
        view: projection of the head.
        radii: half width and half height of the face; they shape its surface.
    """

    def __init__(self, planes: Planes, view: HeadView, radii: tuple[float, float]) -> None:
        self.planes, self.view, self.radii = planes, view, radii

    def pixels(self, shape: Points, lift: float = 0.0) -> Points:
        """Return points of the head in pixels, (n, 2)."""
        return self.view.project(self._surface(shape, lift) if shape.shape[1] == 2 else shape)

    def fill(
        self,
        shape: Points,
        paint: Paint,
        *,
        soft: float = 0.0,
        alpha: float = 1.0,
        lift: float = 0.0,
        within: Points | None = None,
    ) -> None:
        """Cover a polygon with paint.

        Args:
            shape: (n, 2) or (n, 3) vertices in head coordinates.
            paint: a colour or a texture.
            soft: blur of the edge in head units.
            alpha: opacity.
            lift: height above the surface of the face in head units.
            within: a second polygon; only the area in both is painted.
        """
        found = self._mask(shape, soft, lift, within)
        if found is None:
            return
        (top, left), mask = found
        height, width = mask.shape
        target = self.planes[:, top : top + height, left : left + width]
        if isinstance(paint, Texture):
            colour = self._warp(paint, (left, top), (width, height))
        else:
            colour = np.asarray(paint, np.float32)[:, None, None]
        target += (colour - target) * (mask * np.float32(alpha))

    def shade(
        self,
        shape: Points,
        factor: float | tuple[float, float, float],
        *,
        soft: float,
        lift: float = 0.0,
        within: Points | None = None,
    ) -> None:
        """Multiply a soft polygon by one factor, or one per channel; factors below 1 darken it."""
        found = self._mask(shape, soft, lift, within)
        if found is None:
            return
        (top, left), mask = found
        height, width = mask.shape
        change = np.asarray(factor, np.float32).reshape(-1, 1, 1) - 1
        target = self.planes[:, top : top + height, left : left + width]
        target *= 1 + change * mask

    def _surface(self, shape: Points, lift: float) -> Points:
        """Lift (n, 2) points onto the curved surface of the face, (n, 3)."""
        x, y = (shape / self.radii).T
        lifted = np.empty((len(shape), 3))
        lifted[:, :2] = shape
        lifted[:, 2] = DEPTH * np.sqrt(np.maximum(1 - 0.9 * (x * x + y * y), 0)) + lift
        return lifted

    def _mask(
        self, shape: Points, soft: float, lift: float, within: Points | None
    ) -> tuple[tuple[int, int], Planes] | None:
        """Return a polygon's top left corner and coverage from 0 to 1; None outside the frame."""
        pixels, sigma = self.pixels(shape, lift), soft * self.view.unit
        margin = int(2.5 * sigma) + 2
        limit_y, limit_x = self.planes.shape[1:]
        (x0, y0), (x1, y1) = pixels.min(axis=0).tolist(), pixels.max(axis=0).tolist()
        left, top = max(int(x0) - margin, 0), max(int(y0) - margin, 0)
        width = min(int(x1) + margin + 1, limit_x) - left
        height = min(int(y1) + margin + 1, limit_y) - top
        if width <= 0 or height <= 0:
            return None
        mask = _polygon(pixels, (top, left), (height, width), sigma)
        if within is not None:
            mask *= _polygon(self.pixels(within, lift), (top, left), mask.shape)
        return (top, left), mask

    def _warp(self, texture: Texture, at: tuple[int, int], size: tuple[int, int]) -> Planes:
        """Return a texture as seen in a rectangle of the frame, given by corner and size (x, y)."""
        plane = self.view.axes[:, :2]
        origin = self.view.origin + plane @ np.asarray(texture.corner) - at
        matrix = np.column_stack((plane * texture.step, origin))
        warped = cv2.warpAffine(texture.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(warped, np.float32).transpose(2, 0, 1)


def _polygon(
    pixels: Points, corner: tuple[int, int], shape: tuple[int, ...], sigma: float = 0.0
) -> Planes:
    """Return antialiased coverage of a polygon in a rectangle of the frame, blurred by sigma."""
    mask = np.zeros(shape, np.uint8)
    vertices = np.round((pixels - corner[::-1]) * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillPoly(mask, [vertices], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    coverage = mask.astype(np.float32) * np.float32(1 / 255)
    if sigma <= 0.3:
        return coverage
    # A stack blur of radius r has the variance of a Gaussian of r / sqrt(6), and is much faster.
    size = 2 * round(6**0.5 * sigma) + 1
    return np.asarray(cv2.stackBlur(coverage, (size, size)))


def ellipse(
    x: float, y: float, a: float, b: float, *, arc: tuple[float, float] = (0, 2), count: int = 28
) -> Points:
    """Return points of an ellipse about (x, y) with half axes a and b; `arc` in half turns."""
    return _arc(*arc, count) * (a, b) + (x, y)


@cache
def _arc(start: float, stop: float, count: int) -> Points:
    """Return points of the unit circle; cached, because every frame needs the same few."""
    angle = np.linspace(start * np.pi, stop * np.pi, count)
    return np.column_stack((np.cos(angle), np.sin(angle)))


def moved(shape: Points, *by: float) -> Points:
    """Return a shape shifted by a vector."""
    return np.asarray(shape + np.array(by))


def ribbon(upper: Points, lower: Points) -> Points:
    """Return the polygon between two curves of the same direction."""
    return np.concatenate((upper, lower[::-1]))


def band(curve: Points, above: float | Points, below: float | Points) -> Points:
    """Return the polygon around a curve that extends by `above` and `below` it."""
    up, down = curve.copy(), curve.copy()
    up[:, 1] -= above
    down[:, 1] += below
    return ribbon(up, down)


def flat(shape: Points, z: float = 0.0) -> Points:
    """Return a shape in a plane of constant depth, such as the outline of the head."""
    return np.column_stack((shape, np.full(len(shape), z)))
