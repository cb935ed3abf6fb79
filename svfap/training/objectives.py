"""Training objectives: the loss of a batch, and the scores of a model's output."""

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
    """A model with the loss that it is trained on."""

    @property
    def model(self) -> nn.Module:
        """The model to train."""
        ...

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Args:
            forward: the model, perhaps compiled or wrapped for several processes.
            batch: clips on the model's device.
        """
        ...


def unit_range(video: Tensor) -> Tensor:
    """Convert frames (B, T, H, W, 3) uint8 to a video (B, 3, T, H, W) in [0, 1]."""
    return video.permute(0, 4, 1, 2, 3).contiguous().float().div_(255)


def normalise(video: Tensor) -> Tensor:
    """Normalise a video (B, 3, T, H, W) in [0, 1] with ImageNet's mean and deviation."""
    mean = _per_channel(IMAGENET_DEFAULT_MEAN, video.device)
    std = _per_channel(IMAGENET_DEFAULT_STD, video.device)
    return (video - mean).div_(std)


def _per_channel(values: Iterable[float], device: torch.device) -> Tensor:
    """Return a tensor with one value per channel, (1, 3, 1, 1, 1)."""
    # Fill the tensor on the device: the host would wait for a copy of torch.tensor(values).
    filled = [torch.full((1,), value, device=device) for value in values]
    return torch.cat(filled).view(1, -1, 1, 1, 1)


class Reconstruction:
    """Mean squared error of the masked, normalised patches (paper eq. 10 and 11).

    Args:
        model: the masked autoencoder.
        mask_ratio: share of the tokens that is hidden from the encoder.
        target_fraction: share of the hidden tokens that is decoded and scored.
    """

    def __init__(self, model: Autoencoder, mask_ratio: float, target_fraction: float = 1) -> None:
        self.model, self.mask_ratio, self.target_fraction = model, mask_ratio, target_fraction

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Hide random tubes of the batch and return the error of their reconstruction."""
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
        config: strengths of mixup, cutmix, smoothing and erasing.
        weights: weight of each class in the loss, (classes,); None for equal weights.
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
        """Augment the batch and return the cross-entropy of its classification."""
        video = normalise(unit_range(batch.video))
        flat = video.flatten(1, 2)  # frames become channels, so that they all share one box
        self.erase.device = str(video.device)  # timm draws the noise there
        for clip in flat:
            self.erase(clip)  # in place
        flat, soft = self._mix(flat, batch.target[:, 0].long())
        logits = forward(flat.unflatten(1, (3, -1))).float()
        if self.weights is not None:
            # non_blocking: the host must not wait for the device here.
            weights = self.weights.to(logits.device, non_blocking=True)
            return F.cross_entropy(logits, soft, weight=weights)
        out: Tensor = self.cross_entropy(logits, soft)
        return out

    def _mix(self, flat: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Apply mixup or cutmix if configured; return the clips and their soft labels."""
        if not self.mixed:
            return flat, mixup_target(labels, self.classes, smoothing=self.smoothing)
        if len(labels) % 2:  # timm mixes pairs and refuses an odd batch: repeat the first clip
            flat, labels = torch.cat((flat, flat[:1])), torch.cat((labels, labels[:1]))
        mixed: tuple[Tensor, Tensor] = self.mix(flat, labels)
        return mixed

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """Return class probabilities."""
        return output.float().softmax(dim=1)


class Regression:
    """Mean squared error over all targets (paper eq. 13)."""

    def __init__(self, model: VideoModel) -> None:
        self.model = model

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the mean squared error of the targets of a batch."""
        video = normalise(unit_range(batch.video))
        return F.mse_loss(forward(video).float(), batch.target)

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """Return the predicted values."""
        return output.float()
