"""Paint the moving parts of the face: eyes, brows, nose, mouth, and the folds between them.

Lengths are in head units (see `painting`).
"""

from dataclasses import dataclass

import numpy as np

from svfap.demo.expression import Action
from svfap.demo.identity import Colour, Identity
from svfap.demo.painting import Canvas, Points, band, ellipse, moved, ribbon

EYE_LINE = -10.0
MOUTH_GAP = 19.0
SIDES = (-1, 1)


@dataclass(frozen=True)
class Landmarks:
    """Five points of the face in pixels; left and right are sides of the frame."""

    left_eye: tuple[float, float]
    right_eye: tuple[float, float]
    nose: tuple[float, float]
    left_mouth: tuple[float, float]
    right_mouth: tuple[float, float]


class DrawnFace:
    """The moving parts of one face at one moment.

    Args:
        canvas: the frame to paint on.
        who: the looks of the subject.
        action: the movements of the expression.
        blink: closure of the eyes, 0 to 1.
        gaze: sideways look, about -1 to 1.
    """

    def __init__(
        self, canvas: Canvas, who: Identity, action: Action, *, blink: float, gaze: float
    ) -> None:
        self.canvas, self.who, self.action = canvas, who, action
        self.blink, self.gaze = blink, gaze
        self.nose_y = EYE_LINE + who.nose_length
        self.mouth_y = self.nose_y + MOUTH_GAP
        self.lips = self._lips()

    def paint(self) -> None:
        """Paint all parts, from back to front."""
        self._cheeks()
        self._nose()
        self._mouth()
        for side in SIDES:
            self._eye(side)
            self._brow(side)
            self._furrow(side)
        if self.who.glasses:
            self._glasses()

    def landmarks(self) -> Landmarks:
        """Return the five points in pixels of the frame."""
        _, upper, lower = self.lips
        corners = (upper[[0, -1]] + lower[[0, -1]]) / 2
        spacing = self.who.eye_spacing
        eyes = np.array([(-spacing, EYE_LINE), (spacing, EYE_LINE)])
        nose = self.canvas.pixels(np.array([(0.0, self.nose_y - 3)]), lift=10)
        points = np.concatenate(
            (self.canvas.pixels(eyes), nose, self.canvas.pixels(corners, lift=3))
        )
        return Landmarks(*((float(x), float(y)) for x, y in points))

    def _eye(self, side: int) -> None:
        canvas, who, action = self.canvas, self.who, self.action
        x = side * who.eye_spacing
        canvas.shade(ellipse(x, EYE_LINE - 3, who.eye_width * 1.45, 9), 0.82, soft=3.5)
        upper, lower = self._lids(side)
        opening = ribbon(upper, lower)
        canvas.fill(opening, (228, 224, 220), soft=0.3)
        # The iris with its dark edge, the pupil and a highlight.
        iris = x + 1.8 * self.gaze
        edge = _darkened(who.iris, 0.5)
        canvas.fill(ellipse(iris, EYE_LINE - 0.3, 5.3, 5.3), edge, within=opening)
        canvas.fill(ellipse(iris, EYE_LINE - 0.1, 4.4, 4.4), who.iris, soft=0.4, within=opening)
        canvas.fill(ellipse(iris, EYE_LINE - 0.3, 2.3, 2.3), (12, 10, 10), soft=0.2, within=opening)
        canvas.fill(ellipse(iris + 1.5, EYE_LINE - 2, 1, 1), (250,) * 3, soft=0.2, within=opening)
        # The upper lid's shadow, its lashes and its crease; the lower lid and the bag below it.
        canvas.shade(band(upper, 0, 2.2), 0.75, soft=0.7)
        canvas.fill(band(upper, 1.5, 0.2), _darkened(who.hair, 0.35), soft=0.4, alpha=0.9)
        canvas.shade(band(moved(upper, 0, -3.6), 0.6, 0.6), 0.66, soft=0.7)
        canvas.shade(band(lower, 0.2, 0.7), 0.68, soft=0.5)
        bag = 2.2 + 1.2 * max(action.cheek, 0)
        pouch = moved(lower, 0, bag + 1.5)
        canvas.shade(band(pouch, 0.8, 0.8), 0.9 - 0.14 * max(action.cheek, 0), soft=1.2)

    def _lids(self, side: int) -> tuple[Points, Points]:
        """Return the curves of upper and lower lid, inner corner first."""
        who, action = self.who, self.action
        opened = float(np.clip((1 + 0.75 * action.lid) * (1 - self.blink), 0.05, 1.9))
        above = who.eye_height * opened
        below = who.eye_height * (0.72 - 0.27 * action.cheek) * min(1.0, opened + 0.15)
        along = np.linspace(-1, 1, 20)
        x = side * (who.eye_spacing + along * who.eye_width)
        tilt = EYE_LINE - who.eye_tilt * who.eye_width * along + 0.6 * (along < -0.9)
        droop = 0.12 * who.eye_height * along * (1 - along**2)
        arch = (1 - along**2) ** 0.8
        upper = np.column_stack((x, tilt - above * arch + droop))
        return upper, np.column_stack((x, tilt + below * (1 - along**2)))

    def _brow(self, side: int) -> None:
        who, action = self.who, self.action
        along = np.linspace(0, 1, 16)
        x = who.eye_spacing + who.eye_width * (2.3 * along - 1.05)
        x = side * (x - (1 - along) * 2.8 * action.furrow)
        arch = who.brow_arch * np.sin(np.pi * along**1.2)
        lift = (1 - along) * 6.8 * action.brow_inner + along * 5.2 * action.brow_outer
        curve = np.column_stack((x, EYE_LINE - who.brow_height - arch - lift))
        weight = who.brow_weight * (1.1 - 0.75 * along) * np.minimum(1, 0.5 + 6 * along)
        colour = _darkened(who.hair, who.brow_shade)
        self.canvas.shade(band(moved(curve, 0, 2.5), weight, weight), 0.85, soft=2)
        self.canvas.fill(band(curve, weight, weight), colour, soft=0.8, alpha=0.88)

    def _furrow(self, side: int) -> None:
        """Paint the crease between the brows, and wrinkles of forehead and root of the nose."""
        canvas, action = self.canvas, self.action
        if action.furrow > 0.1:
            top, bottom = EYE_LINE - 18, EYE_LINE - 5
            crease = np.array([(4.4, top), (5.6, top + 5), (3.6, bottom), (3.2, top + 6)])
            canvas.shade(crease * (side, 1), 1 - 0.55 * min(action.furrow, 1.2), soft=1.0)
        raised = max(action.brow_inner, 0) * (0.5 + 0.5 * max(action.brow_outer, 0))
        if raised > 0.3:
            for level in (25.0, 31.0):
                line = ellipse(side * 10, EYE_LINE - level + 4, 14, 4, arc=(1, 2), count=12)
                canvas.shade(band(line, 0.6, 0.6), 1 - 0.2 * min(raised, 1.2), soft=0.8)
        if action.wrinkle > 0.1:
            for level in (3.0, 7.0):
                line = np.array([(1.0, EYE_LINE + level), (6.5, EYE_LINE + level - 3)]) * (side, 1)
                canvas.shade(band(line, 0.7, 0.7), 1 - 0.35 * min(action.wrinkle, 1.2), soft=0.7)

    def _nose(self) -> None:
        canvas, who = self.canvas, self.who
        y = self.nose_y - 2.4 * self.action.wrinkle
        wide = who.nose_width * (1 + 0.1 * self.action.wrinkle)
        root, tip = EYE_LINE + 2, y - 5
        for side in SIDES:
            flank = np.array([(3.5, root), (6.5, root), (wide, tip), (wide - 3.5, tip)])
            canvas.shade(flank * (side, 1), 0.83 if side > 0 else 0.88, soft=2, lift=4)
            canvas.shade(ellipse(side * wide * 0.95, y - 2, 2, 4.4), 0.72, soft=1.3, lift=4)
            nostril = ellipse(side * wide * 0.52, y + 0.6, 2.8, 1.4)
            canvas.fill(nostril, _darkened(who.skin, 0.28), soft=0.6, alpha=0.85, lift=7)
        ridge = np.array([(-1.6, root), (1.6, root), (2.4, tip), (-2.4, tip)])
        canvas.shade(ridge, 1.09, soft=1.4, lift=7)
        canvas.shade(ellipse(0, y + 2.4, wide * 0.75, 1.6), 0.72, soft=1.3, lift=5)
        canvas.shade(ellipse(0, y - 5, 3, 3), 1.14, soft=1.8, lift=10)

    def _cheeks(self) -> None:
        """Paint the apples of the cheeks, and the folds from the nose to the mouth's corners."""
        canvas, who, action = self.canvas, self.who, self.action
        raised = max(action.cheek, 0.0)
        corner = self.lips[0][-1]
        for side in SIDES:
            apple = ellipse(side * 28, EYE_LINE + 24 - 4 * raised, 11, 8)
            warm = who.blush + 0.06 * raised
            light = 0.05 * raised
            canvas.shade(apple, (1 + light, 1 - warm + light, 1 - warm + light), soft=5)
            depth = 0.1 + 0.5 * max(action.corner, 0) + 0.4 * max(action.wrinkle, 0)
            end = moved(corner, 5.5, 1 - 2 * action.corner)
            start = np.array((who.nose_width + 2, self.nose_y - 4))
            along = np.linspace(0, 1, 10)[:, None]
            bow = np.column_stack((3.0 * np.sin(np.pi * along[:, 0]), np.zeros(10)))
            fold = (start + (end - start) * along + bow) * (side, 1)
            canvas.shade(band(fold, 1.0, 1.0), 1 - min(0.42, 0.5 * depth), soft=1.1)
            if action.corner < -0.3:
                sag = np.array([moved(corner, 1, 2), moved(corner, 4, 9)]) * (side, 1)
                canvas.shade(band(sag, 1.2, 1.2), 1 + 0.25 * max(action.corner, -1.3), soft=1.3)

    def _lips(self) -> tuple[Points, Points, Points]:
        """Return the line where the lips meet, and the inner edges of upper and lower lip."""
        who, action = self.who, self.action
        along = np.linspace(-1, 1, 28)
        half = who.mouth_width * (1 + 0.28 * action.stretch + 0.12 * max(action.corner, 0))
        opened = 16 * max(action.open, 0.0) + 0.35
        smile = self.mouth_y - 6.5 * action.corner * along**2 + 1.8 * action.corner
        gap = np.maximum(1 - along**2, 0) ** 0.6
        upper = smile - 0.22 * opened * gap - 3.8 * action.upper_lip * (1 - along**2)
        lower = smile + 0.9 * opened * gap - 0.6 * action.upper_lip * (1 - along**2)
        x = half * along
        stack = np.column_stack
        return stack((x, smile)), stack((x, upper)), stack((x, np.maximum(lower, upper)))

    def _mouth(self) -> None:
        canvas, who = self.canvas, self.who
        _, upper, lower = self.lips
        along = upper[:, 0] / upper[-1, 0]
        weight = who.lip_weight * (1 - 0.6 * float(np.clip(self.action.press, 0, 1.3)))
        bow = 1 - 0.25 * np.exp(-((along / 0.18) ** 2))
        above, below = weight * (1 - along**2) * bow, weight * 1.35 * (1 - along**2)
        rim_up, rim_down = upper - _down(above), lower + _down(below)
        canvas.shade(ellipse(0, rim_down[14, 1] + 3.5, upper[-1, 0] * 0.6, 1.8), 0.78, soft=1.8)
        upper_lip = _darkened(who.lips, 0.88)
        canvas.fill(ribbon(rim_up, moved(upper, 0, 0.4)), upper_lip, soft=0.6, lift=3)
        canvas.fill(ribbon(moved(lower, 0, -0.4), rim_down), who.lips, soft=0.6, lift=3)
        gloss = ellipse(0, float(lower[14, 1] + 0.65 * weight), upper[-1, 0] * 0.35, 0.35 * weight)
        canvas.shade(gloss, 1.16, soft=0.9, lift=3)
        inside = ribbon(upper * (0.97, 1), lower * (0.97, 1))
        canvas.fill(inside, (52, 18, 20), soft=0.45, lift=3)
        gap = float((lower - upper)[14, 1])
        if gap > 1.6:
            teeth = np.minimum(moved(upper, 0, 4.4), moved(lower, 0, -0.2))
            canvas.fill(
                ribbon(upper, teeth) * (0.8, 1), (222, 216, 206), soft=0.5, lift=3, within=inside
            )
        if gap > 7:
            tongue = ellipse(0, float(lower[14, 1]), 9, gap * 0.35)
            canvas.fill(tongue, (150, 72, 70), soft=1.2, alpha=0.8, lift=3, within=inside)

    def _glasses(self) -> None:
        canvas, who = self.canvas, self.who
        for side in SIDES:
            rim = ellipse(side * (who.eye_spacing + 0.5), EYE_LINE + 2, 17, 14)
            inner = ellipse(side * (who.eye_spacing + 0.5), EYE_LINE + 2, 15.6, 12.6)
            canvas.shade(inner, 1.04, soft=0.3, lift=6)
            frame = np.concatenate((rim, inner[::-1]))
            canvas.fill(frame, (34, 30, 32), soft=0.2, alpha=who.glasses, lift=6)
        bridge = ellipse(0, EYE_LINE + 2, 7, 4, arc=(1, 2), count=10)
        canvas.fill(band(bridge, 0.8, 0.8), (34, 30, 32), soft=0.2, alpha=who.glasses, lift=9)


def _darkened(colour: Colour, factor: float) -> Colour:
    """Return a colour times a factor below 1."""
    red, green, blue = colour
    return red * factor, green * factor, blue * factor


def _down(amount: Points) -> Points:
    """Return shifts of points by `amount` downwards."""
    return np.column_stack((np.zeros_like(amount), amount))
