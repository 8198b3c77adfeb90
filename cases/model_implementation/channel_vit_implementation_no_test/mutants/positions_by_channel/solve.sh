# Hole: the positional rows are repeated one by one, not table by table.
cat >> channel_vit.py <<'PY'


class PatchEmbedPerChannel(nn.Module):
    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768):
        super().__init__()
        self.num_patches = (img_size // patch_size) ** 2 * in_chans
        self.proj = nn.Conv2d(1, embed_dim, patch_size, patch_size)
        self.channel_embed = nn.Parameter(0.02 * torch.randn(in_chans, embed_dim))

    def forward(self, x, channels):
        tokens = []
        for i, channel in enumerate(channels.T):
            patches = self.proj(x[:, i : i + 1]).flatten(2).mT
            tokens.append(patches + self.channel_embed[channel, None])
        return torch.cat(tokens, 1)


def prepare_tokens(self, x, current_channel_indices=None):
    channels = current_channel_indices
    if channels is None:
        channels = torch.arange(x.shape[1]).expand(x.shape[:2])
    tokens = self.patch_embed(x, channels) + self.pos_embed[:, 1:].repeat_interleave(x.shape[1], 1)
    cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
    return self.pos_drop(torch.cat([cls, tokens], 1))


ChannelViT.prepare_tokens = prepare_tokens
PY
