"""Build a model from the arguments of `timm.create_model`, and describe one in timm's terms."""

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from svfap.config import ModelConfig
from svfap.config.yaml_file import parse
from svfap.errors import SvfapError
from svfap.models.autoencoder import Autoencoder
from svfap.models.encoder import Encoder
from svfap.models.timm_facts import FACTS, NAME, SMALL
from svfap.models.timm_interface import check_count
from svfap.models.timm_sizes import square_side
from svfap.models.video_model import VideoModel, pool_kind, pool_name

OUR_NAMES = {"img_size": "image_size", "embed_dim": "dim", "num_heads": "heads"}
TIMM_NAMES = {ours: timms for timms, ours in OUR_NAMES.items()}
PATCH_WEIGHT = "encoder.patch_embed.weight"
_REMOTE = ("local-dir", "hf-hub")  # places of weights that a name in timm begins with
_logger = logging.getLogger(__name__)


def build(name: str, arguments: Mapping[str, Any], *, pretrained: bool) -> Any:  # noqa: ANN401
    """Build a model as timm does.

    Args:
        name: the model's name in timm.
        arguments: all that `timm.create_model` passes on.
        pretrained: whether to load weights.

    Returns:
        A `VideoModel`, an `Autoencoder`, or timm's `FeatureGetterNet` with `features_only`.

    Raises:
        SvfapError: an argument is unknown or does not fit the model, or there are no weights.
    """
    from timm.models import build_model_with_cfg

    options = {TIMM_NAMES.get(key, key): value for key, value in arguments.items()}
    side = square_side(options["img_size"]) if "img_size" in options else None
    source = _source(name, options, side, pretrained=pretrained)
    if options.get("features_only") and options.get("feature_cls", "getter") != "getter":
        raise SvfapError("feature_cls: only 'getter' gives the tokens of the stages; leave it out")
    return build_model_with_cfg(
        _autoencoder if name.startswith("pretrain_") else _video_model,
        name,
        pretrained,
        pretrained_cfg=source,
        feature_cfg={"out_indices": None, "feature_cls": "getter"},  # all stages
        pretrained_filter_fn=adapted,
        **options,
    )


def described(config: ModelConfig, labels: Sequence[str], *, pool: str, **options: Any) -> Any:  # noqa: ANN401 (JSON)
    """Describe a model so that timm builds it from a folder with its weights.

    Args:
        config: sizes of the encoder.
        labels: names of the outputs; none for a model without a head.
        pool: how it pools tokens.
        **options: further arguments of `VideoModel`.

    Returns:
        Keys of the folder's `config.json`.
    """
    sizes = {TIMM_NAMES.get(key, key): value for key, value in config.model_dump().items()}
    small = SMALL.items() <= sizes.items()
    head = {"num_classes": len(labels), "label_names": list(labels)}
    return {
        "architecture": NAME.format("small" if small else "base"),
        "num_features": config.dim,
        **head,
        "model_args": sizes | options | {"global_pool": pool_name(pool)},
        "pretrained_cfg": FACTS | head | {"classifier": "head"},
    }


def _source(
    name: str, options: dict[str, Any], side: int | None, *, pretrained: bool
) -> dict[str, Any]:
    """Take from the options where weights come from; return timm's facts of the model."""
    from timm.models import resolve_pretrained_cfg

    overlay = options.pop("pretrained_cfg_overlay", None)
    found = resolve_pretrained_cfg(name, options.pop("pretrained_cfg", None), overlay)
    if side is not None:
        found = replace(found, input_size=(found.input_size[0], side, side))
    if pretrained and not (found.has_weights or found.state_dict):
        raise SvfapError(
            "no weights are published under this name; leave pretrained=False and load your own"
            " checkpoint, or the authors' through svfap.models.convert.from_official"
        )
    if found.source in _REMOTE and not pretrained:
        _logger.warning("%s: random weights; pretrained=True loads the folder's", name)
    facts: dict[str, Any] = found.to_dict()
    return facts


def _video_model(
    *,
    num_classes: int = 0,
    global_pool: str = "avg",
    in_chans: int = 3,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    **sizes: Any,  # noqa: ANN401
) -> VideoModel:
    for key, rate in {"drop_rate": drop_rate, "drop_path_rate": drop_path_rate}.items():
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise SvfapError(f"{key}: {rate!r} is not a rate from 0 to below 1")
    check_count("in_chans", in_chans, least=1)
    names = ("activation", "per_frame", "fusion")
    options = {key: sizes.pop(key) for key in names if key in sizes}
    with _on(device):
        model = VideoModel(_config(sizes), num_classes, drop_path_rate, **options)
        model.head_drop = nn.Dropout(drop_rate)
        if in_chans != 3:
            model.encoder.set_channels(in_chans)
            # timm can change the channels of convolutions alone; `adapted` does it instead.
            model._traits = {"first_conv": None}  # type: ignore[assignment]
        if pool_kind(global_pool) != model.pool_kind:
            model.reset_classifier(num_classes, global_pool)
    return model.to(dtype=dtype) if dtype is not None else model


def _autoencoder(
    *,
    in_chans: int = 3,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    fusion: bool = True,
    **sizes: Any,  # noqa: ANN401
) -> Autoencoder:
    if in_chans != 3:
        raise SvfapError("in_chans: the masked autoencoder predicts 3 channels; leave it out")
    for key in ("num_classes", "drop_rate", "drop_path_rate", "global_pool"):
        if sizes.pop(key, None):
            raise SvfapError(
                f"{key}: the masked autoencoder has no classifier and drops nothing; leave it out,"
                " or create a model for fine-tuning, such as svfap_base_patch16_160"
            )
    with _on(device):
        model = Autoencoder(_config(sizes), fusion=fusion)
    return model.to(dtype=dtype) if dtype is not None else model


def _on(device: torch.device | str | None) -> Any:  # noqa: ANN401 (a context manager)
    return nullcontext() if device is None else torch.device(device)


def _config(sizes: Mapping[str, Any]) -> ModelConfig:
    ours = {OUR_NAMES.get(key, key): value for key, value in sizes.items()}
    if "image_size" in ours:
        ours["image_size"] = square_side(ours["image_size"])
    try:
        return parse(ModelConfig, ours, where="model")
    except SvfapError as error:
        text = str(error)
        for timms, own in OUR_NAMES.items():
            text = re.sub(rf"\b{own}\b", timms, text)
        raise SvfapError(text) from None


def adapted(weights: Mapping[str, Tensor], model: VideoModel | Autoencoder) -> dict[str, Tensor]:
    """Fit a patch embedding to the model's number of channels, as timm does for convolutions.

    A grey channel gets the sum of all channels. More channels repeat the first ones, scaled so that
    the sum stays as large.
    """
    found, encoder = dict(weights), model.get_submodule("encoder")
    weight = found.get(PATCH_WEIGHT)
    if weight is None or not isinstance(encoder, Encoder):
        return found
    wanted = encoder.in_chans
    if encoder.config.patch_features == "gradients":  # of the mean of all channels
        return found
    channels: Tensor = weight.unflatten(1, (-1, encoder.patch_dim // wanted))
    given = channels.shape[1]
    if given != wanted and wanted == 1:
        channels = channels.sum(dim=1, keepdim=True)
    elif given != wanted:
        channels = channels[:, torch.arange(wanted) % given] * given / wanted
    found[PATCH_WEIGHT] = channels.flatten(1)
    return found
