"""Pictures of a masked autoencoder at work: input, masked input and reconstruction."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.models import Autoencoder
from svfap.models.autoencoder import TARGET_EPS, patch_pixels
from svfap.models.masking import tube_sites
from svfap.training.distributed import device
from svfap.training.objectives import normalise, unit_range

GREY = 0.5  # grey level of a hidden patch in the picture of the masked input


def unpatch(pixels: Tensor, *, slices: int, tubelet: int, patch: int) -> Tensor:
    """Undo `patch_pixels`: turn (B, N, tubelet * patch**2, 3) into a video (B, 3, T, H, W)."""
    b, n = pixels.shape[:2]
    side = round((n // slices) ** 0.5)
    x = pixels.reshape(b, slices, side, side, tubelet, patch, patch, 3)
    return x.permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(
        b, 3, slices * tubelet, side * patch, side * patch
    )


@torch.no_grad()
def reconstruct(model: Autoencoder, video: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the masked video and the model's completion of it.

    Args:
        model: a masked autoencoder.
        video: (B, 3, T, H, W) in [0, 1].
        mask: (B, N) boolean, True = masked.

    Returns:
        Two videos of the shape of `video`. The model predicts normalised patches; they are scaled
        back with the mean and standard deviation of the true patches, as usual for such pictures.
    """
    config = model.encoder.config
    predicted = model.predict(normalise(video), mask).float()
    pixels = patch_pixels(video, config.tubelet, config.patch_size)
    mean, spread = pixels.mean(dim=2, keepdim=True), pixels.std(dim=2, keepdim=True) + TARGET_EPS
    completed, hidden = pixels.clone(), pixels.clone()
    hidden[mask] = GREY
    patches = predicted.flatten(0, 1).unflatten(-1, (-1, 3))
    completed[mask] = patches * spread[mask] + mean[mask]
    slices, tubelet, patch = model.encoder.slices, config.tubelet, config.patch_size
    masked, output = (
        unpatch(p, slices=slices, tubelet=tubelet, patch=patch) for p in (hidden, completed)
    )
    return masked, output.clamp(0, 1)


def reconstruct_clips(
    model: Autoencoder, frames: NDArray[np.uint8], *, mask_ratio: float
) -> dict[str, NDArray[np.float32]]:
    """Hide random tubes of some clips and reconstruct them.

    Args:
        model: a masked autoencoder.
        frames: (B, T, H, W, 3) RGB uint8.
        mask_ratio: share of hidden tokens.

    Returns:
        "input", "masked" and "output" -> videos (B, T, H, W, 3) in [0, 1].
    """
    model.to(device()).eval()
    video = unit_range(torch.from_numpy(frames)).to(device())
    grid = model.encoder.slices, model.encoder.sites
    draws = torch.rand(len(video), model.encoder.sites, device=video.device)
    visible, _ = tube_sites(draws, model.encoder.slices, mask_ratio)
    mask = torch.ones(len(video), *grid, dtype=torch.bool, device=video.device)
    masked, output = reconstruct(model, video, mask.scatter(2, visible, False).flatten(1))
    rows = {"input": video, "masked": masked, "output": output}
    return {label: row.permute(0, 2, 3, 4, 1).cpu().numpy() for label, row in rows.items()}


def strips(
    rows: Mapping[str, NDArray[np.float32]], *, columns: int = 4
) -> dict[str, NDArray[np.float32]]:
    """Put a few frames of each clip, evenly spaced, side by side: (B, H, columns * W, 3)."""
    return {
        label: np.concatenate(
            [row[:, t] for t in np.linspace(0, row.shape[1] - 1, columns).round().astype(int)],
            axis=2,
        )
        for label, row in rows.items()
    }


def montage(rows: Mapping[str, NDArray[np.float32]], *, loops: int = 4) -> list[NDArray[np.uint8]]:
    """Arrange clips as one video: a column per clip, a row per label, played `loops` times."""
    columns = [np.concatenate(list(row), axis=2) for row in rows.values()]
    frames = (255 * np.concatenate(columns, axis=1)).round().astype(np.uint8)
    # H.264 with chroma subsampling (yuv420p) needs even sides.
    height, width = (side - side % 2 for side in frames.shape[1:3])
    return list(frames[:, :height, :width]) * loops
