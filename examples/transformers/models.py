"""A character-level language model and a vision transformer, small enough to train on one core."""

from __future__ import annotations

import torch
from torch import nn

CONTEXT = 64
"""Characters that the language model sees at once."""

PATCH = 4
"""Width of a patch of the vision transformer, in pixels."""


class Block(nn.Module):
    """A pre-norm transformer block with ReLU in its MLP, whose zeros hardware can skip."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, causal: bool) -> torch.Tensor:
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.down(self.up(self.norm2(x)).relu())


class CharacterModel(nn.Module):
    """(batch, CONTEXT) character numbers to (batch, CONTEXT, characters) scores of the next one."""

    def __init__(self, characters: int, width: int = 192, layers: int = 5, heads: int = 6) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        self.places = nn.Parameter(0.02 * torch.randn(1, CONTEXT, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens) + self.places
        for block in self.blocks:
            x = block(x, True)
        return self.head(self.norm(x))


class VisionTransformer(nn.Module):
    """(batch, 1, 28, 28) images to (batch, 10) scores; the mean over patches is classified."""

    def __init__(self, width: int = 96, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, PATCH, PATCH)
        self.places = nn.Parameter(0.02 * torch.randn(1, (28 // PATCH) ** 2, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x = block(x, False)
        return self.head(self.norm(x).mean(1))
