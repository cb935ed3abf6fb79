"""Building blocks of the encoder and decoder: attention, transformer block, bottleneck block."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from svfap.models.token_counts import POOL_HIDDEN

BRANCHES = 3  # most branches of a block that `DropPath` may drop: attention, MLP, cross-attention
NORM_EPS = 1e-6  # not in the paper; from the authors' code (PyTorch's default is 1e-5)


def norm(dim: int) -> nn.LayerNorm:
    """Make a LayerNorm with the epsilon of the authors' models."""
    return nn.LayerNorm(dim, eps=NORM_EPS)


def run(
    block: nn.Module, *inputs: Tensor | int, recompute: bool, draws: Tensor | None = None
) -> Tensor:
    """Run a block.

    Args:
        block: a block that takes `draws`.
        inputs: its other arguments.
        recompute: whether to keep the inputs alone for the gradients, and to compute everything
            between inputs and output again when the gradients need it (gradient checkpointing).
        draws: uniform numbers for `DropPath`; None to draw them.
    """
    if recompute and torch.is_grad_enabled():
        out: Tensor = checkpoint(block, *inputs, draws=draws, use_reentrant=False)
    else:
        out = block(*inputs, draws=draws)
    return out


def project(x: Tensor, *layers: nn.Module) -> Sequence[Tensor]:
    """Apply linear layers to the same tokens; on a GPU, with one matrix product for all."""
    plain = [layer for layer in layers if isinstance(layer, nn.Linear)]  # not LoRA's layers
    if not x.is_cuda or len(plain) < len(layers):
        return [layer(x) for layer in layers]
    return project_at_once(x, plain)


def project_at_once(x: Tensor, layers: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
    """Apply linear layers to the same tokens with one matrix product."""
    weights: list[Tensor] = [layer.weight for layer in layers]
    biases: list[Tensor] = [
        x.new_zeros(layer.out_features) if layer.bias is None else layer.bias for layer in layers
    ]
    products = F.linear(x, torch.cat(weights), torch.cat(biases))
    return torch.split(products, [len(weight) for weight in weights], dim=-1)


class Attention(nn.Module):
    """Multi-head attention of queries over a context; self-attention when both are the same.

    Queries and values have a bias, but keys do not. A bias of the keys would add one constant to
    all logits of a query, and softmax ignores such a constant.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Attend with queries (B, N, C) over a context (B, M, C); return (B, N, C)."""
        if query is context:
            q, k, v = map(self._split, project(query, self.q, self.k, self.v))
        else:
            q = self._split(self.q(query))
            k, v = map(self._split, project(context, self.k, self.v))
        attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out

    def shares(self, query: Tensor, context: Tensor) -> Tensor:
        """Compute each query's attention weights over the context, (B, heads, N, M)."""
        q, k = self._split(self.q(query)), self._split(self.k(context))
        out: Tensor = (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)
        return out

    def _split(self, x: Tensor) -> Tensor:
        """Split (B, N, C) into heads, (B, heads, N, C / heads)."""
        out: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return out


class Mlp(nn.Module):
    """Two linear layers with a GELU between them; parameter names as in timm."""

    def __init__(self, dim: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens (..., dim) to (..., outputs)."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class DropPath(nn.Module):
    """Stochastic depth: in training, drop a branch for random clips and scale up the others.

    It does the work of timm's `DropPath`, but importing timm takes seconds, and timm's cannot be
    given its random numbers.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor, draws: Tensor | None = None, branch: int = 0) -> Tensor:
        """Drop a branch.

        Args:
            x: output of the branch, (B, N, C).
            draws: (B, BRANCHES) uniform numbers in [0, 1); None to draw them here.
            branch: number of the branch in its block, which selects its column of `draws`.
        """
        if not self.training or self.drop_prob == 0:
            return x
        drawn = torch.rand(x.shape[0], device=x.device) if draws is None else draws[:, branch]
        kept = (drawn >= self.drop_prob).to(x.dtype) / (1 - self.drop_prob)
        return x * kept[:, None, None]


class Block(nn.Module):
    """Pre-norm transformer block: self-attention, then MLP (paper eq. 2 and 3)."""

    def __init__(self, dim: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = norm(dim)
        self.attn = Attention(dim, heads)
        self.norm2 = norm(dim)
        self.mlp = Mlp(dim, 4 * dim, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, skip: int = 0, draws: Tensor | None = None) -> Tensor:
        """Transform tokens.

        Args:
            x: (B, N, C).
            skip: number of leading tokens that are attended to but not transformed.
            draws: (B, BRANCHES) uniform numbers for `DropPath`; None to draw them.

        Returns:
            (B, N - skip, C).
        """
        y = self.norm1(x)
        queries = y[:, skip:] if skip else y  # a slice would be another tensor
        x = x[:, skip:] + self.drop_path(self.attn(queries, y), draws, 0)
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)), draws, 1)
        return out


class CrossBlock(nn.Module):
    """Cross-attention to a context, then a transformer block (paper eq. 6 to 8)."""

    def __init__(self, dim: int, heads: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.query_norm = norm(dim)
        self.context_norm = norm(dim)
        self.cross = Attention(dim, heads)
        self.block = Block(dim, heads, drop_path)

    def forward(self, x: Tensor, context: Tensor, draws: Tensor | None = None) -> Tensor:
        """Transform tokens (B, N, C) that attend to a context (B, M, C); `draws` as in `Block`."""
        attended = self.cross(self.query_norm(x), self.context_norm(context))
        x = x + self.block.drop_path(attended, draws, 2)
        out: Tensor = self.block(x, draws=draws)
        return out


class TemporalConv(nn.Module):
    """Lower the frame rate by a convolution over time at each spatial site (kernel = stride).

    Frames do not overlap, so a linear layer of concatenated frames equals this convolution.
    """

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.proj = nn.Linear(kernel * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Merge neighbouring frames: (B, T, S, C) becomes (B, T / kernel, S, C)."""
        frames = x.unflatten(1, (-1, self.kernel)).transpose(2, 3)
        out: Tensor = self.proj(frames.flatten(3))
        return out


class TemporalPool(nn.Module):
    """Lower the frame rate by the mean or the maximum of neighbouring frames (an ablation)."""

    def __init__(self, kernel: int, kind: Literal["avg", "max"]) -> None:
        super().__init__()
        self.kernel, self.kind = kernel, kind

    def forward(self, x: Tensor) -> Tensor:
        """Merge neighbouring frames: (B, T, S, C) becomes (B, T / kernel, S, C)."""
        frames = x.unflatten(1, (-1, self.kernel))
        out: Tensor = frames.mean(dim=2) if self.kind == "avg" else frames.amax(dim=2)
        return out


class SpatialPool(nn.Module):
    """Pool the tokens of each frame into a few bottleneck tokens (paper eq. 5).

    Eq. 5 has no softmax and does not state the hidden width. The softmax over sites is from the
    authors' code. A hidden width of 128 gives the number of parameters that the paper reports.

    Args:
        dim: number of channels, C.
        tokens: number of bottleneck tokens per group of frames, G.
        frames: number of neighbouring frames whose tokens are pooled together. It is above 1 only
            without a temporal pyramid, and gives as many bottleneck tokens as with a pyramid.
    """

    HIDDEN = POOL_HIDDEN

    def __init__(self, dim: int, tokens: int, frames: int = 1) -> None:
        super().__init__()
        self.frames = frames
        self.norm = norm(dim)
        self.mlp = Mlp(dim, self.HIDDEN, tokens)

    def forward(self, x: Tensor) -> Tensor:
        """Compute weighted sums over space: (B, T, S, C) becomes (B, T / frames, G, C)."""
        x = x.unflatten(1, (-1, self.frames)).flatten(2, 3)
        weights = self.mlp(self.norm(x)).softmax(dim=2)
        pooled: Tensor = weights.transpose(2, 3) @ x
        return pooled
