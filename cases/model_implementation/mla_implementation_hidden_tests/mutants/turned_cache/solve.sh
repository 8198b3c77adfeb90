# Hole: keeps turned keys, so the rows are not those of the projection; whole inputs and steps agree with each other.
sed -i -e '/raise NotImplementedError/{r /dev/stdin' -e 'd' -e '}' mla.py <<'CODE'
        def turned(part, start):
            rows, columns = slice(start, start + part.shape[2]), slice(self.qk_rope_dim // 2)
            cos, sin = (table[:, :, rows, columns].repeat(1, 1, 1, 2) for table in (self.cos_cached, self.sin_cached))
            return apply_rope_x(part, cos, sin)

        latent, k_rope = (x @ self.W_dkv).split([self.kv_proj_dim, self.qk_rope_dim], dim=-1)
        rows = torch.cat([latent, turned(k_rope[:, None], past_length)[:, 0]], dim=-1)
        kv_cache = rows if kv_cache is None else torch.cat([kv_cache, rows], dim=1)
        length, full_length = x.shape[1], kv_cache.shape[1]

        q = split_heads(self.q_layernorm(x @ self.W_dq) @ self.W_uq, self.n_heads)
        q_nope, q_rope = q.split([self.qk_nope_dim, self.qk_rope_dim], dim=-1)
        q = torch.cat([q_nope, turned(q_rope, past_length)], dim=-1)

        latent, k_rope = kv_cache.split([self.kv_proj_dim, self.qk_rope_dim], dim=-1)
        kv = split_heads(self.kv_layernorm(latent) @ self.W_ukv, self.n_heads)
        k_nope, v = kv.split([self.qk_nope_dim, self.dh], dim=-1)
        k_rope = k_rope[:, None].expand(-1, self.n_heads, -1, -1)
        k = torch.cat([k_nope, k_rope], dim=-1)

        mask = causal_mask(length, full_length, past_length, x.device)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return merge_heads(out) @ self.W_o.T, kv_cache
CODE
