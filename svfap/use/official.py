"""The authors' released checkpoints as checkpoints of this package.

Their files hold weights alone. Sizes are read off the weights; what weights do not tell is taken
as the paper has it: heads of 64 channels, later stages of two thirds and one third of the blocks.
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
from svfap.training import checkpoint

_HEAD_WIDTH = 64
_NESTED = ("model", "module")  # where training scripts put the weights


def convert(
    path: Path, *, dataset: str = "", sizes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `checkpoint.save` takes, from a file of the authors.

    Args:
        path: a fine-tuned or a pre-trained model.
        dataset: what a fine-tuned one was trained on; tells labels, stride and crop.
        sizes: keys of the `model` section that weights do not tell, such as heads and depths.

    Raises:
        SvfapError: the file is no such checkpoint, or the dataset does not fit it.
    """
    state = _state(path)
    pretrained = "mask_token" in state
    weights = from_official(state)
    config = parse(ModelConfig, _sizes(state, path, sizes or {}), where="model")
    if pretrained:
        checkpoint.load_weights(Autoencoder(config), weights, where=path)
        job: PretrainJob | FinetuneJob = PretrainJob(
            seed=0, model=config, pretrain=PretrainConfig(datasets=("VoxCeleb2",))
        )
        crop = "voxceleb2"
    else:
        facts = _facts(dataset, outputs=len(weights["head.weight"]), path=path)
        checkpoint.load_weights(VideoModel(config, len(facts.targets)), weights, where=path)
        job, crop = _finetuned(config, facts), facts.crop
    content = {"model": weights, "config": job.model_dump(mode="json"), "crop": {"preset": crop}}
    return checkpoint.provenance() | content


def _state(path: Path) -> dict[str, Tensor]:
    """The authors' weights by their own names."""
    content = checkpoint.load(path, allowed=[argparse.Namespace])
    nested = next((content[key] for key in _NESTED if isinstance(content.get(key), dict)), content)
    state = {name.removeprefix("module."): value for name, value in nested.items()}
    if "config" in content:
        raise SvfapError(f"{path}: is a checkpoint of this package already")
    if not any(name.endswith("patch_embed.proj.weight") for name in state):
        raise SvfapError(f"{path}: no weights of the authors' SVFAP (patch_embed.proj is missing)")
    return state


def _sizes(state: Mapping[str, Tensor], path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The `model` section."""
    encoder = {name.removeprefix("encoder."): value for name, value in state.items()}
    dim, _, tubelet, patch, _ = encoder["patch_embed.proj.weight"].shape
    pools = [
        name for name in encoder if re.match(r"spatial_downsamples\.\d+\.mlp\.fc2\.bias", name)
    ]
    found: dict[str, Any] = {
        "dim": dim, "tubelet": tubelet, "patch_size": patch, "heads": max(1, dim // _HEAD_WIDTH),
        "bottleneck_tokens": len(encoder[pools[0]]) if pools else 8,
    }  # fmt: skip
    if "mask_token" in state:
        width = state["mask_token"].shape[-1]
        depth = sum(bool(re.match(r"decoder\.blocks\.\d+\.norm1\.weight", k)) for k in state)
        found |= {"decoder_dim": width, "decoder_depth": depth}
        found["decoder_heads"] = max(1, width // _HEAD_WIDTH)
    if "depths" not in given:
        found["depths"] = _depths(encoder, stages=1 + len(pools), path=path)
    return found | dict(given)


def _depths(encoder: Mapping[str, Tensor], *, stages: int, path: Path) -> Sequence[int]:
    """Blocks of each stage."""
    blocks = sum(bool(re.fullmatch(r"blocks\.\d+\.norm1\.weight", name)) for name in encoder)
    crossed = sum(bool(re.fullmatch(r"blocks\.\d+\.cross_norm1\.weight", k)) for k in encoder)
    if stages != 3 or crossed % 3:
        raise SvfapError(
            f"{path}: {blocks} blocks, {crossed} of them in later stages; say how they are shared"
            " out, such as --depths 12 6 3"
        )
    return blocks - crossed, crossed // 3 * 2, crossed // 3


def _facts(name: str, *, outputs: int, path: Path) -> Dataset:
    """The dataset that a head was trained on."""
    if not name:
        raise SvfapError(
            f"{path}: is fine-tuned, for {outputs} outputs; say on which dataset (--dataset DFEW),"
            " which tells its labels"
        )
    facts = datasets.get(name)
    if len(facts.targets) != outputs:
        labels = ", ".join(facts.targets)
        raise SvfapError(
            f"{path}: has {outputs} outputs, but {name} has {len(facts.targets)} ({labels}); name"
            " the dataset that it was fine-tuned on"
        )
    return facts


def _finetuned(config: ModelConfig, facts: Dataset) -> FinetuneJob:
    assert facts.task != "unlabelled"
    return FinetuneJob(
        seed=0,
        task=facts.task,
        targets=facts.targets,
        stride=facts.stride,
        notice=facts.notice,
        model=config,
        finetune=FinetuneConfig(),
    )
