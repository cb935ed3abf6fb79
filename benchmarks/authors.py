"""The authors' way to load a clip for pre-training: decord, Pillow, normalised floats.

`pictures` and `clip` do the same work as the authors' loader. `their_loader` runs the authors' own
code from a checkout of their repository, with stand-ins for names that NumPy and PyTorch have
since removed.
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

FRAMES, STRIDE, SIDE = 16, 4, 160  # settings of the paper's pre-training
# The part of a VoxCeleb2 frame of 224 x 224 that the authors keep: left, top, right, bottom.
CUT = (32, 0, 192, 160)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(video: Path, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return 16 frames of one random crop, (T, 160, 160, 3)."""
    reader = decord.VideoReader(str(video), num_threads=1)
    frames = reader.get_batch(pretrain_indices(len(reader), FRAMES, STRIDE, rng)).asnumpy()
    top, left, height, width, _ = multi_scale_crop(SIDE, SIDE, rng, min_side=0.66)
    box = (left, top, left + width, top + height)
    cut = (Image.fromarray(frame).crop(CUT).crop(box) for frame in frames)
    return np.stack(
        [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image in cut]
    )


def clip(video: Path, rng: np.random.Generator) -> torch.Tensor:
    """Return 16 frames of one random crop as normalised floats (3, T, 160, 160)."""
    stacked = torch.from_numpy(np.concatenate([*pictures(video, rng)], axis=2))
    planes = stacked.permute(2, 0, 1).contiguous().float().div(255)
    for number, plane in enumerate(planes):
        plane.sub_(MEAN[number % 3]).div_(STD[number % 3])
    return planes.view(FRAMES, 3, SIDE, SIDE).transpose(0, 1)


def their_loader(repository: Path, video: Path, folder: Path) -> Callable[[], Any]:
    """Return a function that loads a clip of one video with the authors' own data set.

    Raises:
        SystemExit: the folder is not a checkout of the authors' repository.
    """
    if not (repository / "kinetics.py").is_file():
        raise SystemExit(f"{repository}: no checkout of the authors' repository; clone it there")
    for name, value in (("torch._six", "inf"), ("numpy.lib.function_base", "disp")):
        module = types.ModuleType(name)
        setattr(module, value, float("inf"))
        sys.modules.setdefault(name, module)
    sys.path.insert(0, str(repository))
    from datasets import build_pretraining_dataset  # type: ignore[import-not-found]

    listing = folder / "voxceleb2.csv"
    listing.write_text(f"{video} 0\n")
    settings = Namespace(
        input_size=SIDE,
        mask_type="tube",
        window_size=(8, 10, 10),
        mask_ratio=0.9,
        data_path=str(listing),
        num_frames=FRAMES,
        sampling_rate=STRIDE,
        num_samples=1,
        model=f"pretrain_svfap_base_patch16_{SIDE}",
    )
    dataset = build_pretraining_dataset(settings)
    return lambda: dataset[0]
