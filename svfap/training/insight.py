"""What a fine-tuned model makes of faces: a map of its embeddings, and where its tokens look."""

import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from svfap.config.stage_sections import FinetuneJob
from svfap.models import VideoModel
from svfap.models.layers import Attention, CrossBlock
from svfap.shards.store import ClipStore
from svfap.training.objectives import normalise, unit_range
from svfap.video.resize import resize
from svfap.video.sampling import view_indices

MAP_CLIPS = 2000
BATCH = 16
SHADE = 0.65


@torch.inference_mode()
def embeddings(
    model: VideoModel, store: ClipStore, job: FinetuneJob
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (n, C) and targets (n, d) of at most `MAP_CLIPS` clips, spread over the store."""
    model.eval()
    count = min(len(store), MAP_CLIPS)
    clips = np.linspace(0, len(store) - 1, count).round().astype(int)
    features = [
        model.forward_features(normalise(unit_range(_videos(model, store, job, part))))
        .cpu()
        .numpy()
        for part in np.array_split(clips, -(-count // BATCH))
    ]
    return np.concatenate(features), store.targets[clips]


def neighbourhoods(features: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float32]:
    """A map (n, 2) by t-SNE on which clips with similar features lie close together."""
    from sklearn.manifold import TSNE

    if len(features) < 4:
        return np.zeros((len(features), 2), np.float32)
    perplexity = min(30.0, (len(features) - 1) / 3)
    points: NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", random_state=seed
    ).fit_transform(features)
    return points


@torch.inference_mode()
def attention_maps(model: VideoModel, video: Tensor) -> dict[str, Tensor]:
    """Where and when each stage looks.

    In a stage with bottleneck tokens it is where these gather from in their last block: the mean
    over heads and tokens. In others it is the self-attention of the last block.

    Args:
        model: in evaluation mode.
        video: (B, 3, T, H, W), normalised.

    Returns:
        Stage -> shares (B, T', side, side) that sum to 1 for each clip.
    """
    seen: dict[str, Tensor] = {}
    encoder = model.encoder
    hooks, start = [], 0
    for stage, depth in enumerate(encoder.config.depths, 1):
        blocks = [encoder.blocks[number] for number in range(start, start + depth)]
        start += depth
        looks = blocks[:-1] if isinstance(blocks[-1], CrossBlock) else blocks
        if looks and stage > 1:
            last = looks[-1]
            part = last.cross if isinstance(last, CrossBlock) else last.get_submodule("attn")
            hooks.append(_watch(part, f"stage {stage}", seen))
    model(video)
    for hook in hooks:
        hook.remove()
    side = round(encoder.sites**0.5)
    return {name: shares.unflatten(1, (-1, side, side)) for name, shares in seen.items()}


def attention_strips(
    model: VideoModel, store: ClipStore, job: FinetuneJob, *, clips: int = 3, columns: int = 4
) -> dict[str, NDArray[np.float32]]:
    """Rows of a picture: frames of some clips, and the same under the attention of each stage.

    Returns:
        Label -> strips (clips, H, columns * W, 3) in [0, 1]; bright is where a stage looks.
    """
    model.eval()
    chosen = np.linspace(0, len(store) - 1, min(clips, len(store))).round().astype(int)
    video = unit_range(_videos(model, store, job, chosen))
    shown = torch.linspace(0, video.shape[2] - 1, columns).round().int().tolist()
    frames = video[:, :, shown].permute(0, 2, 3, 4, 1).cpu()
    rows = {"input": frames}
    for name, shares in attention_maps(model, normalise(video)).items():
        size = (video.shape[2], *video.shape[3:])
        heat = F.interpolate(shares[:, None].float(), size=size, mode="trilinear")[:, 0, shown]
        heat = heat.cpu() / heat.amax(dim=(1, 2, 3), keepdim=True).cpu()
        colours = torch.from_numpy(colormaps["inferno"](heat.numpy())[..., :3]).float()
        rows[name] = (1 - SHADE) * frames.mean(dim=-1, keepdim=True) + SHADE * colours
    return {
        name: torch.cat([row[:, t] for t in range(columns)], dim=2).numpy()
        for name, row in rows.items()
    }


def _watch(
    part: nn.Module, name: str, seen: dict[str, Tensor]
) -> "torch.utils.hooks.RemovableHandle":
    """Keep the mean attention (B, N) that a module pays to each token of its context."""

    def keep(module: nn.Module, inputs: tuple[Tensor, Tensor], _output: Tensor) -> None:
        assert isinstance(module, Attention)
        seen[name] = module.shares(*inputs).mean(dim=(1, 2))

    return part.register_forward_hook(keep)


def _videos(
    model: VideoModel, store: ClipStore, job: FinetuneJob, clips: NDArray[np.int64]
) -> Tensor:
    """The first view of some clips, (B, T, H, W, 3) uint8, where the model is."""
    frames, stride = job.model.num_frames, job.finetune.stride or job.stride
    views = [
        resize(
            store.frames(clip, next(iter(view_indices(store.length(clip), frames, stride, 1)))),
            job.model.image_size,
        )
        for clip in clips.tolist()
    ]
    return torch.from_numpy(np.stack(views)).to(model.fc_norm.weight.device)
