"""Part `agree`: loss and gradients of the same batch, on this device and in float32 on the CPU."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.shards import draws
from benchmarks.ours import CLASSES, MASK_RATIO, UNMIXED
from svfap.models import Autoencoder, VideoModel, reconstruction_target
from svfap.models.masking import tube_sites
from svfap.training.batch import Batch
from svfap.training.distributed import device
from svfap.training.objectives import Classification, normalise, unit_range
from svfap.training.step import seed_everything

CPU = torch.device("cpu")
Loss = Callable[[nn.Module, Tensor], Tensor]  # of a model and frames (B, T, H, W, 3) uint8


class Precision(NamedTuple):
    """How matrix products are computed.

    Attributes:
        name: name in the results.
        dtype: type of the products; None for float32.
        tf32: whether float32 products may round their inputs to 10 bits.
        loss_tolerance: largest relative error of the loss.
        gradient_tolerance: largest relative error of the gradient of all weights.
    """

    name: str
    dtype: torch.dtype | None
    tf32: bool
    loss_tolerance: float
    gradient_tolerance: float


# Rounding changes a value by up to 6e-8 of it in float32, 5e-4 in TF32 and 4e-3 in bfloat16. On a
# CPU, bfloat16 changed the gradient by 0.006 to 0.0085. A wrong kernel changes it by about 1.
PRECISIONS = (
    Precision("float32", None, False, 1e-5, 1e-3),
    Precision("float32 with TF32", None, True, 1e-4, 1e-2),
    Precision("bfloat16", torch.bfloat16, False, 1e-3, 5e-2),
)


def measure(setting: Setting) -> Iterator[Row]:
    """Compare crops, and then losses and gradients of both models."""
    sizes = setting.sizes
    batch = draws(setting, "jpeg").batch(range(sizes.agreement))
    yield _crops(batch)
    frames = batch.prepared(CPU).video
    seed_everything(0)
    models: dict[str, tuple[nn.Module, Loss]] = {
        "pretrain": (Autoencoder(sizes.model), _reconstruction(setting)),
        "finetune": (VideoModel(sizes.model, CLASSES), _classification),
    }
    for task, (model, loss_of) in models.items():
        expected = _gradients(model, loss_of, frames, CPU, PRECISIONS[0])
        for precision in PRECISIONS:
            got = _gradients(model, loss_of, frames, device(), precision)
            yield {"name": f"{task}, {precision.name}"} | _compare(got, expected, precision)


def _crops(batch: Batch) -> Row:
    """Compare the batch's crops as cut on the CPU and on this device."""
    here, there = (batch.prepared(where).video.cpu().int() for where in (CPU, device()))
    largest = int((here - there).abs().max())
    # Resampling may round a value to either side; more than one level is an error.
    return {"name": "crops, levels of 255", "largest_difference": largest, "passed": largest <= 1}


def _reconstruction(setting: Setting) -> Loss:
    """Return the loss of pre-training with one mask, drawn on the CPU for all devices."""
    config, clips = setting.sizes.model, setting.sizes.agreement
    slices, side = config.num_frames // config.tubelet, config.image_size // config.patch_size
    sites = tube_sites(torch.rand(clips, side**2), slices, MASK_RATIO)

    def loss(model: nn.Module, frames: Tensor) -> Tensor:
        video = unit_range(frames)
        visible, masked = (part.to(frames.device) for part in sites)
        target = reconstruction_target(video, masked, config.tubelet, config.patch_size)
        return F.mse_loss(model(normalise(video), visible, masked).float(), target)

    return loss


def _classification(model: nn.Module, frames: Tensor) -> Tensor:
    """Return the loss of fine-tuning without augmentation."""
    assert isinstance(model, VideoModel)
    labels = torch.arange(len(frames), device=frames.device)[:, None] % CLASSES
    return Classification(model, UNMIXED).loss(model, Batch(frames, labels.float()))


def _gradients(
    model: nn.Module, loss_of: Loss, frames: Tensor, where: torch.device, precision: Precision
) -> tuple[float, dict[str, Tensor]]:
    """Return the loss, and the gradient of every weight on the CPU."""
    torch.set_float32_matmul_precision("high" if precision.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = precision.tf32
    model.to(where).zero_grad()
    enabled = precision.dtype is not None
    with torch.autocast(where.type, precision.dtype or torch.bfloat16, enabled=enabled):
        loss = loss_of(model, frames.to(where))
    loss.backward()
    found = {n: p.grad.cpu().double() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return loss.item(), found


def _compare(
    got: tuple[float, Mapping[str, Tensor]],
    expected: tuple[float, Mapping[str, Tensor]],
    precision: Precision,
) -> Row:
    """Return relative errors of loss and gradient, and whether both are within tolerance."""
    (loss, gradients), (true_loss, true) = got, expected
    assert gradients.keys() == true.keys()
    errors = {name: float((gradients[name] - true[name]).norm()) for name in true}
    size = float(torch.stack([gradient.norm() for gradient in true.values()]).norm())
    loss_error = abs(loss - true_loss) / abs(true_loss)
    gradient_error = sum(error**2 for error in errors.values()) ** 0.5 / size
    return {
        "loss_error": loss_error,
        "loss_tolerance": precision.loss_tolerance,
        "gradient_error": gradient_error,
        "gradient_tolerance": precision.gradient_tolerance,
        "worst_weight": max(errors, key=lambda name: errors[name]),
        "passed": loss_error <= precision.loss_tolerance
        and gradient_error <= precision.gradient_tolerance,
    }
