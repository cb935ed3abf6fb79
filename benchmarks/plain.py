"""Train the usual way, as a baseline: read JPEG files of frames with PIL, and loop over batches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as pictures

from svfap.config.stage_sections import FinetuneJob
from svfap.models import VideoModel
from svfap.video.sampling import Indices, evaluation_indices, finetune_indices


class FrameFolders(Dataset[tuple[Tensor, int]]):
    """Clips in folders of JPEGs; all frames of a clip get the same random crop and flip."""

    def __init__(self, clips: Sequence[tuple[Path, int]], job: FinetuneJob) -> None:
        self.clips, self.job = clips, job
        self.frames = [sorted(folder.iterdir()) for folder, _ in clips]
        self.rng = np.random.default_rng(job.seed)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, clip: int) -> tuple[Tensor, int]:
        job, size = self.job, self.job.model.image_size
        indices = finetune_indices(
            len(self.frames[clip]), job.model.num_frames, job.stride, self.rng
        )
        images = self._open(clip, indices)
        area = (job.finetune.min_crop, 1.0)
        box = RandomResizedCrop.get_params(images[0], list(area), [3 / 4, 4 / 3])
        flip = self.rng.random() < job.finetune.flip
        cropped = [pictures.resized_crop(image, *box, [size, size]) for image in images]
        flipped = [pictures.hflip(image) for image in cropped] if flip else cropped
        return _tensor(flipped), self.clips[clip][1]

    def views(self, clip: int) -> Tensor:
        """Return the test clips of a video, (views, 3, T, H, W)."""
        job, size = self.job, self.job.model.image_size
        chosen = evaluation_indices(
            len(self.frames[clip]), job.model.num_frames, job.stride, job.finetune.views
        )
        return torch.stack(
            [_tensor([i.resize((size, size)) for i in self._open(clip, view)]) for view in chosen]
        )

    def _open(self, clip: int, indices: Indices) -> list[Image.Image]:
        return [Image.open(self.frames[clip][index]).convert("RGB") for index in indices]


def _tensor(frames: Sequence[Image.Image | Tensor]) -> Tensor:
    """Return frames as one normalised tensor (3, T, H, W)."""
    mean, std = list(IMAGENET_DEFAULT_MEAN), list(IMAGENET_DEFAULT_STD)
    planes = [pictures.normalize(pictures.to_tensor(frame), mean, std) for frame in frames]
    return torch.stack(planes, dim=1)


def train(clips: FrameFolders, job: FinetuneJob) -> VideoModel:
    """Train a model for the job's epochs."""
    torch.manual_seed(job.seed)
    optim = job.finetune.optim
    model = VideoModel(job.model, len(job.targets))
    optimizer = torch.optim.AdamW(model.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)
    loader = DataLoader(clips, batch_size=optim.batch_size, shuffle=True)
    for _ in range(optim.epochs):
        for video, label in loader:
            loss = F.cross_entropy(model(video), label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


@torch.inference_mode()
def score(model: VideoModel, clips: FrameFolders, job: FinetuneJob) -> Tensor:
    """Return the mean probabilities of each video over its views, (videos, classes)."""
    model.eval()
    scores = [model(clips.views(clip)).softmax(dim=1).mean(dim=0) for clip in range(len(clips))]
    return torch.stack(scores)
