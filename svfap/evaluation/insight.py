"""Pictures of a fine-tuned model at work: a map of its embeddings, and where its tokens attend."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from svfap.config.stage_sections import FinetuneJob
from svfap.evaluation.scoring import Scorer
from svfap.models import VideoModel
from svfap.models.layers import Attention, CrossBlock
from svfap.shards.store import ClipStore
from svfap.training.objectives import normalise, unit_range
from svfap.video.sampling import evaluation_indices

MAP_CLIPS = 2000  # t-SNE of so many clips takes about half a minute on one CPU core
BATCH_SIZE = 16
SHADE = 0.65  # share of the attention's colours in a picture; the rest is the frame in grey
HIGHEST = 4.0  # the brightest colour: a patch that gets 4 times its even share of the attention
COLOURS = "inferno"
MARKS = {0.0: "none", 1.0: "even share", HIGHEST: f"{HIGHEST:.0f} x as much"}
FEWEST = 30  # clips below which neighbours on a map mean little
PERPLEXITY = 30.0  # scikit-learn's default


def embeddings(
    model: VideoModel, store: ClipStore, job: FinetuneJob
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embed the first view of at most `MAP_CLIPS` clips, spread evenly over the store.

    Returns:
        Embeddings (n, C) and targets (n, d).
    """
    scorer = Scorer(model, job).eval()
    clips = mapped_clips(store)
    batches = np.array_split(clips, -(-len(clips) // BATCH_SIZE))
    features = [scorer.score(_first_views(store, job, batch)).embeddings for batch in batches]
    return np.concatenate(features), store.targets[clips]


def mapped_clips(store: ClipStore) -> NDArray[np.int64]:
    """Choose the clips of a store that a map shows, at most `MAP_CLIPS`."""
    return _spread(store, min(len(store), MAP_CLIPS))


def tsne_map(features: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float32] | None:
    """Map features (n, C) to points (n, 2) by t-SNE, so that similar clips lie close together.

    Returns None for fewer than `FEWEST` clips.
    """
    if len(features) < FEWEST:
        return None
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)  # scikit-learn refuses n or more
    points: NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", random_state=seed
    ).fit_transform(features)
    return points


@torch.inference_mode()
def attention_maps(model: VideoModel, video: Tensor) -> dict[str, Tensor]:
    """Compute where and when each later stage attends.

    If a stage has bottleneck tokens, the map shows the last block in which they attend to the frame
    tokens, averaged over heads and tokens. Otherwise it shows the self-attention of the last block.
    The first of several stages has no map.

    Args:
        model: a fine-tuned model in evaluation mode.
        video: (B, 3, T, H, W), normalised.

    Returns:
        Stage -> shares (B, T', side, side) that sum to 1 for each clip.
    """
    shares: dict[str, Tensor] = {}
    encoder = model.encoder
    hooks, start = [], 0
    for stage, depth in enumerate(encoder.config.depths, 1):
        blocks = [encoder.blocks[number] for number in range(start, start + depth)]
        start += depth
        # In the last cross block of a stage, frame tokens attend to the bottleneck tokens. In the
        # blocks before it, bottleneck tokens attend to frame tokens, as the map needs.
        gathering = blocks[:-1] if isinstance(blocks[-1], CrossBlock) else blocks
        if gathering and (stage > 1 or len(encoder.config.depths) == 1):
            last = gathering[-1]
            part = last.cross if isinstance(last, CrossBlock) else last.get_submodule("attn")
            hooks.append(_record_attention(part, f"stage {stage}", shares))
    model(video)
    for hook in hooks:
        hook.remove()
    side = round(encoder.sites**0.5)
    return {name: share.unflatten(1, (-1, side, side)) for name, share in shares.items()}


def attention_strips(
    model: VideoModel, store: ClipStore, job: FinetuneJob, *, clips: int = 3, columns: int = 4
) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """Draw frames of some clips, and the same frames under the attention of each later stage.

    Returns:
        Label -> strips (clips, H, columns * W, 3) in [0, 1]. The colour of a patch shows its share
        of a clip's attention, from 0 to `HIGHEST` times an even share. And a caption of each clip:
        its true and its predicted class, or its target and score.
    """
    from matplotlib import colormaps

    scorer = Scorer(model, job).eval()
    chosen = _spread(store, min(clips, len(store)))
    views = _first_views(store, job, chosen)
    captions = _captions(job, store.targets[chosen], scorer.score(views).scores)
    video = unit_range(scorer.to_video(views))
    times = torch.linspace(0, video.shape[2] - 1, columns).round().int().tolist()
    frames = video[:, :, times].permute(0, 2, 3, 4, 1).cpu()
    rows = {"frames": frames}
    for name, shares in attention_maps(model, normalise(video)).items():
        size = (video.shape[2], *video.shape[3:])
        even = shares.float() * shares[0].numel()
        heat = F.interpolate(even[:, None], size=size, mode="trilinear")[:, 0, times].cpu()
        colours = torch.from_numpy(colormaps[COLOURS](heat.numpy() / HIGHEST)[..., :3]).float()
        rows[f"attention,\n{name}"] = (1 - SHADE) * frames.mean(
            dim=-1, keepdim=True
        ) + SHADE * colours
    strips = {
        name: torch.cat([row[:, t] for t in range(columns)], dim=2).numpy()
        for name, row in rows.items()
    }
    return strips, captions


def _captions(
    job: FinetuneJob, targets: NDArray[np.float32], scores: NDArray[np.float32]
) -> list[str]:
    """Return the true and the predicted label of each clip, (n, targets) and (n, outputs)."""
    if job.task != "classification":
        return [
            f"{job.targets[0]}: true {true:.2f}, predicted {score:.2f}"
            for true, score in zip(targets[:, 0], scores[:, 0], strict=True)
        ]
    return [
        f"true: {job.targets[int(true)]}, predicted: {job.targets[int(score.argmax())]}"
        for true, score in zip(targets[:, 0], scores, strict=True)
    ]


def _record_attention(
    part: nn.Module, name: str, shares: dict[str, Tensor]
) -> "torch.utils.hooks.RemovableHandle":
    """Record the mean attention (B, N) that a module pays to each token of its context.

    `F.scaled_dot_product_attention` does not return its weights, so a hook computes them once more.
    """

    def record(module: nn.Module, inputs: tuple[Tensor, Tensor], _output: Tensor) -> None:
        assert isinstance(module, Attention)
        shares[name] = module.shares(*inputs).mean(dim=(1, 2))

    return part.register_forward_hook(record)


def _spread(store: ClipStore, count: int) -> NDArray[np.int64]:
    """Choose evenly spaced clips of a store, (count,)."""
    return np.linspace(0, len(store) - 1, count).round().astype(np.int64)


def _first_views(
    store: ClipStore, job: FinetuneJob, clips: NDArray[np.int64]
) -> list[NDArray[np.uint8]]:
    """Decode the first view of some clips, each (T, H, W, 3)."""
    frames, stride = job.model.num_frames, job.finetune.stride or job.stride
    return [
        store.frames(clip, evaluation_indices(store.length(clip), frames, stride, 1)[0])
        for clip in clips.tolist()
    ]
