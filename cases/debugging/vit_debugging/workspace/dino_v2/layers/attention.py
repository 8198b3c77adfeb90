from torch import nn

try:
    from xformers.ops import memory_efficient_attention

    XFORMERS_AVAILABLE = True
except ImportError:
    XFORMERS_AVAILABLE = False


class Attention(nn.Module):
    """Multi-head self-attention over tokens of shape batch x tokens x dim."""

    def __init__(self, dim, num_heads=8, qkv_bias=False, proj_bias=True, attn_drop=0.0, proj_drop=0.0):
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, 2 * dim, bias=proj_bias)
        self.proj_drop = nn.Dropout(proj_drop)

    def queries_keys_values(self, x):
        """Three tensors of shape batch x tokens x heads x (dim / heads)."""
        batch, tokens, dim = x.shape
        return self.qkv(x).reshape(batch, tokens, 3, self.num_heads, dim // self.num_heads).unbind(2)

    def forward(self, x):
        q, k, v = (part.transpose(1, 2) for part in self.queries_keys_values(x))
        weights = (self.scale * q @ k.transpose(-2, -1)).softmax(dim=-1)
        mixed = self.attn_drop(weights) @ v
        return self.proj_drop(self.proj(mixed.transpose(1, 2).flatten(2)))


class MemEffAttention(Attention):
    """Attention that needs less memory where xFormers is installed."""

    def forward(self, x, attn_bias=None):
        if not XFORMERS_AVAILABLE:
            assert attn_bias is None, "an attention bias needs xFormers"
            return super().forward(x)
        q, k, v = self.queries_keys_values(x)
        mixed = memory_efficient_attention(q, k, v, attn_bias=attn_bias)
        return self.proj_drop(self.proj(mixed.flatten(2)))
