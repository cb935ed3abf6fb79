"""The baseline of model benchmarks: the authors' models from a checkout, or plain versions of ours.

The plain models have our weights and sizes, and are written without care for speed: they embed all
patches before boolean masks drop the masked ones, and compute attention as a softmax between two
products. The training steps use unfused AdamW and wait for every loss. They follow the authors'
training loop, whose own file cannot run without a GPU.
"""

import argparse
import importlib
import sys
import types
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.common import make_parser
from svfap.config import ModelConfig
from svfap.errors import SvfapError
from svfap.models import Autoencoder, VideoModel
from svfap.models.autoencoder import TARGET_EPS, patch_pixels
from svfap.models.layers import NORM_EPS, Attention
from svfap.models.tokens import fuse, patchify
from svfap.training.objectives import normalise, unit_range

PLAIN, THEIRS = "plain PyTorch", "the authors' model"


def make_model_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark that compares models."""
    parser = make_parser(description)
    parser.add_argument("--reference", type=Path, help="a checkout of the authors' repository")
    parser.add_argument("--batch", type=int, default=2, help="clips per batch")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--model", default="{}", help="sizes as JSON; default: SVFAP-B")
    return parser


class PlainAttention(Attention):
    """Attention as a softmax between two products."""

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Return (B, N, C) queries attended over a (B, M, C) context."""
        attended = self.shares(query, context) @ self._split(self.v(context))
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out


class PlainAutoencoder(Autoencoder):
    """The masked autoencoder with boolean masks and an embedding of all patches."""

    def forward(self, video: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Predict the masked patches of a normalised video; the mask is (B, N), True = masked."""
        encoder, batch = self.encoder, len(video)
        patches = patchify(video, encoder.config.tubelet, encoder.config.patch_size)
        tokens = encoder.patch_embed(patches).flatten(1, 2) + encoder.positions.table
        visible = tokens[~mask].reshape(batch, encoder.slices, -1, tokens.shape[-1])
        seen = self.to_decoder(self.norm(fuse(encoder.stages(visible)))).flatten(1, 2)
        places = self.positions.table.expand(batch, -1, -1)
        at_seen, at_hidden = (places[m].reshape(batch, -1, seen.shape[-1]) for m in (~mask, mask))
        x = torch.cat((seen + at_seen, self.mask_token[0] + at_hidden), dim=1)
        for block in self.decoder:
            x = block(x)
        out: Tensor = self.head(self.decoder_norm(x[:, -at_hidden.shape[1] :]))
        return out


def pretrain_model(config: ModelConfig, checkout: Path | None) -> nn.Module:
    """Build a model that predicts the masked patches of (video, boolean mask)."""
    if checkout is None:
        return _plain(PlainAutoencoder(config))
    if config.num_frames != 16:
        raise SvfapError("the authors' pre-training model takes 16 frames; set num_frames to 16")
    model: nn.Module = _module(checkout, "modeling_pretrain").PretrainVisionTransformer(
        img_size=config.image_size,
        patch_size=config.patch_size,
        tubelet_size=config.tubelet,
        encoder_embed_dim=config.dim,
        encoder_num_heads=config.heads,
        decoder_embed_dim=config.decoder_dim,
        decoder_num_heads=config.decoder_heads,
        decoder_depth=config.decoder_depth,
        decoder_num_classes=3 * config.tubelet * config.patch_size**2,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=NORM_EPS),
        stage_depths=config.depths,
        num_bottleneck_tokens=(config.bottleneck_tokens,),
        temporal_kernel_size=config.temporal_kernel,
    )
    return model


def finetune_model(config: ModelConfig, classes: int, checkout: Path | None) -> nn.Module:
    """Build a model that classifies videos."""
    if checkout is None:
        return _plain(VideoModel(config, classes))
    model: nn.Module = _module(checkout, "modeling_finetune").TPSBT(
        img_size=config.image_size,
        patch_size=config.patch_size,
        tubelet_size=config.tubelet,
        embed_dim=config.dim,
        num_heads=config.heads,
        num_classes=classes,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=NORM_EPS),
        all_frames=config.num_frames,
        stage_depths=config.depths,
        num_bottleneck_tokens=(config.bottleneck_tokens,),
        temporal_kernel_size=config.temporal_kernel,
    )
    return model


class Steps:
    """Optimiser steps like the authors': fp16 with a loss scale on a GPU, fp32 on a CPU."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.model, self.device = model.to(device).train(), device
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=False)
        self.half = device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.half)

    def pretrain(self, frames: Tensor, config: ModelConfig, mask_ratio: float) -> None:
        """Take a step of masked autoencoding on (B, T, H, W, 3) uint8 frames."""
        video = unit_range(frames)
        slices, sites = (
            config.num_frames // config.tubelet,
            (video.shape[-1] // config.patch_size) ** 2,
        )
        order = torch.rand(len(video), sites).argsort(dim=1)
        mask = (order < int(mask_ratio * sites)).repeat(1, slices).to(self.device)
        with torch.no_grad():
            pixels = patch_pixels(video, config.tubelet, config.patch_size)
            spread = pixels.var(dim=2, keepdim=True).sqrt() + TARGET_EPS
            patches = ((pixels - pixels.mean(dim=2, keepdim=True)) / spread).flatten(2)
            target = patches[mask].reshape(len(video), -1, patches.shape[-1])
        self._step(lambda: F.mse_loss(self.model(normalise(video), mask), target))

    def finetune(self, frames: Tensor, labels: Tensor) -> None:
        """Take a step of classification on (B, T, H, W, 3) uint8 frames, without augmentation."""
        video = normalise(unit_range(frames))
        self._step(lambda: F.cross_entropy(self.model(video), labels))

    def _step(self, loss_of: Callable[[], Tensor]) -> None:
        with torch.autocast(self.device.type, torch.float16, enabled=self.half):
            loss = loss_of()
        loss.item()  # waits for the device, as the authors do to check for NaN
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        # The authors compute the gradient norm in every step; its result is not needed here.
        torch.stack([gradient.norm() for gradient in gradients]).norm()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.half:
            torch.cuda.synchronize()


def _plain(model: nn.Module) -> nn.Module:
    """Replace every attention of a model by `PlainAttention`; return the model."""
    for parent in [*model.modules()]:
        for name, child in parent.named_children():
            if isinstance(child, Attention):
                plain = PlainAttention(child.q.in_features, child.heads)
                plain.load_state_dict(child.state_dict())
                setattr(parent, name, plain)
    return model


def _module(checkout: Path, name: str) -> Any:  # noqa: ANN401
    """Import a module of the authors' repository, which expects an older PyTorch.

    Raises:
        SvfapError: the module, or a package that it needs, is missing.
    """
    if not (checkout / f"{name}.py").is_file():
        raise SvfapError(f"{checkout} has no {name}.py; give a checkout of the authors' repository")
    # Their code imports torch._six, which PyTorch 2.0 removed; an empty module is enough.
    sys.modules.setdefault("torch._six", types.ModuleType("torch._six"))
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    with warnings.catch_warnings(action="ignore"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise SvfapError(f"{checkout} needs the package {error.name}; install it") from None
