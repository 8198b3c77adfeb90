import math
from functools import partial

import torch
from torch import nn

from dino_v2.layers import MemEffAttention, Mlp, PatchEmbed, SwiGLUFFN, SwiGLUFFNFused
from dino_v2.layers import NestedTensorBlock as Block

FFN_LAYERS = {"mlp": Mlp, "swiglu": SwiGLUFFN, "swiglufused": SwiGLUFFNFused}


def make_2tuple(x):
    """A pair as it is, or a number twice."""
    if isinstance(x, tuple):
        assert len(x) == 2
        return x
    assert isinstance(x, int)
    return (x, x)


class BlockChunk(nn.ModuleList):
    """Some of the blocks, in a row."""

    def forward(self, x):
        for block in self:
            x = block(x)
        return x


class DinoVisionTransformer(nn.Module):
    """A Vision Transformer whose sequence is: class token, register tokens, patch tokens.

    Args:
        img_size, patch_size: sides in pixels; their quotient is the side of the table of positions
        drop_path_rate: stochastic depth of the last block; it grows from 0 at the first one, or is
            the same everywhere with drop_path_uniform
        init_values: start of the layer scales; None or 0 is no layer scale
        ffn_layer: "mlp", "swiglu" or "swiglufused"
        block_chunks: into how many chunks the blocks are divided; 0 is a plain list of blocks
        interpolate_antialias: whether positions are interpolated with anti-aliasing
    """

    def __init__(
        self,
        img_size=224,
        patch_size=16,
        in_chans=3,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        qkv_bias=True,
        ffn_bias=True,
        proj_bias=True,
        drop_path_rate=0.0,
        drop_path_uniform=False,
        init_values=None,
        embed_layer=PatchEmbed,
        act_layer=nn.GELU,
        block_fn=Block,
        ffn_layer="mlp",
        block_chunks=1,
        num_register_tokens=0,
        interpolate_antialias=False,
    ):
        super().__init__()
        self.num_features = self.embed_dim = embed_dim
        self.n_blocks = depth
        self.num_heads = num_heads
        self.patch_size = patch_size
        self.num_register_tokens = num_register_tokens
        self.interpolate_antialias = interpolate_antialias

        self.patch_embed = embed_layer(
            img_size=img_size, patch_size=patch_size, in_chans=in_chans, embed_dim=embed_dim
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, self.patch_embed.num_patches + 1, embed_dim))
        self.register_tokens = (
            nn.Parameter(torch.zeros(1, num_register_tokens, embed_dim)) if num_register_tokens else None
        )
        self.mask_token = nn.Parameter(torch.zeros(1, embed_dim))

        norm_layer = partial(nn.LayerNorm, eps=1e-6)
        blocks = [
            block_fn(
                dim=embed_dim,
                num_heads=num_heads,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                proj_bias=proj_bias,
                ffn_bias=ffn_bias,
                init_values=init_values,
                drop_path=drop_path_rate if drop_path_uniform else drop_path_rate * i / max(depth - 1, 1),
                act_layer=act_layer,
                norm_layer=norm_layer,
                ffn_layer=FFN_LAYERS[ffn_layer],
            )
            for i in range(depth)
        ]
        self.chunked_blocks = block_chunks > 0
        if self.chunked_blocks:
            size = depth // block_chunks
            # The identities in front give a block the same index in its chunk as in the whole model.
            chunks = [[nn.Identity()] * i + blocks[i : i + size] for i in range(0, depth, size)]
            self.blocks = nn.ModuleList(BlockChunk(chunk) for chunk in chunks)
        else:
            self.blocks = nn.ModuleList(blocks)
        self.norm = norm_layer(embed_dim)
        self.head = nn.Identity()
        self.init_weights()

    def init_weights(self):
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        if self.register_tokens is not None:
            nn.init.normal_(self.register_tokens, std=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def interpolate_pos_encoding(self, x, w, h):
        """The positions of the class token and of all patches of images with w rows and h columns of pixels.

        The table of positions is interpolated (bicubic) to the grid of the patches. x only
        says which dtype the result has.
        """
        grid = (w // self.patch_size, h // self.patch_size)
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        if grid == (side, side):
            return self.pos_embed.to(x.dtype)
        of_class, of_patches = self.pos_embed.float().split([1, side * side], dim=1)
        table = of_patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        table = nn.functional.interpolate(table, size=grid, mode="bicubic", antialias=self.interpolate_antialias)
        return torch.cat([of_class, table.flatten(2).transpose(1, 2)], dim=1).to(x.dtype)

    def prepare_tokens_with_masks(self, x, masks=None):
        """The sequence for a batch of images; masks, batch x patches, are true for patches to hide."""
        _, _, w, h = x.shape
        x = self.patch_embed(x)
        if masks is not None:
            x = torch.where(masks.unsqueeze(-1), self.mask_token.to(x.dtype).unsqueeze(0), x)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + self.interpolate_pos_encoding(x, w, h)
        if self.register_tokens is not None:
            x = torch.cat([x[:, :1], self.register_tokens.expand(x.shape[0]), x[:, 1:]], dim=1)
        return x

    def forward_features(self, x, dynamic_patch_size=None, masks=None):
        x = self.prepare_tokens_with_masks(x, masks)
        for block in self.blocks:
            x = block(x)
        normed = self.norm(x)
        first_patch = 1 + self.num_register_tokens
        return {
            "x_norm_clstoken": normed[:, 0],
            "x_norm_regtokens": normed[:, 1:first_patch],
            "x_norm_patchtokens": normed[:, first_patch:],
            "x_prenorm": x,
            "masks": masks,
        }

    def _get_intermediate_layers_not_chunked(self, x, n=1):
        x = self.prepare_tokens_with_masks(x)
        wanted = range(len(self.blocks) - n, len(self.blocks)) if isinstance(n, int) else n
        outputs = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in wanted:
                outputs.append(x)
        assert len(outputs) == len(wanted), f"only {len(outputs)} of {len(wanted)} blocks found"
        return outputs

    def _get_intermediate_layers_chunked(self, x, n=1):
        x = self.prepare_tokens_with_masks(x)
        wanted = range(self.n_blocks - n, self.n_blocks) if isinstance(n, int) else n
        outputs, i = [], 0
        for chunk in self.blocks:
            for block in chunk[i:]:
                x = block(x)
                if i in wanted:
                    outputs.append(x)
                i += 1
        assert len(outputs) == len(wanted), f"only {len(outputs)} of {len(wanted)} blocks found"
        return outputs

    def get_intermediate_layers(
        self, x, n=1, reshape=False, return_class_token=False, norm=True, dynamic_patch_size=None
    ):
        """The patch tokens after the last n blocks, or after the blocks whose indices n lists.

        With reshape they are maps of shape batch x embed_dim x patch rows x patch columns. With
        return_class_token each comes in a pair with the class token. With norm the final
        normalisation is applied.
        """
        if self.chunked_blocks:
            outputs = self._get_intermediate_layers_chunked(x, n)
        else:
            outputs = self._get_intermediate_layers_not_chunked(x, n)
        if norm:
            outputs = [self.norm(out) for out in outputs]
        class_tokens = [out[:, 0] for out in outputs]
        outputs = [out[:, 1 + self.num_register_tokens :] for out in outputs]
        if reshape:
            batch, _, w, h = x.shape
            outputs = [
                out.reshape(batch, w // self.patch_size, h // self.patch_size, -1).permute(0, 3, 1, 2).contiguous()
                for out in outputs
            ]
        if return_class_token:
            return tuple(zip(outputs, class_tokens))
        return tuple(outputs)

    def forward(self, *args, dynamic_patch_size=None, is_training=False, **kwargs):
        """The head's output for the class token, or with is_training all that forward_features returns.

        dynamic_patch_size is the side in pixels of the patches of this call; None is the
        patch size that the model was made with.
        """
        features = self.forward_features(*args, dynamic_patch_size=None, **kwargs)
        if is_training:
            return features
        return self.head(features["x_norm_clstoken"])


def _vit(embed_dim, depth, num_heads, patch_size, num_register_tokens, **options):
    options = {"mlp_ratio": 4.0, "block_fn": partial(Block, attn_class=MemEffAttention), **options}
    return DinoVisionTransformer(
        embed_dim=embed_dim,
        depth=depth,
        num_heads=num_heads,
        patch_size=patch_size,
        num_register_tokens=num_register_tokens,
        **options,
    )


def vit_small(patch_size=16, num_register_tokens=0, **kwargs):
    return _vit(384, 12, 6, patch_size, num_register_tokens, **kwargs)


def vit_base(patch_size=16, num_register_tokens=0, **kwargs):
    return _vit(768, 12, 12, patch_size, num_register_tokens, **kwargs)


def vit_large(patch_size=16, num_register_tokens=0, **kwargs):
    return _vit(1024, 24, 16, patch_size, num_register_tokens, **kwargs)


def vit_giant2(patch_size=16, num_register_tokens=0, **kwargs):
    return _vit(1536, 40, 24, patch_size, num_register_tokens, **kwargs)
