"""The detector back ends by name."""

from collections.abc import Callable

from svfap.config import CropConfig
from svfap.faces.detectors.centerface import CenterFace
from svfap.faces.detectors.detector import Detector, Finder
from svfap.faces.detectors.fan import Fan
from svfap.faces.detectors.refine import CloserLook
from svfap.faces.detectors.s3fd import S3FD
from svfap.faces.detectors.weights import checkpoints
from svfap.faces.detectors.yunet import YuNet

# Detectors that find faces without landmarks as exact as YuNet's, which CloserLook adds.
FINDERS: dict[str, Callable[..., Finder]] = {
    "centerface": CenterFace,
}


def make_detector(config: CropConfig) -> Detector:
    """The detector that `config` names, its weights loaded.

    Whichever finds the faces, YuNet takes the closer look at them: it is the fastest.

    Raises:
        SvfapError: its weights are not on this machine; they are never downloaded unasked.
    """
    scores = {} if config.min_score is None else {"min_score": config.min_score}
    yunet = YuNet(**scores)
    if config.detector == "yunet":
        return CloserLook(yunet, closer=yunet)
    if config.detector in FINDERS:
        return CloserLook(FINDERS[config.detector](**scores), closer=yunet)
    _, *s3fd = checkpoints(config.detector)
    finder = S3FD(s3fd[0], **scores) if s3fd else yunet
    return Fan(CloserLook(finder, closer=yunet))
