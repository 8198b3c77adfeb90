"""A vision transformer (ViT) as DINO uses it."""

import math

import torch
import torch.nn as nn


def drop_path(x, drop_prob=0.0, training=False):
    """Leave out a residual branch for some samples, and scale it up for the others."""
    if drop_prob == 0.0 or not training:
        return x
    keep = 1.0 - drop_prob
    kept = torch.empty(x.shape[0], *[1] * (x.dim() - 1), dtype=x.dtype, device=x.device).bernoulli_(keep)
    return x * kept / keep


class DropPath(nn.Module):
    """Stochastic depth: drop_path as a layer."""

    def __init__(self, drop_prob=0.0):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return drop_path(x, self.drop_prob, self.training)


class Mlp(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, in_features, hidden_features=None, out_features=None, act_layer=nn.GELU, drop=0.0):
        super().__init__()
        hidden_features = hidden_features or in_features
        self.fc1 = nn.Linear(in_features, hidden_features)
        self.act = act_layer()
        self.fc2 = nn.Linear(hidden_features, out_features or in_features)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        return self.drop(self.fc2(self.drop(self.act(self.fc1(x)))))


class Attention(nn.Module):
    """Self-attention with several heads; gives its output and the attention map."""

    def __init__(self, dim, num_heads=8, qkv_bias=False, qk_scale=None, attn_drop=0.0, proj_drop=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.scale = qk_scale or (dim // num_heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x):
        batch, tokens, dim = x.shape
        heads = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, dim // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attention = self.attn_drop((query @ key.transpose(-2, -1) * self.scale).softmax(dim=-1))
        mixed = (attention @ value).transpose(1, 2).reshape(batch, tokens, dim)
        return self.proj_drop(self.proj(mixed)), attention


class Block(nn.Module):
    """One layer of the transformer: attention and an MLP, each beside a residual connection."""

    def __init__(
        self,
        dim,
        num_heads,
        mlp_ratio=4.0,
        qkv_bias=False,
        qk_scale=None,
        drop=0.0,
        attn_drop=0.0,
        drop_path=0.0,
        act_layer=nn.GELU,
        norm_layer=nn.LayerNorm,
    ):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = Attention(dim, num_heads, qkv_bias, qk_scale, attn_drop, drop)
        self.drop_path = DropPath(drop_path) if drop_path > 0.0 else nn.Identity()
        self.norm2 = norm_layer(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), act_layer=act_layer, drop=drop)

    def forward(self, x, return_attention=False):
        mixed, attention = self.attn(self.norm1(x))
        if return_attention:
            return attention
        x = x + self.drop_path(mixed)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PatchEmbed(nn.Module):
    """Cuts an image into square patches and makes a token of each, row by row."""

    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768):
        super().__init__()
        self.img_size = img_size
        self.patch_size = patch_size
        self.num_patches = (img_size // patch_size) ** 2
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """A ViT for square images.

    Args:
        img_size: a list whose only element is the side of the images in pixels; None is [224]
        patch_size: side of a patch in pixels
        in_chans: channels of an image
        num_classes: scores that forward gives; 0 for the class token itself
        embed_dim: size of a token
        depth: number of blocks
        num_heads: attention heads of a block
        mlp_ratio: hidden size of a block's MLP, as a multiple of embed_dim
        qkv_bias: whether queries, keys and values have a bias
        qk_scale: factor of the attention logits; None is one over the root of a head's size
        drop_rate: dropout of the tokens
        attn_drop_rate: dropout of the attention
        drop_path_rate: stochastic depth of the last block; it grows from 0 at the first
        norm_layer: makes a normalisation, given the size of a token
        input_drop: dropout of the pixels
    """

    def __init__(
        self,
        img_size=None,
        patch_size=16,
        in_chans=3,
        num_classes=0,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        qkv_bias=False,
        qk_scale=None,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.0,
        norm_layer=nn.LayerNorm,
        input_drop=0.0,
    ):
        super().__init__()
        self.img_size = [224] if img_size is None else img_size
        self.patch_embed = PatchEmbed(self.img_size[0], patch_size, in_chans, embed_dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, embed_dim))
        self.input_drop = nn.Dropout(input_drop)
        self.pos_drop = nn.Dropout(drop_rate)
        rates = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_ratio, qkv_bias, qk_scale, drop_rate, attn_drop_rate, rate, norm_layer=norm_layer)
            for rate in rates
        )
        self.norm = norm_layer(embed_dim)
        self.head = nn.Linear(embed_dim, num_classes) if num_classes > 0 else nn.Identity()
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.apply(self._init_weights)

    def _init_weights(self, layer):
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def interpolate_pos_encoding(self, height, width):
        """The positional table, stretched to images of any height and width in pixels."""
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        size = (height // self.patch_embed.patch_size, width // self.patch_embed.patch_size)
        if size == (side, side):
            return self.pos_embed
        grid = self.pos_embed[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        grid = nn.functional.interpolate(grid, size=size, mode="bicubic", align_corners=False)
        return torch.cat((self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)

    def prepare_tokens(self, x):
        """The tokens of a batch of images, as the first block gets them."""
        positions = self.interpolate_pos_encoding(*x.shape[-2:])
        patches = self.patch_embed(x)
        tokens = torch.cat((self.cls_token.expand(len(x), -1, -1), patches), dim=1)
        return self.pos_drop(tokens + positions)

    def forward(self, x):
        x = self.prepare_tokens(self.input_drop(x))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])

    def get_last_selfattention(self, x):
        """The attention map of the last block."""
        x = self.prepare_tokens(x)
        for block in self.blocks[:-1]:
            x = block(x)
        return self.blocks[-1](x, return_attention=True)

    def get_intermediate_layers(self, x, n=1):
        """The normalised tokens after each of the last n blocks."""
        x = self.prepare_tokens(x)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(self.norm(x))
        return outputs[-n:]
