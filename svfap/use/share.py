"""A model as a folder that can be shared: weights, configuration, preprocessing, figures, card."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from svfap.use.bundle import CONFIG, METRICS, PREPROCESSING, WEIGHTS, Bundle, Facts
from svfap.use.card import card
from svfap.use.exchange import ONNX, PROGRAM, to_onnx, to_program

_FORMATS = {"onnx": (ONNX, to_onnx), "pt2": (PROGRAM, to_program)}
FORMATS = tuple(_FORMATS)


def share(
    bundle: Bundle,
    folder: Path,
    *,
    formats: Iterable[str] = (),
    dataset: str = "",
) -> dict[str, float]:
    """Write the folder of a model; `bundle.read_folder` and the hub read it.

    Args:
        bundle: the model and its figures.
        folder: takes the files; it exists.
        formats: of `FORMATS`, beside the weights.
        dataset: what the model was fine-tuned on.

    Returns:
        File -> largest difference from the model, for every further format.

    Raises:
        SvfapError: a format cannot be written.
    """
    from safetensors.torch import save

    bundle.network()
    weights = {name: tensor.contiguous().clone() for name, tensor in bundle.weights.items()}
    (folder / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt"}))
    _write(folder / CONFIG, _config(bundle.facts))
    _write(folder / PREPROCESSING, _preprocessing(bundle.facts))
    _write(folder / METRICS, {"figures": list(bundle.metrics), "notice": bundle.facts.notices})
    written = {}
    for name in formats:
        file, write = _FORMATS[name]
        written[file] = write(bundle, folder / file)
    text = card(bundle, name=folder.name, dataset=dataset, exchange=written)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return written


def _config(facts: Facts) -> dict[str, Any]:
    """Sizes, labels and recipe, with the keys that programs of the hub look for."""
    labels = {str(number): name for number, name in enumerate(facts.job.targets)}
    return {
        "model_type": "svfap",
        "architectures": ["VideoModel"],
        "id2label": labels,
        "label2id": {name: int(number) for number, name in labels.items()},
        "svfap": facts.model_dump(mode="json", exclude={"crop", "fps"}),
    }


def _preprocessing(facts: Facts) -> dict[str, Any]:
    """How frames become what the model takes."""
    return {
        "crop": facts.crop,
        "fps": facts.fps,
        "num_frames": facts.job.model.num_frames,
        "stride": facts.stride,
        "size": facts.job.model.image_size,
        "rescale_factor": 1 / 255,
        "image_mean": IMAGENET_DEFAULT_MEAN,
        "image_std": IMAGENET_DEFAULT_STD,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
