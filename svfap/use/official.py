"""Convert the authors' released checkpoints to checkpoints of this package.

The authors' files contain weights only. Sizes follow from the shapes of the weights. Shapes do not
determine everything; the rest is set as in the paper: heads of 64 channels, and two thirds and one
third of the later blocks in the second and third stage.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from svfap import datasets
from svfap.config import FinetuneConfig, ModelConfig, PretrainConfig
from svfap.config.stage_sections import FinetuneJob, PretrainJob
from svfap.config.yaml_file import parse
from svfap.datasets.dataset import Dataset
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.models.convert import from_official
from svfap.training import tensor_file
from svfap.training.checkpoint import Checkpoint, load_weights

_HEAD_WIDTH = 64
_NESTED = ("model", "module")  # keys under which training scripts store the weights


def convert(path: Path, *, dataset: str = "", sizes: Mapping[str, Any] | None = None) -> Checkpoint:
    """Convert a file of the authors.

    Args:
        path: a fine-tuned or a pre-trained model.
        dataset: dataset that a fine-tuned model was trained on; determines labels, stride and crop.
        sizes: keys of the `model` section that weights do not determine, such as heads and depths.

    Raises:
        SvfapError: the file is not such a checkpoint, or the dataset does not fit it.
    """
    state = _read_state(path)
    weights = from_official(state)
    config = parse(ModelConfig, _model_section(state, path, sizes or {}), where="model")
    if "mask_token" in state:
        return _pretrained(config, weights, path)
    return _finetuned(config, weights, path, dataset)


def _pretrained(config: ModelConfig, weights: Mapping[str, Tensor], path: Path) -> Checkpoint:
    """Make the checkpoint of a masked autoencoder, which the authors trained on VoxCeleb2."""
    load_weights(Autoencoder(config), weights, where=path)  # refuse weights that do not fit
    job = PretrainJob(seed=0, model=config, pretrain=PretrainConfig(datasets=("VoxCeleb2",)))
    return Checkpoint(weights, job, crop={"preset": "voxceleb2"})


def _finetuned(
    config: ModelConfig, weights: Mapping[str, Tensor], path: Path, dataset: str
) -> Checkpoint:
    """Make the checkpoint of a fine-tuned model."""
    facts = _find_dataset(dataset, outputs=len(weights["head.weight"]), path=path)
    assert facts.task != "unlabelled"
    load_weights(VideoModel(config, len(facts.targets)), weights, where=path)
    job = FinetuneJob(
        seed=0,
        task=facts.task,
        targets=facts.targets,
        stride=facts.stride,
        notice=facts.notice,
        model=config,
        finetune=FinetuneConfig(),
    )
    return Checkpoint(weights, job, crop={"preset": facts.crop})


def _read_state(path: Path) -> dict[str, Tensor]:
    """Read the authors' weights under their own names."""
    # The authors' training scripts store their command line, a Namespace, beside the weights.
    content = tensor_file.read(path, allowed=[argparse.Namespace])
    nested = next((content[key] for key in _NESTED if isinstance(content.get(key), dict)), content)
    # DistributedDataParallel puts "module." before every name.
    state = {name.removeprefix("module."): value for name, value in nested.items()}
    if "config" in content:
        raise SvfapError(f"{path}: already a checkpoint of this package; use it as it is")
    if not any(name.endswith("patch_embed.proj.weight") for name in state):
        raise SvfapError(f"{path}: no weights of the authors' SVFAP (patch_embed.proj is missing)")
    return state


def _model_section(
    state: Mapping[str, Tensor], path: Path, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Derive the keys of the `model` section from the shapes of the weights; `given` ones win."""
    encoder = {name.removeprefix("encoder."): value for name, value in state.items()}
    dim, _, tubelet, patch, _ = encoder["patch_embed.proj.weight"].shape
    pools = [
        name for name in encoder if re.match(r"spatial_downsamples\.\d+\.mlp\.fc2\.bias", name)
    ]
    found: dict[str, Any] = {
        "dim": dim,
        "tubelet": tubelet,
        "patch_size": patch,
        "heads": max(1, dim // _HEAD_WIDTH),
        "bottleneck_tokens": len(encoder[pools[0]]) if pools else 8,
    }
    if "mask_token" in state:
        width = state["mask_token"].shape[-1]
        depth = sum(bool(re.match(r"decoder\.blocks\.\d+\.norm1\.weight", k)) for k in state)
        found |= {"decoder_dim": width, "decoder_depth": depth}
        found["decoder_heads"] = max(1, width // _HEAD_WIDTH)
    if "depths" not in given:
        found["depths"] = _guess_depths(encoder, stages=1 + len(pools), path=path)
    return found | dict(given)


def _guess_depths(encoder: Mapping[str, Tensor], *, stages: int, path: Path) -> Sequence[int]:
    """Divide the blocks among the stages as in the paper's models (12/6/3)."""
    blocks = sum(bool(re.fullmatch(r"blocks\.\d+\.norm1\.weight", name)) for name in encoder)
    later = sum(bool(re.fullmatch(r"blocks\.\d+\.cross_norm1\.weight", k)) for k in encoder)
    if stages != 3 or later % 3:
        raise SvfapError(
            f"{path}: {blocks} blocks, {later} of them in later stages; give the number of blocks"
            " of each stage, such as --depths 12 6 3"
        )
    return blocks - later, later // 3 * 2, later // 3


def _find_dataset(name: str, *, outputs: int, path: Path) -> Dataset:
    """Return the dataset that a head was trained on."""
    if not name:
        raise SvfapError(
            f"{path}: fine-tuned, for {outputs} outputs; name its dataset, which determines the"
            " labels, such as --dataset DFEW"
        )
    facts = datasets.get(name)
    if len(facts.targets) != outputs:
        labels = ", ".join(facts.targets)
        raise SvfapError(
            f"{path}: has {outputs} outputs, but {name} has {len(facts.targets)} ({labels}); name"
            " the dataset that it was fine-tuned on"
        )
    return facts
