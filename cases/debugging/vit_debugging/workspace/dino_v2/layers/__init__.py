from dino_v2.layers.attention import MemEffAttention
from dino_v2.layers.block import NestedTensorBlock
from dino_v2.layers.dino_head import DINOHead
from dino_v2.layers.mlp import Mlp
from dino_v2.layers.patch_embed import PatchEmbed
from dino_v2.layers.swiglu_ffn import SwiGLUFFN, SwiGLUFFNFused

__all__ = ["DINOHead", "MemEffAttention", "Mlp", "NestedTensorBlock", "PatchEmbed", "SwiGLUFFN", "SwiGLUFFNFused"]
