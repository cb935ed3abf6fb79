"""A masked autoencoder at work: pictures of clips that it completes, and how well it does so."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from svfap.config import ModelConfig
from svfap.models import Autoencoder, reconstruction_target
from svfap.models.autoencoder import TARGET_EPS, patch_pixels
from svfap.models.masking import tube_sites
from svfap.models.tokens import take_sites
from svfap.training.distributed import device
from svfap.training.objectives import normalise, unit_range

GREY = 0.5  # grey level of a hidden patch in the picture of the masked input


class Reconstructions(NamedTuple):
    """Completed clips, and how close the completed patches are to the true ones.

    Attributes:
        rows: "input", "masked", "output" and "mean face" -> videos (B, T, H, W, 3) in [0, 1]. The
            mean face completes the clips as well, by the mean of other clips at the same places.
        r2: share of the variance within hidden patches that the model explains.
        mean_face_r2: the share that the mean face explains.
    """

    rows: dict[str, NDArray[np.float32]]
    r2: float
    mean_face_r2: float


def unpatch(pixels: Tensor, *, slices: int, tubelet: int, patch: int) -> Tensor:
    """Undo `patch_pixels`: turn (B, N, tubelet * patch**2, 3) into a video (B, 3, T, H, W)."""
    b, n = pixels.shape[:2]
    side = round((n // slices) ** 0.5)
    x = pixels.reshape(b, slices, side, side, tubelet, patch, patch, 3)
    return x.permute(0, 7, 1, 4, 2, 5, 3, 6).reshape(
        b, 3, slices * tubelet, side * patch, side * patch
    )


def mean_face(config: ModelConfig, frames: NDArray[np.uint8]) -> Tensor:
    """Return the mean of clips (B, T, H, W, 3), as normalised patches (T', S, values)."""
    slices = config.num_frames // config.tubelet
    video = unit_range(torch.from_numpy(frames))
    sites = torch.arange((config.image_size // config.patch_size) ** 2)
    every = sites.expand(len(video), slices, -1)
    patches = reconstruction_target(video, every, config.tubelet, config.patch_size)
    mean: Tensor = patches.unflatten(1, (slices, -1)).mean(dim=0)
    return mean


@torch.no_grad()
def reconstruct_clips(
    model: Autoencoder, frames: NDArray[np.uint8], mean: Tensor, *, mask_ratio: float
) -> Reconstructions:
    """Hide random tubes of some clips and complete them.

    Args:
        model: a masked autoencoder.
        frames: (B, T, H, W, 3) RGB uint8.
        mean: the mean face, from `mean_face`.
        mask_ratio: share of hidden tokens.
    """
    encoder, config = model.to(device()).eval().encoder, model.encoder.config
    video = unit_range(torch.from_numpy(frames)).to(device())
    draws = torch.rand(len(video), encoder.sites, device=video.device)
    visible, hidden = tube_sites(draws, encoder.slices, mask_ratio)
    target = reconstruction_target(video, hidden, config.tubelet, config.patch_size)
    predicted = model(normalise(video), visible, hidden).float()
    expected = take_sites(mean.to(video.device).expand(len(video), -1, -1, -1), hidden).flatten(
        1, 2
    )
    videos = {
        "input": video,
        "masked": completed(video, hidden, None, config),
        "output": completed(video, hidden, predicted, config),
        "mean face": completed(video, hidden, expected, config),
    }
    return Reconstructions(
        {label: row.permute(0, 2, 3, 4, 1).cpu().numpy() for label, row in videos.items()},
        _r2(predicted, target),
        _r2(expected, target),
    )


def completed(video: Tensor, hidden: Tensor, patches: Tensor | None, config: ModelConfig) -> Tensor:
    """Return a video whose hidden patches are replaced.

    Args:
        video: (B, 3, T, H, W) in [0, 1].
        hidden: (B, T', S_hidden) hidden sites of each slice.
        patches: (B, T' * S_hidden, values) normalised patches. They are scaled by the mean and the
            standard deviation of the true patches, as usual for such pictures. None for grey.
        config: sizes of the patches.
    """
    slices = hidden.shape[1]
    pixels = patch_pixels(video, config.tubelet, config.patch_size).unflatten(1, (slices, -1))
    chosen = hidden[..., None, None].expand(-1, -1, -1, *pixels.shape[3:])
    true = pixels.gather(2, chosen)
    if patches is None:
        new = torch.full_like(true, GREY)
    else:
        mean, spread = true.mean(dim=3, keepdim=True), true.std(dim=3, keepdim=True) + TARGET_EPS
        new = patches.reshape(true.shape) * spread + mean
    return unpatch(
        pixels.scatter(2, chosen, new).flatten(1, 2),
        slices=slices,
        tubelet=config.tubelet,
        patch=config.patch_size,
    ).clamp(0, 1)


def _r2(patches: Tensor, target: Tensor) -> float:
    """Return the share of the variance of normalised patches that a prediction explains."""
    return float(1 - (patches - target).square().sum() / target.square().sum())


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
