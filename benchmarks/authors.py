"""How the paper's authors load a clip for pre-training: decord, Pillow, normalised floats.

Written from what their loader does. Theirs itself is run from a checkout of their repository, with
stand-ins for what has since left NumPy and PyTorch.
"""

import sys
import types
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import decord
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from svfap.augment.crop_box import multi_scale_crop
from svfap.video.sampling import pretrain_indices

SHOWN, STRIDE, SIDE = 16, 4, 160
CUT = (32, 0, 192, 160)  # left, top, right, bottom of a VoxCeleb2 frame of 224 x 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(video: Path, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Sixteen frames of one random crop, (T, 160, 160, 3)."""
    reader = decord.VideoReader(str(video), num_threads=1)
    frames = reader.get_batch(pretrain_indices(len(reader), SHOWN, STRIDE, rng)).asnumpy()
    top, left, height, width, _ = multi_scale_crop(SIDE, SIDE, rng, min_side=0.66)
    box = (left, top, left + width, top + height)
    cut = (Image.fromarray(frame).crop(CUT).crop(box) for frame in frames)
    return np.stack(
        [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image in cut]
    )


def clip(video: Path, rng: np.random.Generator) -> torch.Tensor:
    """The same as normalised floats (3, T, 160, 160)."""
    stacked = torch.from_numpy(np.concatenate([*pictures(video, rng)], axis=2))
    planes = stacked.permute(2, 0, 1).contiguous().float().div(255)
    for number, plane in enumerate(planes):
        plane.sub_(MEAN[number % 3]).div_(STD[number % 3])
    return planes.view(SHOWN, 3, SIDE, SIDE).transpose(0, 1)


def theirs(repository: Path, video: Path, folder: Path) -> Callable[[], Any]:
    """Their own data set, showing one video.

    Raises:
        SystemExit: the folder is no checkout of their repository.
    """
    if not (repository / "kinetics.py").is_file():
        raise SystemExit(f"{repository}: no checkout of the authors' repository")
    for name, value in (("torch._six", "inf"), ("numpy.lib.function_base", "disp")):
        module = types.ModuleType(name)
        setattr(module, value, float("inf"))
        sys.modules.setdefault(name, module)
    sys.path.insert(0, str(repository))
    from datasets import build_pretraining_dataset  # type: ignore[import-not-found]

    listing = folder / "voxceleb2.csv"
    listing.write_text(f"{video} 0\n")
    settings = Namespace(
        input_size=SIDE, mask_type="tube", window_size=(8, 10, 10), mask_ratio=0.9,
        data_path=str(listing), num_frames=SHOWN, sampling_rate=STRIDE, num_samples=1,
        model=f"pretrain_svfap_base_patch16_{SIDE}",
    )  # fmt: skip
    dataset = build_pretraining_dataset(settings)
    return lambda: dataset[0]
