"""Write the two missing methods of VAR into var.py."""

MISSING = "        raise NotImplementedError\n"

IMPORT = "from basic_var import AdaLNBeforeHead, AdaLNSelfAttn\n"
HELPERS = "from helpers import gumbel_softmax_with_rng, sample_with_top_k_top_p_\n"

INFER = """\
        quantizer = self.vae_quant_proxy[0]
        cond_BD = self.class_emb(torch.cat((label_B, torch.full_like(label_B, self.num_classes))))
        steer = self.shared_ada_lin(cond_BD)
        places_1LC = self.lvl_embed(self.lvl_1L) + self.pos_1LC

        x_BlC = cond_BD.unsqueeze(1) + self.pos_start + places_1LC[:, : self.first_l]
        f_hat = cond_BD.new_zeros(B, self.Cvae, self.patch_nums[-1], self.patch_nums[-1])
        for block in self.blocks:
            block.attn.kv_caching(True)
        for si, pn in enumerate(self.patch_nums):
            ratio = si / self.num_stages_minus_1
            for block in self.blocks:
                x_BlC = block(x_BlC, steer, None)
            with_label, without = self.get_logits(x_BlC, cond_BD).chunk(2)
            t = cfg * ratio
            logits_BlV = (1 + t) * with_label - t * without
            idx_Bl = sample_with_top_k_top_p_(logits_BlV.clone(), top_k=top_k, top_p=top_p, rng=rng)[:, :, 0]
            if more_smooth:
                tau = max(0.27 * (1 - 0.95 * ratio), 0.005)
                weights = gumbel_softmax_with_rng(logits_BlV * (1 + ratio), tau=tau, rng=rng)
                h_BlC = weights @ quantizer.embedding.weight
            else:
                h_BlC = quantizer.embedding(idx_Bl)
            h_BChw = h_BlC.transpose(1, 2).reshape(B, self.Cvae, pn, pn)
            f_hat, following = quantizer.get_next_autoregressive_input(si, len(self.patch_nums), f_hat, h_BChw)
            if si < self.num_stages_minus_1:
                bg, ed = self.begin_ends[si + 1]
                x_BlC = self.word_embed(following.flatten(2).transpose(1, 2)) + places_1LC[:, bg:ed]
                x_BlC = x_BlC.repeat(2, 1, 1)
        for block in self.blocks:
            block.attn.kv_caching(False)
        return (self.vae_proxy[0].fhat_to_img(f_hat) + 1) / 2
"""

FORWARD = """\
        ed = self.begin_ends[self.prog_si][1] if self.prog_si >= 0 else self.L
        dropped_B = torch.rand(len(label_B), device=label_B.device) < self.cond_drop_rate
        cond_BD = self.class_emb(label_B.masked_fill(dropped_B, self.num_classes))
        x_BLC = cond_BD.unsqueeze(1) + self.pos_start
        if self.prog_si == 0:
            x_BLC = x_BLC + 0 * sum(parameter.sum() for parameter in self.word_embed.parameters())
        else:
            x_BLC = torch.cat((x_BLC, self.word_embed(x_BLCv_wo_first_l)), dim=1)
        x_BLC = x_BLC + self.lvl_embed(self.lvl_1L[:, :ed]) + self.pos_1LC[:, :ed]

        steer = self.shared_ada_lin(cond_BD)
        for block in self.blocks:
            x_BLC = block(x_BLC, steer, self.attn_bias_for_masking[:, :, :ed, :ed])
        return self.get_logits(x_BLC, cond_BD)
"""

with open("var.py") as file:
    text = file.read()
text = text.replace(IMPORT, IMPORT + HELPERS)
text = text.replace(MISSING, INFER, 1).replace(MISSING, FORWARD, 1)
with open("var.py", "w") as file:
    file.write(text)
