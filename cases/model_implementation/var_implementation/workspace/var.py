"""VAR, a visual autoregressive model: it predicts an image scale by scale.

Letters at the end of a name tell the shape:

    B   batch                      C, D  width of the transformer
    L   tokens of all scales       Cvae  width of the codebook
    l   tokens of one scale        V     size of the codebook
"""

from functools import partial

import torch
import torch.nn as nn

from basic_var import AdaLNBeforeHead, AdaLNSelfAttn


class SharedAdaLin(nn.Linear):
    """Turns a condition into the six vectors of a block, once for all blocks."""

    def forward(self, cond_BD):
        return super().forward(cond_BD).view(-1, 1, 6, self.weight.shape[0] // 6)


class VAR(nn.Module):
    """A transformer over the tokens of a VQVAE.

    Args:
        vae_local: the VQVAE, which does not become a part of this module
        num_classes: number of labels; the label num_classes stands for "no class"
        depth, embed_dim, num_heads, mlp_ratio: sizes of the transformer
        drop_rate, attn_drop_rate, drop_path_rate: dropout in training mode
        norm_eps: epsilon of the layer norms
        shared_aln: whether the blocks share the layer that turns the condition into six vectors
        cond_drop_rate: probability that forward replaces a label by "no class"
        attn_l2_norm: whether queries and keys are normalised
        patch_nums: scale si has patch_nums[si] ** 2 tokens
        flash_if_available: whether to use the attention that comes with torch
        fused_if_available: without effect, since this code has no fused feed-forward layer
    """

    def __init__(
        self,
        vae_local,
        num_classes=1000,
        depth=16,
        embed_dim=1024,
        num_heads=16,
        mlp_ratio=4.0,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.0,
        norm_eps=1e-6,
        shared_aln=False,
        cond_drop_rate=0.1,
        attn_l2_norm=False,
        patch_nums=(1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        flash_if_available=True,
        fused_if_available=True,
    ):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.Cvae, self.V = vae_local.Cvae, vae_local.vocab_size
        self.depth, self.C, self.D, self.num_heads = depth, embed_dim, embed_dim, num_heads
        self.num_classes, self.cond_drop_rate = num_classes, cond_drop_rate

        # Progressive training: forward ends with scale prog_si, or knows all scales if it is negative.
        self.prog_si = -1

        self.patch_nums = tuple(patch_nums)
        self.num_stages_minus_1 = len(self.patch_nums) - 1
        self.first_l = self.patch_nums[0] ** 2
        self.begin_ends = []  # for each scale the indices of its tokens: begin, and end (exclusive)
        self.L = 0
        for pn in self.patch_nums:
            self.begin_ends.append((self.L, self.L + pn**2))
            self.L += pn**2

        self.rng = torch.Generator()

        # Input. The tuples hide the VQVAE from parameters() and state_dict().
        self.vae_proxy = (vae_local,)
        self.vae_quant_proxy = (vae_local.quantize,)
        self.word_embed = nn.Linear(self.Cvae, self.C)
        std = (1 / self.C / 3) ** 0.5

        # Class: the last row of class_emb is that of "no class".
        self.uniform_prob = torch.full((1, num_classes), 1 / num_classes)
        self.class_emb = nn.Embedding(num_classes + 1, self.C)
        self.pos_start = nn.Parameter(torch.randn(1, self.first_l, self.C) * std)

        # Absolute positions of all tokens, and the scales that they belong to.
        self.pos_1LC = nn.Parameter(torch.randn(1, self.L, self.C) * std)
        self.lvl_embed = nn.Embedding(len(self.patch_nums), self.C)

        # Blocks.
        self.shared_ada_lin = (
            nn.Sequential(nn.SiLU(), SharedAdaLin(self.D, 6 * self.C)) if shared_aln else nn.Identity()
        )
        self.blocks = nn.ModuleList(
            AdaLNSelfAttn(
                embed_dim=self.C,
                cond_dim=self.D,
                num_heads=num_heads,
                mlp_ratio=mlp_ratio,
                drop=drop_rate,
                attn_drop=attn_drop_rate,
                drop_path=drop_path_rate * i / max(depth - 1, 1),
                norm_eps=norm_eps,
                shared_aln=shared_aln,
                attn_l2_norm=attn_l2_norm,
                flash_if_available=flash_if_available,
            )
            for i in range(depth)
        )

        # The mask of training: a token sees those of its own scale and of the scales before.
        scale_L = torch.cat([torch.full((pn**2,), si) for si, pn in enumerate(self.patch_nums)])
        self.register_buffer("lvl_1L", scale_L.view(1, self.L))
        sees_LL = scale_L.view(self.L, 1) >= scale_L.view(1, self.L)
        mask_LL = torch.zeros(self.L, self.L).masked_fill(~sees_LL, -torch.inf)
        self.register_buffer("attn_bias_for_masking", mask_LL.view(1, 1, self.L, self.L))

        # Output.
        self.head_nm = AdaLNBeforeHead(self.C, self.D, norm_layer=partial(nn.LayerNorm, eps=norm_eps))
        self.head = nn.Linear(self.C, self.V)
        self.init_weights()

    def init_weights(self, init_std=0.02, init_adaln=0.5, init_adaln_gamma=1e-5, init_head=0.02):
        """Small random weights; gates begin almost closed, the head almost silent."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.trunc_normal_(module.weight, std=init_std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.head.weight.mul_(init_head)
            self.head_nm.ada_lin[-1].weight.mul_(init_adaln)
            for block in self.blocks:
                block.attn.proj.weight.div_((2 * self.depth) ** 0.5)
                block.ffn.fc2.weight.div_((2 * self.depth) ** 0.5)
                if block.shared_aln:
                    block.ada_gss[:, :, 2:].mul_(init_adaln)
                    block.ada_gss[:, :, :2].mul_(init_adaln_gamma)
                else:
                    block.ada_lin[-1].weight[2 * self.C :].mul_(init_adaln)
                    block.ada_lin[-1].weight[: 2 * self.C].mul_(init_adaln_gamma)

    def get_logits(self, h_BlC, cond_BD):
        """What the blocks made of some tokens, as logits (B, l, V); cond_BD are class embeddings."""
        return self.head(self.head_nm(h_BlC, cond_BD))

    @torch.no_grad()
    def autoregressive_infer_cfg(self, B, label_B, g_seed=None, cfg=1.5, top_k=0, top_p=0.0, more_smooth=False):
        """Make images, scale by scale, with classifier-free guidance.

        Args:
            B: number of images
            label_B: their labels, as a tensor (B,) or one number for all; negative means
                "no class", None means random labels
            g_seed: seed of the generator that everything random is drawn with
            cfg: strength of the guidance
            top_k, top_p: for sample_with_top_k_top_p_
            more_smooth: mix codebook vectors instead of taking the sampled ones

        Returns: images (B, 3, H, W) with values from 0 to 1
        """
        if g_seed is None:
            rng = None
        else:
            self.rng.manual_seed(g_seed)
            rng = self.rng
        if label_B is None:
            label_B = torch.multinomial(self.uniform_prob, num_samples=B, replacement=True, generator=rng).reshape(B)
        elif isinstance(label_B, int):
            label_B = torch.full((B,), self.num_classes if label_B < 0 else label_B)

        # --- your code starts here ---
        raise NotImplementedError
        # --- your code ends here ---

    def forward(self, label_B, x_BLCv_wo_first_l):
        """The pass of training, over the tokens of all scales at once.

        Args:
            label_B: labels (B,)
            x_BLCv_wo_first_l: the input of every scale but the first, (B, L - first_l, Cvae),
                from idxBl_to_var_input of the quantiser; with prog_si >= 0 it ends with scale prog_si

        Returns: logits (B, L, V); with prog_si >= 0 they end with scale prog_si
        """
        # --- your code starts here ---
        raise NotImplementedError
        # --- your code ends here ---
