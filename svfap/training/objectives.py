"""What is learned: from a batch to a loss, and from a model's output to scores."""

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
import torch.nn.functional as F
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.data.mixup import Mixup, mixup_target
from timm.data.random_erasing import RandomErasing
from timm.loss.cross_entropy import SoftTargetCrossEntropy
from torch import Tensor, nn

from svfap.config import FinetuneConfig
from svfap.models import Autoencoder, VideoModel, reconstruction_target
from svfap.models.masking import target_sites, tube_sites
from svfap.training.batch import Batch

Forward = Callable[..., Tensor]


class Objective(Protocol):
    """A model and what it is trained for."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Mean loss of a batch, a scalar.

        Args:
            forward: the model, possibly compiled or distributed.
            batch: clips on the model's device.
        """
        ...


def unit_range(video: Tensor) -> Tensor:
    """Frames (B, T, H, W, 3) uint8 as a video (B, 3, T, H, W) in [0, 1]."""
    return video.permute(0, 4, 1, 2, 3).contiguous().float().div_(255)


def normalise(video: Tensor) -> Tensor:
    """ImageNet-normalise a video (B, 3, T, H, W) in [0, 1]."""
    mean, std = (
        _channels(values, video.device) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)
    )
    return (video - mean).div_(std)


def _channels(values: Iterable[float], device: torch.device) -> Tensor:
    """A value of each channel, filled in where the video is: the host would wait for a copy."""
    filled = [torch.full((1,), value, device=device) for value in values]
    return torch.cat(filled).view(1, -1, 1, 1, 1)


class Reconstruction:
    """Mean squared error of the masked, normalised patches (paper eq. 10 and 11).

    Args:
        model: the masked autoencoder.
        mask_ratio: share of the tokens that the encoder does not see.
        target_fraction: share of those that is decoded and scored.
    """

    def __init__(self, model: Autoencoder, mask_ratio: float, target_fraction: float = 1) -> None:
        self.model, self.mask_ratio, self.target_fraction = model, mask_ratio, target_fraction

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Hide a random tube of the batch and score what the model makes of it."""
        encoder, config = self.model.encoder, self.model.encoder.config
        video = unit_range(batch.video)
        visible, masked = tube_sites(
            len(video), encoder.slices, encoder.sites, self.mask_ratio, device=video.device
        )
        chosen = target_sites(masked, self.target_fraction)
        target = reconstruction_target(video, chosen, config.tubelet, config.patch_size)
        return F.mse_loss(forward(normalise(video), visible, chosen).float(), target)


class Classification:
    """Cross-entropy with label smoothing, mixup, cutmix and random erasing (paper eq. 12).

    Args:
        model: the classifier.
        config: what is mixed, smoothed and erased.
        weights: (classes,) how much each class weighs; None lets all clips weigh alike.
    """

    def __init__(
        self, model: VideoModel, config: FinetuneConfig, weights: Tensor | None = None
    ) -> None:
        self.model, self.classes, self.weights = model, model.num_classes, weights
        self.erase = RandomErasing(config.erasing, mode="pixel", device="cpu")
        self.smoothing, self.mixed = config.label_smoothing, config.mixup > 0 or config.cutmix > 0
        self.mix = Mixup(
            mixup_alpha=config.mixup,
            cutmix_alpha=config.cutmix,
            label_smoothing=self.smoothing,
            num_classes=self.classes,
        )
        self.cross_entropy = SoftTargetCrossEntropy()

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Augment and classify a batch."""
        video = normalise(unit_range(batch.video))
        flat = video.flatten(1, 2)  # frames as channels: one box for the whole clip
        self.erase.device = str(video.device)
        for clip in flat:
            self.erase(clip)  # in place
        flat, soft = self._mix(flat, batch.target[:, 0].long())
        logits = forward(flat.unflatten(1, (3, -1))).float()
        if self.weights is not None:
            self.weights = self.weights.to(logits.device)
            return F.cross_entropy(logits, soft, weight=self.weights)
        out: Tensor = self.cross_entropy(logits, soft)
        return out

    def _mix(self, flat: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Clips mixed in pairs, if they are, and the share of each class in them, smoothed."""
        if not self.mixed:
            return flat, mixup_target(labels, self.classes, smoothing=self.smoothing)
        if len(labels) % 2:  # an odd clip is seen twice
            flat, labels = torch.cat((flat, flat[:1])), torch.cat((labels, labels[:1]))
        mixed: tuple[Tensor, Tensor] = self.mix(flat, labels)
        return mixed

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """Class probabilities."""
        return output.float().softmax(dim=1)


class Regression:
    """Mean squared error of all targets (paper eq. 13)."""

    def __init__(self, model: VideoModel) -> None:
        self.model = model

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Regress the targets of a batch."""
        video = normalise(unit_range(batch.video))
        return F.mse_loss(forward(video).float(), batch.target)

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """The regressed values."""
        return output.float()
