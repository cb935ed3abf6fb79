"""Write a model as a folder to share: weights, configuration, preprocessing, metrics and card."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from svfap.models.timm_build import described
from svfap.training.objectives import IMAGENET_MEAN, IMAGENET_STD
from svfap.use.bundle import Bundle, ModelFacts
from svfap.use.card import model_card, terms
from svfap.use.exchange import to_int8, to_onnx, to_program
from svfap.use.shared_files import CARD, CONFIG, FORMATS, LICENCE, METRICS, PREPROCESSING, WEIGHTS

_WRITERS = {"onnx": to_onnx, "int8": to_int8, "pt2": to_program}


def write_folder(
    bundle: Bundle,
    folder: Path,
    *,
    formats: Iterable[str] = (),
    dataset: str = "",
    name: str = "",
) -> dict[str, float]:
    """Write a model into a folder, for `bundle.read_folder` and the Hugging Face hub.

    Args:
        bundle: the model and its metrics.
        folder: an existing folder to write into.
        formats: names of further formats to write, from `FORMATS`.
        dataset: dataset of fine-tuning.
        name: name of the model, or its id on the hub; the folder's name if empty.

    Returns:
        Name of the file -> its largest difference from the model, for every further format.

    Raises:
        SvfapError: a format cannot be written.
    """
    from safetensors.torch import save

    bundle.network()  # raises if the weights do not fit, before anything is written
    weights = {name: tensor.contiguous().clone() for name, tensor in bundle.weights.items()}
    (folder / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt"}))
    _write_json(folder / CONFIG, _config(bundle.facts))
    _write_json(folder / PREPROCESSING, _preprocessing(bundle.facts))
    _write_json(folder / METRICS, {"figures": list(bundle.metrics), "notice": bundle.facts.notices})
    differences = {}
    for format_ in formats:
        file = FORMATS[format_]
        differences[file] = _WRITERS[format_](bundle, folder / file)
    text = f"# Terms of the training data\n\n{terms(bundle.facts, dataset)}\n"
    (folder / LICENCE).write_text(text, encoding="utf-8")
    text = model_card(
        bundle,
        name=name or folder.name,
        dataset=dataset,
        exported=differences,
        license_link=LICENCE,
    )
    (folder / CARD).write_text(text, encoding="utf-8")
    return differences


def _config(facts: ModelFacts) -> dict[str, Any]:
    """Return sizes, labels and recipe, with the keys that programs of the hub read."""
    labels = {str(number): name for number, name in enumerate(facts.job.targets)}
    settings = facts.job.finetune
    timms: dict[str, Any] = described(
        facts.job.model,
        facts.job.targets,
        pool=settings.pool,
        activation=settings.activation,
        fusion=settings.fusion,
    )
    timms["pretrained_cfg"] |= {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    return timms | {
        "model_type": "svfap",
        "architectures": ["VideoModel"],
        "id2label": labels,
        "label2id": {name: int(number) for number, name in labels.items()},
        "svfap": facts.model_dump(mode="json", exclude={"crop", "fps"}),
    }


def _preprocessing(facts: ModelFacts) -> dict[str, Any]:
    """Return how to prepare frames for the model, with the keys of the hub's processors."""
    return {
        "crop": facts.crop,
        "fps": facts.fps,
        "num_frames": facts.job.model.num_frames,
        "stride": facts.stride,
        "size": facts.job.model.image_size,
        "rescale_factor": 1 / 255,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
