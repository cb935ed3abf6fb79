"""Make a detector by its name in the configuration."""

from collections.abc import Callable

from svfap.config import CropConfig
from svfap.faces.detectors.centerface import CenterFace
from svfap.faces.detectors.detector import Detector, Finder
from svfap.faces.detectors.fan import Fan
from svfap.faces.detectors.refine import CloserLook
from svfap.faces.detectors.s3fd import S3FD
from svfap.faces.detectors.weights import face_alignment_weights
from svfap.faces.detectors.yunet import YuNet

# The landmarks of these detectors are less exact than YuNet's, so CloserLook replaces them.
FINDERS: dict[str, Callable[..., Finder]] = {
    "centerface": CenterFace,
}


def make_detector(config: CropConfig) -> Detector:
    """Make the detector that `config` names, and load its weights.

    YuNet, the fastest detector, takes the closer look at each face, whichever detector finds it.

    Raises:
        SvfapError: the detector's package or weights are not on this machine; they are never
            downloaded.
    """
    options = {} if config.min_score is None else {"min_score": config.min_score}
    yunet = YuNet(**options)
    if config.detector == "yunet":
        return CloserLook(yunet, closer=yunet)
    if config.detector in FINDERS:
        return CloserLook(FINDERS[config.detector](**options), closer=yunet)
    # FAN's own file comes first. It is only checked here: face-alignment loads it by itself.
    _, *s3fd_weights = face_alignment_weights(config.detector)
    finder = S3FD(s3fd_weights[0], **options) if s3fd_weights else yunet
    return Fan(CloserLook(finder, closer=yunet))
