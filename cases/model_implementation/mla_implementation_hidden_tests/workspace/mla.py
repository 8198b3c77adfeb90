"""Multi-head latent attention: keys and values are kept as one small row a token."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from mha import causal_mask, merge_heads, rope_tables, split_heads, weight
from utils import apply_rope_x


class MLA(nn.Module):
    """Latent attention with decoupled rotary position embedding.

    Each head has dh = d_model / n_heads query coordinates: first qk_nope_dim
    that know nothing of positions, then qk_rope_dim that are turned. The keys
    have the same two parts, the second of which is one for all heads.

    Args:
        d_model: size of the last dimension of input and output
        n_heads: number of heads; dh must be a multiple of 4
        max_len: number of positions
        rope_theta: base of the frequencies of the rotation
    """

    def __init__(self, d_model, n_heads, max_len=1024, rope_theta=10000.0):
        super().__init__()
        self.d_model = d_model
        self.n_heads = n_heads
        self.dh = d_model // n_heads
        self.q_proj_dim = d_model // 2
        self.kv_proj_dim = (2 * d_model) // 3
        self.qk_nope_dim = self.dh // 2
        self.qk_rope_dim = self.dh // 2

        # queries: down to q_proj_dim, and up to all heads
        self.W_dq = weight(d_model, self.q_proj_dim)
        self.W_uq = weight(self.q_proj_dim, d_model)
        self.q_layernorm = nn.LayerNorm(self.q_proj_dim)

        # keys and values: down to a latent and the turned key, and up from the latent
        self.W_dkv = weight(d_model, self.kv_proj_dim + self.qk_rope_dim)
        self.W_ukv = weight(self.kv_proj_dim, d_model + n_heads * self.qk_nope_dim)
        self.kv_layernorm = nn.LayerNorm(self.kv_proj_dim)

        self.W_o = weight(d_model, d_model)

        cos, sin = rope_tables(max_len, self.dh, rope_theta)
        self.register_buffer("cos_cached", cos)
        self.register_buffer("sin_cached", sin)

    def forward(self, x, kv_cache=None, past_length=0):
        """Attend from x to all tokens up to each one's own position.

        Args:
            x: the new tokens, (batch, length, d_model)
            kv_cache: the rows of earlier tokens, (batch, earlier, kv_proj_dim + qk_rope_dim)
            past_length: the position of the first token of x

        Returns:
            the output, of the shape of x
            the rows of all tokens, (batch, earlier + length, kv_proj_dim + qk_rope_dim)
        """
        # --- your code starts here ---
        raise NotImplementedError
        # --- your code ends here ---
