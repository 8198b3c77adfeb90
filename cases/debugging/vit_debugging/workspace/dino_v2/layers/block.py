import torch
from torch import nn

from dino_v2.layers.attention import Attention
from dino_v2.layers.drop_path import DropPath
from dino_v2.layers.layer_scale import LayerScale
from dino_v2.layers.mlp import Mlp

try:
    from xformers.ops import fmha

    XFORMERS_AVAILABLE = True
except ImportError:
    XFORMERS_AVAILABLE = False


class Block(nn.Module):
    """Attention and a feed-forward network, each with a residual path around it."""

    def __init__(
        self,
        dim,
        num_heads,
        mlp_ratio=4.0,
        qkv_bias=False,
        proj_bias=True,
        ffn_bias=True,
        drop=0.0,
        attn_drop=0.0,
        init_values=None,
        drop_path=0.0,
        act_layer=nn.GELU,
        norm_layer=nn.LayerNorm,
        attn_class=Attention,
        ffn_layer=Mlp,
    ):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_class(
            dim, num_heads=num_heads, qkv_bias=qkv_bias, proj_bias=proj_bias, attn_drop=attn_drop, proj_drop=drop
        )
        self.ls1 = LayerScale(dim, init_values) if init_values else nn.Identity()
        self.drop_path1 = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.norm2 = norm_layer(dim)
        self.mlp = ffn_layer(
            in_features=dim, hidden_features=int(dim * mlp_ratio), act_layer=act_layer, drop=drop, bias=ffn_bias
        )
        self.ls2 = LayerScale(dim, init_values) if init_values else nn.Identity()
        self.drop_path2 = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.sample_drop_ratio = drop_path

    def attn_residual(self, x, **options):
        return self.ls1(self.attn(self.norm1(x), **options))

    def ffn_residual(self, x):
        return self.ls2(self.mlp(self.norm2(x)))

    def forward(self, x):
        if self.training and self.sample_drop_ratio > 0.1:
            x = drop_add_residual_stochastic_depth(x, self.attn_residual, self.sample_drop_ratio)
            return drop_add_residual_stochastic_depth(x, self.ffn_residual, self.sample_drop_ratio)
        x = x + self.drop_path1(self.attn_residual(x))
        return x + self.drop_path2(self.ffn_residual(x))


def drop_add_residual_stochastic_depth(x, residual_func, sample_drop_ratio=0.0):
    """Add the residual to a random part of the batch only, scaled up to keep its expected value."""
    batch = x.shape[0]
    kept = max(int(batch * (1 - sample_drop_ratio)), 1)
    chosen = torch.randperm(batch, device=x.device)[:kept]
    residual = residual_func(x[chosen])
    return torch.index_add(x, 0, chosen, residual.to(x.dtype), alpha=batch / kept)


class NestedTensorBlock(Block):
    """A block that also takes a list of tensors, each with another number of tokens."""

    def forward(self, x_or_x_list):
        if isinstance(x_or_x_list, torch.Tensor):
            return super().forward(x_or_x_list)
        assert XFORMERS_AVAILABLE, "a list of tensors needs xFormers"
        return self.forward_nested(x_or_x_list)

    def forward_nested(self, x_list):
        attn_bias, x = fmha.BlockDiagonalMask.from_tensor_list(x_list)
        x = x + self.drop_path1(self.attn_residual(x, attn_bias=attn_bias))
        x = x + self.drop_path2(self.ffn_residual(x))
        return attn_bias.split(x)
