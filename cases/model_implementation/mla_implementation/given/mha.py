"""Multi-head attention in three kinds, for reference.

    MHA                 knows nothing of positions
    Rope_MHA            turns all of each query and key by its position
    Decoupled_Rope_MHA  turns a part of each query, and one key for all heads

`forward(x, kv_cache=None, past_length=0)` is the same for all of them. `x` has
the shape (batch, length, d_model). `kv_cache` is what an earlier call has
returned for the tokens before x, and `past_length` is the position of the first
token of x. They return the output, of the shape of x, and the cache for the
next call.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from utils import apply_rope, apply_rope_x


def weight(rows, columns):
    return nn.Parameter(0.01 * torch.randn(rows, columns))


def split_heads(x, n_heads):
    """(batch, length, n_heads * n) becomes (batch, n_heads, length, n)."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    """(batch, n_heads, length, n) becomes (batch, length, n_heads * n)."""
    return x.transpose(1, 2).flatten(2)


def causal_mask(length, full_length, past_length, device):
    """Which of all tokens each of the new ones sees: those up to its own position."""
    seen = torch.ones(length, full_length, dtype=torch.bool, device=device)
    return torch.tril(seen, diagonal=past_length)


def append(cache, new):
    """Put new keys and values behind the cached ones."""
    if cache is None:
        return new
    return tuple(torch.cat(pair, dim=2) for pair in zip(cache, new))


def rope_tables(max_len, dh, rope_theta):
    """Cosine and sine of dh / 2 angles for each position, as (1, 1, max_len, dh / 2)."""
    frequencies = 1.0 / rope_theta ** (torch.arange(0, dh, 2).float() / dh)
    angles = torch.outer(torch.arange(max_len).float(), frequencies)[None, None]
    return angles.cos(), angles.sin()


class MHA(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.d_model = d_model
        self.n_heads = n_heads
        self.dh = d_model // n_heads
        self.W_qkv = weight(d_model, 3 * d_model)
        self.W_o = weight(d_model, d_model)

    def forward(self, x, kv_cache=None, past_length=0):
        q, k, v = (split_heads(part, self.n_heads) for part in (x @ self.W_qkv).chunk(3, dim=-1))
        k, v = append(kv_cache, (k, v))

        mask = causal_mask(q.shape[2], k.shape[2], past_length, x.device)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return merge_heads(out) @ self.W_o.T, (k, v)


class Rope_MHA(nn.Module):
    def __init__(self, d_model, n_heads, max_len=1024, rope_theta=10000.0):
        super().__init__()
        self.d_model = d_model
        self.n_heads = n_heads
        self.dh = d_model // n_heads
        self.W_qkv = weight(d_model, 3 * d_model)
        self.W_o = weight(d_model, d_model)
        cos, sin = rope_tables(max_len, self.dh, rope_theta)
        self.register_buffer("cos_cached", cos)
        self.register_buffer("sin_cached", sin)

    def forward(self, x, kv_cache=None, past_length=0):
        q, k, v = (split_heads(part, self.n_heads) for part in (x @ self.W_qkv).chunk(3, dim=-1))
        rows = slice(past_length, past_length + x.shape[1])
        cos, sin = (table[:, :, rows].repeat(1, 1, 1, 2) for table in (self.cos_cached, self.sin_cached))
        q, k = apply_rope(q, k, cos, sin)
        k, v = append(kv_cache, (k, v))  # the keys in the cache are turned already

        mask = causal_mask(q.shape[2], k.shape[2], past_length, x.device)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return merge_heads(out) @ self.W_o.T, (k, v)


class Decoupled_Rope_MHA(nn.Module):
    """Half of each query and key is without positions; the key of the other half is one for all heads."""

    def __init__(self, d_model, n_heads, max_len=1024, rope_theta=10000.0):
        super().__init__()
        self.d_model = d_model
        self.n_heads = n_heads
        self.dh = d_model // n_heads
        self.qk_nope_dim = self.dh // 2
        self.qk_rope_dim = self.dh // 2
        self.W_q = weight(d_model, d_model)
        self.W_k = weight(d_model, n_heads * self.qk_nope_dim)
        self.W_k_rope = weight(d_model, self.qk_rope_dim)
        self.W_v = weight(d_model, d_model)
        self.W_o = weight(d_model, d_model)
        cos, sin = rope_tables(max_len, self.dh, rope_theta)
        self.register_buffer("cos_cached", cos)
        self.register_buffer("sin_cached", sin)

    def forward(self, x, kv_cache=None, past_length=0):
        rows, columns = slice(past_length, past_length + x.shape[1]), slice(self.qk_rope_dim // 2)
        cos, sin = (table[:, :, rows, columns].repeat(1, 1, 1, 2) for table in (self.cos_cached, self.sin_cached))

        q, q_rope = split_heads(x @ self.W_q, self.n_heads).split([self.qk_nope_dim, self.qk_rope_dim], dim=-1)
        q = torch.cat([q, apply_rope_x(q_rope, cos, sin)], dim=-1)

        k_rope = apply_rope_x((x @ self.W_k_rope)[:, None], cos, sin).expand(-1, self.n_heads, -1, -1)
        k = torch.cat([split_heads(x @ self.W_k, self.n_heads), k_rope], dim=-1)
        k, v = append(kv_cache, (k, split_heads(x @ self.W_v, self.n_heads)))

        mask = causal_mask(q.shape[2], k.shape[2], past_length, x.device)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return merge_heads(out) @ self.W_o.T, (k, v)
