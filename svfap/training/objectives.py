"""Training objectives: the loss of a batch, and the scores of a model's output."""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svfap.augment.erase import draw_erasure, erase
from svfap.augment.mix import blend, draw_blend, mix_clips, partners
from svfap.config import FinetuneConfig
from svfap.models import Autoencoder, VideoModel, reconstruction_target
from svfap.models.layers import BRANCHES
from svfap.models.masking import target_sites, tube_sites
from svfap.training.batch import Batch

Forward = Callable[..., Tensor]

# Mean and deviation of ImageNet's red, green and blue, for values in [0, 1], as in torchvision.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Objective(Protocol):
    """A model with the loss that it is trained on."""

    @property
    def model(self) -> nn.Module:
        """The model to train."""
        ...

    @property
    def network(self) -> nn.Module:
        """What a batch runs through: the model, perhaps with its loss; this is compiled."""
        ...

    @property
    def block(self) -> int:
        """Number of successive crops that the loss mixes; a batch has whole blocks of a step."""
        ...

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Random numbers come from torch's global generators, and every batch of a step draws the
        same ones: use `Batch.rand` for numbers of each crop.

        Args:
            forward: `network`, perhaps compiled or wrapped for several processes.
            batch: clips on the model's device.
        """
        ...


def unit_range(video: Tensor) -> Tensor:
    """Convert frames (B, T, H, W, 3) uint8 to a video (B, 3, T, H, W) in [0, 1]."""
    frames = video.permute(0, 4, 1, 2, 3).contiguous()
    # torch 2.6 cannot export a division in place of what `float()` returns.
    return torch.empty_like(frames, dtype=torch.float32).copy_(frames).div_(255)


def normalise(video: Tensor) -> Tensor:
    """Normalise a video (B, 3, T, H, W) in [0, 1] with ImageNet's mean and deviation."""
    mean = _per_channel(IMAGENET_MEAN, video.device)
    std = _per_channel(IMAGENET_STD, video.device)
    return (video - mean).div_(std)


def _per_channel(values: Iterable[float], device: torch.device) -> Tensor:
    """Return a tensor with one value per channel, (1, 3, 1, 1, 1)."""
    # Fill the tensor on the device: the host would wait for a copy of torch.tensor(values).
    filled = [torch.full((1,), value, dtype=torch.float32, device=device) for value in values]
    return torch.cat(filled).view(1, -1, 1, 1, 1)


def path_draws(model: VideoModel, batch: Batch) -> Tensor | None:
    """Draw the numbers for stochastic depth, (B, blocks, BRANCHES); None if the model has none."""
    if not model.encoder.drop_path:
        return None
    return batch.rand(len(model.encoder.blocks), BRANCHES)


def soft_labels(target: Tensor, classes: int, smoothing: float) -> Tensor:
    """Return smoothed one-hot labels (B, classes) of targets (B, 1)."""
    # F.one_hot would make the host wait for the device.
    hot = target == torch.arange(classes, device=target.device)
    return hot * (1 - smoothing) + smoothing / classes


class ReconstructionError(nn.Module):
    """A masked autoencoder and its error on frames as bytes.

    On a GPU, operations on whole videos take as long as the memory takes to move them. As one
    module, the compiler fuses them: the bytes are read once, and only targets are written.

    Args:
        model: the masked autoencoder.
    """

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, visible: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error of the predicted patches, a scalar.

        Args:
            frames: (B, T, H, W, 3) uint8.
            visible: (B, T', S_visible) sites of each slice that the encoder sees.
            targets: (B, T', S_target) sites to predict.
        """
        config, video = self.model.encoder.config, unit_range(frames)
        target = reconstruction_target(video, targets, config.tubelet, config.patch_size)
        return F.mse_loss(self.model(normalise(video), visible, targets).float(), target)


class Reconstruction:
    """Mean squared error of the masked, normalised patches (paper eq. 10 and 11).

    Args:
        model: the masked autoencoder.
        mask_ratio: share of the tokens that is hidden from the encoder.
        target_fraction: share of the hidden tokens that is decoded and scored.
    """

    block = 1

    def __init__(self, model: Autoencoder, mask_ratio: float, target_fraction: float = 1) -> None:
        self.model, self.mask_ratio, self.target_fraction = model, mask_ratio, target_fraction
        self.network = ReconstructionError(model)

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Hide random tubes of the batch and return the error of their reconstruction."""
        encoder = self.model.encoder
        visible, masked = tube_sites(batch.rand(encoder.sites), encoder.slices, self.mask_ratio)
        chosen = target_sites(masked, batch.rand(*masked.shape[1:]), self.target_fraction)
        return forward(batch.video, visible, chosen)


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
        self.model = self.network = model
        self.config, self.weights = config, weights
        self.mixed = config.mixup > 0 or config.cutmix > 0
        # Blocks of two clips' crops: half a block on, there is a crop of another clip.
        self.block = 2 * config.optim.repeats if self.mixed else 1

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Augment the batch and return the cross-entropy of its classification."""
        video = normalise(unit_range(batch.video))
        flat = video.flatten(1, 2)  # frames become channels, so that they all share one box
        seed = int(torch.randint(2**62, ()))  # on the CPU, so that the host need not wait
        self._erase(flat, batch, seed)
        soft = soft_labels(batch.target, self.model.num_classes, self.config.label_smoothing)
        flat, soft = self._mix(flat, soft, seed)
        draws = path_draws(self.model, batch)
        logits = forward(flat.unflatten(1, (3, -1)), draws).float()
        # non_blocking: the host must not wait for the device here.
        weights = (
            None if self.weights is None else self.weights.to(logits.device, non_blocking=True)
        )
        return F.cross_entropy(logits, soft, weight=weights)

    def _erase(self, flat: Tensor, batch: Batch, seed: int) -> None:
        """Erase a box of some clips (B, C, H, W) in place."""
        if not self.config.erasing:
            return
        size = flat.shape[2], flat.shape[3]
        for number, clip in enumerate(flat, batch.first - batch.step_first):
            rng = np.random.default_rng((seed, number))  # of this crop alone
            box = draw_erasure(self.config.erasing, size, rng)
            if box is not None:
                erase(clip, box)

    def _mix(self, flat: Tensor, soft: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Apply mixup or cutmix to clips (B, C, H, W) and soft labels, if configured."""
        if not self.mixed:
            return flat, soft
        size, rng = (flat.shape[2], flat.shape[3]), np.random.default_rng(seed)
        how = draw_blend(self.config.mixup, self.config.cutmix, size, rng)
        partner = partners(len(flat), self.block, flat.device)
        return mix_clips(flat, partner, how), blend(soft, partner, how.share)

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """Return class probabilities."""
        return output.float().softmax(dim=1)


class Regression:
    """Mean squared error over all targets (paper eq. 13)."""

    block = 1

    def __init__(self, model: VideoModel) -> None:
        self.model = self.network = model

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the mean squared error of the targets of a batch."""
        video = normalise(unit_range(batch.video))
        return F.mse_loss(forward(video, path_draws(self.model, batch)).float(), batch.target)

    @staticmethod
    def scores(output: Tensor) -> Tensor:
        """Return the predicted values."""
        return output.float()
