"""Rotary position embedding.

Coordinates i and i + n/2 of the n last ones are a pair, which is turned by an
angle that depends on the position. The tables `cos` and `sin` are as wide as
what they are applied to, so each angle stands in them twice.
"""

import torch


def rotate_half(x):
    """Halve the last dimension into (first, second); returns (-second, first)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def apply_rope_x(x, cos, sin):
    """Turn x. Its shape is (batch, heads, length, n), that of the tables (1, 1, length, n)."""
    return x * cos + rotate_half(x) * sin


def apply_rope(q, k, cos, sin):
    """Turn queries and keys that stand at the same positions."""
    return apply_rope_x(q, cos, sin), apply_rope_x(k, cos, sin)
