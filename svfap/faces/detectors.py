"""The detector back ends by name."""

from svfap.config import CropConfig
from svfap.faces.detect import Detector
from svfap.faces.fan import Fan
from svfap.faces.refine import CloserLook
from svfap.faces.yunet import YuNet


def make_detector(config: CropConfig) -> Detector:
    """The detector that `config` names, its weights loaded.

    Raises:
        SvfapError: its weights are not on this machine.
    """
    yunet = YuNet(min_score=config.min_score)
    detector = CloserLook(yunet, closer=yunet)
    return Fan(detector) if config.detector == "face-alignment" else detector
