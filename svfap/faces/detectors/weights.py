"""Weights that `face-alignment` would download: taken from disk, or asked for by name."""

from pathlib import Path

from svfap.errors import SvfapError


def checkpoints(detector: str) -> list[Path]:
    """The files in PyTorch's folder of checkpoints that a detector needs: FAN's, then S3FD's.

    Args:
        detector: "face-alignment" or "face-alignment-sfd".

    Raises:
        SvfapError: some are missing; the message names them, the folder and where to get them.
    """
    import torch
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd import sfd_detector

    addresses = [models_urls["2DFAN-4"]]
    if detector == "face-alignment-sfd":
        addresses.append(sfd_detector.models_urls["s3fd"])
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    files = {address: folder / address.rsplit("/", 1)[-1] for address in addresses}
    missing = [address for address, path in files.items() if not path.is_file()]
    if missing:
        names = " and ".join(files[address].name for address in missing)
        raise SvfapError(
            f"crop.detector {detector} needs {names} in the folder {folder}: download"
            f" {' and '.join(missing)} there, or set crop.detector to yunet, which needs nothing"
        )
    return [*files.values()]
