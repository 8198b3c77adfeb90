"""VAR once more, as directly as possible: nothing is cached, and nothing is fast.

Inference runs the masked pass over all tokens so far anew for every scale, once
for the labels and once for "no class". A model that caches must get the same.
Parameters and attributes have the names of those in var.py.
"""

from functools import partial

import helpers
import torch
from basic_var import AdaLNBeforeHead, AdaLNSelfAttn
from torch import nn


class SharedAdaLin(nn.Linear):
    def forward(self, cond_BD):
        return super().forward(cond_BD).view(-1, 1, 6, self.in_features)


class VAR(nn.Module):
    def __init__(
        self, vae, num_classes, depth, embed_dim, num_heads, patch_nums, cond_drop_rate, shared_aln=False, attn_l2_norm=False
    ):
        super().__init__()
        self.vae_proxy, self.Cvae, self.V = (vae,), vae.Cvae, vae.vocab_size
        self.num_classes, self.cond_drop_rate = num_classes, cond_drop_rate
        self.prog_si, self.patch_nums, self.first_l = -1, patch_nums, patch_nums[0] ** 2
        ends = [sum(pn**2 for pn in patch_nums[: si + 1]) for si in range(len(patch_nums))]
        self.begin_ends, self.L = list(zip([0, *ends], ends)), ends[-1]
        self.scale_of = torch.tensor([si for si, pn in enumerate(patch_nums) for _ in range(pn**2)])
        self.rng = torch.Generator()

        self.word_embed = nn.Linear(self.Cvae, embed_dim)
        self.class_emb = nn.Embedding(num_classes + 1, embed_dim)
        self.pos_start = nn.Parameter(torch.empty(1, self.first_l, embed_dim))
        self.pos_1LC = nn.Parameter(torch.empty(1, self.L, embed_dim))
        self.lvl_embed = nn.Embedding(len(patch_nums), embed_dim)
        shared = (nn.SiLU(), SharedAdaLin(embed_dim, 6 * embed_dim)) if shared_aln else ()
        self.shared_ada_lin = nn.Sequential(*shared)
        same = {"shared_aln": shared_aln, "attn_l2_norm": attn_l2_norm, "flash_if_available": False}
        blocks = (AdaLNSelfAttn(embed_dim, embed_dim, num_heads, **same) for _ in range(depth))
        self.blocks = nn.ModuleList(blocks)
        self.head_nm = AdaLNBeforeHead(embed_dim, embed_dim, partial(nn.LayerNorm, eps=1e-6))
        self.head = nn.Linear(embed_dim, self.V)

    def forward(self, label_B, x_BLCv_wo_first_l):
        end = self.L if self.prog_si < 0 else self.begin_ends[self.prog_si][1]
        dropped = torch.rand(len(label_B)) < self.cond_drop_rate
        inputs = x_BLCv_wo_first_l[:, : end - self.first_l]
        return self.masked_pass(torch.where(dropped, self.num_classes, label_B), inputs)

    def masked_pass(self, label_B, inputs):
        embedded = self.class_emb(label_B)
        first = embedded[:, None].expand(-1, self.first_l, -1) + self.pos_start
        x = torch.cat((first, self.word_embed(inputs)), 1)
        n = x.shape[1]
        x = x + self.pos_1LC[:, :n] + self.lvl_embed.weight[self.scale_of[:n]]
        finer = self.scale_of[None, :n] > self.scale_of[:n, None]
        mask = torch.zeros(n, n, dtype=x.dtype).masked_fill(finer, -torch.inf)
        for block in self.blocks:
            x = block(x, self.shared_ada_lin(embedded), mask)
        return self.head(self.head_nm(x, embedded))

    @torch.no_grad()
    def autoregressive_infer_cfg(self, B, label_B, g_seed=None, cfg=1.5, top_k=0, top_p=0.0, more_smooth=False):
        rng = None if g_seed is None else self.rng.manual_seed(g_seed)
        if label_B is None:
            label_B = torch.multinomial(torch.ones(1, self.num_classes), B, replacement=True, generator=rng)[0]
        elif isinstance(label_B, int):
            label_B = torch.tensor([label_B if label_B >= 0 else self.num_classes] * B)
        vae, last = self.vae_proxy[0], len(self.patch_nums) - 1
        book = vae.quantize.embedding.weight
        inputs = book.new_zeros(B, 0, self.Cvae)
        f_hat = book.new_zeros(B, self.Cvae, self.patch_nums[-1], self.patch_nums[-1])
        for si, pn in enumerate(self.patch_nums):
            with_label, without = (
                self.masked_pass(labels, inputs)[:, -(pn**2) :]
                for labels in (label_B, torch.full_like(label_B, self.num_classes))
            )
            guided = with_label + cfg * si / last * (with_label - without)
            tokens = helpers.sample_with_top_k_top_p_(guided, top_k, top_p, rng)[..., 0]
            weights = torch.nn.functional.one_hot(tokens, self.V).to(book.dtype)
            if more_smooth:
                tau = max(0.27 * (1 - 0.95 * si / last), 0.005)
                weights = helpers.gumbel_softmax_with_rng(guided * (1 + si / last), tau, rng=rng)
            h = (weights @ book).permute(0, 2, 1).reshape(B, self.Cvae, pn, pn)
            f_hat, following = vae.quantize.get_next_autoregressive_input(si, last + 1, f_hat, h)
            inputs = torch.cat((inputs, following.flatten(2).permute(0, 2, 1)), 1)
        return vae.fhat_to_img(f_hat).add(1).div(2)
