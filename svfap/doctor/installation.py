"""Checks of the installation: which packages are here, and how to repair them.

A checkout of the repository is installed by `make setup`, everything else by pip.
"""

from importlib import metadata
from pathlib import Path

from svfap.doctor.finding import FIX, OK, Finding
from svfap.errors import EXTRA_OF, installed

IN_CHECKOUT = Path(__file__).parents[2].joinpath("Makefile").is_file()
REPAIR = "make setup" if IN_CHECKOUT else "pip install --force-reinstall svfap"
HEADLESS = "opencv-python-headless"
BUILDS = ("opencv-python", HEADLESS, "opencv-contrib-python", "opencv-contrib-python-headless")
NEXT_MAJOR = 5


def in_project() -> bool:
    """Return whether the working folder runs the pipeline."""
    return Path("Snakefile").is_file()


def extras() -> Finding:
    """List the optional parts of the package that are installed, and how to install the others."""
    needed: dict[str, list[str]] = {}
    for module, extra in EXTRA_OF.items():
        needed.setdefault(extra, []).append(module)
    here = [extra for extra, modules in needed.items() if all(map(installed, modules))]
    others = [extra for extra in needed if extra not in here]
    text = f"{', '.join(here) or 'none'} installed"
    if others:
        command = REPAIR if IN_CHECKOUT else f"pip install 'svfap[{','.join(others)}]'"
        text += f"; optional, for {', '.join(others)}: {command}"
    return Finding(OK, text)


def opencv() -> Finding:
    """Check that one OpenCV is installed: its builds share a folder, so the last one wins."""
    import cv2

    found = {name: version for name in BUILDS if (version := _version(name))}
    if len({*found.values()}) > 1:
        shown = " and ".join(f"{name} {version}" for name, version in found.items())
        return Finding(FIX, f"{shown} overwrite each other; {_reinstall(found)}")
    if int(cv2.__version__.split(".")[0]) >= NEXT_MAJOR:
        return Finding(FIX, f"{cv2.__version__} changes scores; {_reinstall(found)}")
    return Finding(OK, f"{cv2.__version__} by {' and '.join(found) or 'this machine'}")


def _reinstall(found: dict[str, str]) -> str:
    command = f"pip install '{HEADLESS}<{NEXT_MAJOR}'"
    if found:
        command = f"pip uninstall -y {' '.join(found)} && {command}"
    return f"run: {command}"


def _version(distribution: str) -> str:
    """Return the version of an installed distribution; empty if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
