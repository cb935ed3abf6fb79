"""The public models that are known to fit, and those that are known not to.

Facts come from the models' cards on the hub, their repositories and their papers. A revision or a
hash that no public page shows is empty here, never guessed: such a model needs a revision from the
user, and the hash of its file is recorded at the first fetch.
"""

from dataclasses import dataclass, field
from typing import Any

from svfap.errors import SvfapError

NON_COMMERCIAL = "CC-BY-NC-4.0"


@dataclass(frozen=True)
class PublicModel:
    """A public model.

    Attributes:
        name: name in a configuration.
        repo: id on the Hugging Face hub; empty if it is elsewhere.
        data: what it was trained on.
        crop: how its faces were cut.
        licence: licence of the weights, by its SPDX name.
        sizes: keys of the `model` section.
        file: the file of weights in the repository; empty if unknown.
        revision: the commit; empty if unknown.
        sha256: hash of the file; empty if unknown.
        stride: distance between sampled frames in its training.
        proof: the class whose numbers the conversion reproduces.
        source: page with the facts.
    """

    name: str
    repo: str
    data: str
    crop: str
    licence: str
    sizes: dict[str, Any]
    file: str = "model.safetensors"
    revision: str = ""
    sha256: str = ""
    stride: int = 4
    proof: str = ""
    source: str = ""

    @property
    def needs_acceptance(self) -> bool:
        """Whether the licence forbids commercial use, which a user has to accept."""
        return "NC" in self.licence


@dataclass(frozen=True)
class Misfit:
    """A model that no class of this package can hold, or that has its own command."""

    name: str
    reason: str
    source: str


def _vit(size: str, image_size: int, norm_eps: float) -> dict[str, Any]:
    """Return the `model` keys of a plain video transformer of size S, B or L."""
    dim, depth = {"S": (384, 12), "B": (768, 12), "L": (1024, 24)}[size]
    return {
        "image_size": image_size,
        "dim": dim,
        "heads": dim // 64,
        "depths": [depth],
        "pyramid": "none",
        "bottleneck": False,
        "norm_eps": norm_eps,
    }


_KINETICS = "Kinetics-400"
_NO_CROP = "none: whole scenes"
_TRANSFORMERS = "transformers.VideoMAEForVideoClassification"
_HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class _Line:
    """One row of a family's table, before its common facts are added."""

    size: str
    repo: str
    data: str
    more: dict[str, Any] = field(default_factory=dict)


_VIDEOMAE = {
    "videomae-base": _Line(
        "B",
        "MCG-NJU/videomae-base",
        f"{_KINETICS}, self-supervised",
        {
            "file": "pytorch_model.bin",
            "revision": "a6c2a8d371a8690497d78eee21fdb4fbfcf796da",
            "sha256": "2e0c3f4bc73c6d287b96c30975b43d60c9fc004c548150f252278f1becd89a7d",
        },
    ),
    "videomae-large": _Line("L", "MCG-NJU/videomae-large", f"{_KINETICS}, self-supervised"),
    "videomae-small-kinetics": _Line(
        "S",
        "MCG-NJU/videomae-small-finetuned-kinetics",
        f"{_KINETICS}, then its labels",
        {"file": "pytorch_model.bin"},
    ),
    "videomae-base-kinetics": _Line(
        "B",
        "MCG-NJU/videomae-base-finetuned-kinetics",
        f"{_KINETICS}, then its labels",
        {"revision": "ded4e48b8b503c08f6edd9405b26d406f288824b"},
    ),
    "videomae-large-kinetics": _Line(
        "L",
        "MCG-NJU/videomae-large-finetuned-kinetics",
        f"{_KINETICS}, then its labels",
        {"revision": "0f6adcd5f6902900aa0281f9daacfe52bb3c4ad4"},
    ),
}
_MARLIN = {
    f"marlin-{size}": _Line(
        size[0].upper(),
        "ControlNet/MARLIN",
        "YouTube Faces, self-supervised",
        {"file": f"marlin_vit_{size}_ytf.encoder.pt"},
    )
    for size in ("small", "base", "large")
}

_ALL = (
    *(
        PublicModel(
            name,
            line.repo,
            line.data,
            _NO_CROP,
            NON_COMMERCIAL,
            _vit(line.size, 224, 1e-12),
            proof=_TRANSFORMERS,
            source=_HUB + line.repo,
            **line.more,
        )
        for name, line in _VIDEOMAE.items()
    ),
    PublicModel(
        "videomaev2-base",
        "OpenGVLab/VideoMAEv2-Base",
        "UnlabeledHybrid-1M, self-supervised",
        _NO_CROP,
        NON_COMMERCIAL,
        _vit("B", 224, 1e-6),
        revision="0e826d7e85e39f9d951e331cd91c5c2d8142d385",
        proof="VideoMAEv2's VisionTransformer",
        source=_HUB + "OpenGVLab/VideoMAEv2-Base",
    ),
    *(
        PublicModel(
            f"videomaev2-{name}-distilled",
            "OpenGVLab/VideoMAE2",
            "Kinetics-710, distilled from ViT-giant",
            _NO_CROP,
            "Apache-2.0",
            _vit(name[0].upper(), 224, 1e-6),
            file=f"distill/vit_{name[0]}_k710_dl_from_giant.pth",
            proof="VideoMAEv2's VisionTransformer",
            source="https://github.com/OpenGVLab/VideoMAEv2/blob/master/docs/MODEL_ZOO.md",
        )
        for name in ("small", "base")
    ),
    PublicModel(
        "s4d-base",
        "cyinen/S4D",
        "VoxCeleb2 and AffectNet, self-supervised",
        "VoxCeleb2: the publisher's",
        "Apache-2.0",
        _vit("B", 160, 1e-6),
        file="",
        proof="S4D's VisionTransformerMoE without experts",
        source="https://github.com/MSA-LMC/S4D",
    ),
    *(
        PublicModel(
            name,
            line.repo,
            line.data,
            "FaceXZoo's; no preset is equal",
            NON_COMMERCIAL,
            _vit(line.size, 224, 1e-5),
            stride=2,
            proof="marlin_pytorch.Marlin",
            source="https://github.com/ControlNet/MARLIN",
            **line.more,
        )
        for name, line in _MARLIN.items()
    ),
)
MODELS = {model.name: model for model in _ALL}

MISFITS = (
    Misfit(
        "SVFAP (the authors' files)",
        "fits, but is on OneDrive: download it and run `python -m svfap convert`",
        "https://github.com/sunlicai/SVFAP",
    ),
    Misfit(
        "MAE-DFER",
        "its blocks attend within regions of 2 x 5 x 10 tokens and, through one messenger token per"
        " region, between them; our blocks attend to all tokens",
        "https://github.com/sunlicai/MAE-DFER",
    ),
    Misfit(
        "AVF-MAE++ (video encoder)",
        "its published scripts use the same attention over regions (attn_type local_global)",
        "https://github.com/XuecWu/AVF-MAE",
    ),
    Misfit(
        "S4D, fine-tuned",
        "its later blocks add a mixture of experts, routed with random noise",
        "https://github.com/MSA-LMC/S4D",
    ),
    Misfit(
        "VideoMAEv2 giant",
        "its MLPs are 48/11 times as wide as its tokens, ours 4 times",
        "https://github.com/OpenGVLab/VideoMAEv2",
    ),
)


def get(name: str) -> PublicModel:
    """Return a model by its name.

    Raises:
        SvfapError: the name is unknown.
    """
    if name not in MODELS:
        raise SvfapError(f"no public model '{name}'; `python -m svfap weights` lists them")
    return MODELS[name]
