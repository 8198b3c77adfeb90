"""The blocks of the transformer, which are steered by a condition (adaptive layer norm)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from helpers import DropPath


def plain_attention(query, key, value, attn_mask=None, dropout_p=0.0, scale=1.0):
    """Attention in single steps, for where torch has no fused one."""
    weights = query * scale @ key.transpose(-2, -1)
    if attn_mask is not None:
        weights = weights + attn_mask
    return F.dropout(weights.softmax(dim=-1), dropout_p) @ value


class FFN(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, in_features, hidden_features, drop=0.0):
        super().__init__()
        self.fc1 = nn.Linear(in_features, hidden_features)
        self.act = nn.GELU(approximate="tanh")
        self.fc2 = nn.Linear(hidden_features, in_features)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(self.fc2(self.act(self.fc1(x))))


class SelfAttention(nn.Module):
    """Attention with several heads, which can remember the tokens that it has seen.

    With kv_caching(True), each call appends its keys and values to those of the
    calls before, and attends to all of them. kv_caching(False) forgets them.
    """

    def __init__(self, embed_dim, num_heads, attn_drop=0.0, proj_drop=0.0, attn_l2_norm=False, flash_if_available=True):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        self.attn_l2_norm = attn_l2_norm
        if attn_l2_norm:
            self.scale = 1.0
            self.scale_mul_1H11 = nn.Parameter(torch.full((1, num_heads, 1, 1), 4.0).log())
            self.max_scale_mul = 4.605  # the logarithm of 100
        else:
            self.scale = 0.25 / self.head_dim**0.5
        self.mat_qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(embed_dim))
        self.v_bias = nn.Parameter(torch.zeros(embed_dim))
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.proj_drop = nn.Dropout(proj_drop)
        self.attn_drop = attn_drop
        fused = getattr(F, "scaled_dot_product_attention", None)
        self.attention = fused if flash_if_available and fused else plain_attention
        self.caching, self.cached_k, self.cached_v = False, None, None

    def kv_caching(self, enable):
        self.caching, self.cached_k, self.cached_v = enable, None, None

    def forward(self, x, attn_bias):
        B, L, C = x.shape
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        qkv = F.linear(x, self.mat_qkv.weight, bias).view(B, L, 3, self.num_heads, self.head_dim)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, L, head_dim)
        if self.attn_l2_norm:
            q = F.normalize(q, dim=-1) * self.scale_mul_1H11.clamp_max(self.max_scale_mul).exp()
            k = F.normalize(k, dim=-1)
        if self.caching:
            if self.cached_k is not None:
                k = torch.cat((self.cached_k, k), dim=2)
                v = torch.cat((self.cached_v, v), dim=2)
            self.cached_k, self.cached_v = k, v
        dropout = self.attn_drop if self.training else 0.0
        y = self.attention(q, k, v, attn_mask=attn_bias, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(y.transpose(1, 2).reshape(B, L, C)))


class AdaLNSelfAttn(nn.Module):
    """One block: attention and feed-forward, each with a shift, a scale and a gate.

    These six vectors come from the condition: with shared_aln, cond_BD is what
    SharedAdaLin made of it, of shape (B, 1, 6, C); otherwise it is the condition
    itself, of shape (B, D).
    """

    def __init__(
        self,
        embed_dim,
        cond_dim,
        num_heads,
        mlp_ratio=4.0,
        drop=0.0,
        attn_drop=0.0,
        drop_path=0.0,
        norm_eps=1e-6,
        shared_aln=False,
        attn_l2_norm=False,
        flash_if_available=True,
    ):
        super().__init__()
        self.C, self.shared_aln = embed_dim, shared_aln
        self.attn = SelfAttention(embed_dim, num_heads, attn_drop, drop, attn_l2_norm, flash_if_available)
        self.ffn = FFN(embed_dim, round(embed_dim * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path)
        self.ln_wo_grad = nn.LayerNorm(embed_dim, eps=norm_eps, elementwise_affine=False)
        if shared_aln:
            self.ada_gss = nn.Parameter(torch.randn(1, 1, 6, embed_dim) / embed_dim**0.5)
        else:
            self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(cond_dim, 6 * embed_dim))

    def forward(self, x, cond_BD, attn_bias):
        six = self.ada_gss + cond_BD if self.shared_aln else self.ada_lin(cond_BD).view(-1, 1, 6, self.C)
        gate1, gate2, scale1, scale2, shift1, shift2 = six.unbind(2)  # each (B, 1, C)
        y = self.attn(self.ln_wo_grad(x) * (1 + scale1) + shift1, attn_bias)
        x = x + self.drop_path(y * gate1)
        y = self.ffn(self.ln_wo_grad(x) * (1 + scale2) + shift2)
        return x + self.drop_path(y * gate2)


class AdaLNBeforeHead(nn.Module):
    """The norm before the last layer, with a shift and a scale from the condition (B, D)."""

    def __init__(self, C, D, norm_layer):
        super().__init__()
        self.C = C
        self.ln_wo_grad = norm_layer(C, elementwise_affine=False)
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(D, 2 * C))

    def forward(self, x_BLC, cond_BD):
        scale, shift = self.ada_lin(cond_BD).view(-1, 1, 2, self.C).unbind(2)
        return self.ln_wo_grad(x_BLC) * (1 + scale) + shift
