"""The performance of a subject: how its expression and head pose change over time."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from svfap.demo.expression import EXPRESSIONS, Action

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Pose of the head: angles in radians, shifts in head units, scale relative to the scene."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Moment:
    """State of the actor in one frame; blink is 0 for open eyes and 1 for closed ones."""

    action: Action
    pose: Pose
    blink: float = 0.0
    gaze: float = 0.0


def perform(expression: str, frames: int, *, rng: np.random.Generator) -> Iterator[Moment]:
    """Perform an expression: neutral, onset, apex and, in most takes, offset.

    Args:
        expression: a key of `EXPRESSIONS`.
        frames: length of the take.
        rng: source of all differences between takes.

    Yields:
        One moment per frame; the first is neutral apart from tremor.
    """
    target = np.asarray(astuple(EXPRESSIONS[expression]))
    target = target * rng.uniform(0.78, 1.18, target.shape) * rng.uniform(0.82, 1.1)
    tremor = np.stack([_drift(rng, frames, 0.05) for _ in target], axis=1)
    actions = _envelope(rng, frames)[:, None] * target + tremor
    speech = _speech(rng, frames)
    poses = list(_poses(rng, frames))
    blinks, gaze = _blinks(rng, frames), _drift(rng, frames, 0.35)
    for index in range(frames):
        action = Action(*(float(value) for value in actions[index]))
        # Speech adds to the open mouth; pressed lips damp it.
        opened = max(action.open, 0.0) + (1 - 0.6 * max(action.press, 0.0)) * speech[index]
        action = replace(action, open=opened, stretch=action.stretch - 0.25 * speech[index])
        yield Moment(action, poses[index], float(blinks[index]), float(gaze[index]))


def _envelope(rng: np.random.Generator, frames: int) -> Curve:
    """Return the strength of the expression over time: 0 at the first frame, 1 at the apex."""
    onset = rng.uniform(0.05, 0.2)
    apex = onset + rng.uniform(0.12, 0.28)
    offset = rng.uniform(0.72, 0.95)
    rest = rng.uniform(0.0, 0.9)
    time = np.linspace(0, 1, frames)
    rise = _smoothstep((time - onset) / (apex - onset))
    fall = _smoothstep((time - offset) / rng.uniform(0.1, 0.25))
    return rise * (1 - (1 - rest) * fall)


def _speech(rng: np.random.Generator, frames: int) -> Curve:
    """Return how far speech opens the mouth, in bursts; half of the takes have no speech."""
    if rng.uniform() < 0.5:
        return np.zeros(frames)
    period = rng.uniform(5, 8)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frames) / period + rng.uniform(0, 6))
    bursts = np.clip(0.5 + _drift(rng, frames, 0.6), 0, 1)
    quiet_start = _smoothstep(np.arange(frames) / 4 - 0.25)
    return np.asarray(rng.uniform(0.1, 0.3) * syllables * bursts * quiet_start)


def _blinks(rng: np.random.Generator, frames: int) -> Curve:
    """Return the closure of the eyes: one or two blinks of about five frames."""
    centres = rng.uniform(4, frames - 2, rng.integers(1, 3))
    time = np.arange(frames)[:, None]
    return np.asarray(np.exp(-(((time - centres) / 1.3) ** 2)).max(axis=1))


def _poses(rng: np.random.Generator, frames: int) -> Iterator[Pose]:
    """Yield slow head motion around a mean pose that is drawn for the take."""
    yaw = rng.normal(0, 0.09) + _drift(rng, frames, 0.07)
    pitch = rng.normal(0, 0.06) + _drift(rng, frames, 0.05)
    roll = rng.normal(0, 0.05) + _drift(rng, frames, 0.035)
    x, y = _drift(rng, frames, 4.0), _drift(rng, frames, 2.5)
    scale = 1 + _drift(rng, frames, 0.018)
    for row in zip(yaw.clip(-0.3, 0.3), pitch.clip(-0.22, 0.22), roll, x, y, scale, strict=True):
        yield Pose(*(float(value) for value in row))


def _drift(rng: np.random.Generator, frames: int, deviation: float, reach: int = 7) -> Curve:
    """Return smooth noise of a given standard deviation, correlated over about `reach` frames."""
    kernel = np.hanning(2 * reach + 1)
    kernel /= np.sqrt((kernel**2).sum())  # keeps the variance of white noise
    return deviation * np.convolve(rng.standard_normal(frames + 2 * reach), kernel, "valid")


def _smoothstep(time: Curve) -> Curve:
    """Rise smoothly from 0 to 1 while time runs from 0 to 1."""
    time = np.clip(time, 0, 1)
    return np.asarray(time**2 * (3 - 2 * time))
