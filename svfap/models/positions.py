"""Fixed position embeddings, which a model computes instead of learning or saving them."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn


def sinusoid_positions(count: int, dim: int) -> Tensor:
    """Make the fixed sine-cosine embedding of positions 0 to `count` - 1, (1, count, dim)."""
    # The authors compute it in NumPy with float64; in float32, large positions lose digits. The
    # CPU has float64 everywhere, and also has values where the default device is `meta`.
    position = torch.arange(count, dtype=torch.float64, device="cpu")[:, None]
    column = torch.arange(dim, device="cpu")
    angle = position / 10000 ** (2 * (column.double() // 2) / dim)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()[None]


class FixedPositions(nn.Module):
    """The table of a model's position embeddings.

    No state dict has it. So the table computes itself again wherever its memory is new: after
    `to_empty`, and by `follow_weights` when a model on `meta` takes over the tensors of a state
    dict.

    Args:
        count: number of positions.
        dim: number of channels, C.
    """

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.table: Tensor  # (1, count, C)
        self.register_buffer("table", torch.empty(1, count, dim), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Compute the table on its device and in its type."""
        self.table = sinusoid_positions(*self.table.shape[1:]).to(self.table)

    def resize(self, count: int) -> None:
        """Compute a table of another number of positions."""
        self.table = self.table.new_empty(1, count, self.table.shape[2])
        self.reset_parameters()

    def init_non_persistent_buffers(self) -> None:
        """Compute the table; timm's `reinit_non_persistent_buffers` calls this method."""
        self.reset_parameters()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        before = self.table
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.table is not before:
            self.reset_parameters()
        return self


def follow_weights(module: nn.Module, _keys: object = None) -> None:
    """Move `module.positions` from `meta` to the weights; a hook after `load_state_dict`."""
    positions = module.get_submodule("positions")
    if any(table.is_meta for table in positions.buffers()):
        positions.to_empty(device=next(module.parameters()).device)
