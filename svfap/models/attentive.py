"""Attentive pooling: a learned query gathers the tokens of a clip (V-JEPA, arXiv 2404.08471)."""

import torch
from torch import Tensor, nn

from svfap.models.layers import Attention, Mlp, norm

QUERY_DEVIATION = 0.02  # of the query's random start, as V-JEPA's


class AttentivePool(nn.Module):
    """Cross-attention of one learned query to all tokens, then an MLP.

    It is the last block of V-JEPA's attentive probe (its appendix D): the query is added to what it
    has gathered, and the MLP's output to both.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, dim))
        self.reset_parameters()
        self.norm1 = norm(dim)
        self.attn = Attention(dim, heads)
        self.norm2 = norm(dim)
        self.mlp = Mlp(dim, 4 * dim, dim)

    def reset_parameters(self) -> None:
        """Start with a random query."""
        nn.init.trunc_normal_(self.query, std=QUERY_DEVIATION)

    def forward(self, tokens: Tensor) -> Tensor:
        """Pool tokens (B, N, C) to (B, C)."""
        query = self.query.expand(tokens.shape[0], -1, -1)
        gathered = query + self.attn(query, self.norm1(tokens))
        out: Tensor = gathered + self.mlp(self.norm2(gathered))
        return out[:, 0]
