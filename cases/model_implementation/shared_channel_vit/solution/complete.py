"""Write the two missing parts into channel_vit.py."""

MISSING = "        raise NotImplementedError\n"

PATCHES = """\
        self.patch_size = patch_size
        self.num_patches = (img_size // patch_size) ** 2 * in_chans
        self.proj = nn.Conv2d(1, embed_dim, kernel_size=patch_size, stride=patch_size)
        self.channel_embed = nn.Embedding(in_chans, embed_dim)
        nn.init.normal_(self.channel_embed.weight, std=0.02)

    def forward(self, x, channels):
        tokens = self.proj(x.flatten(0, 1).unsqueeze(1)).flatten(2).transpose(1, 2)
        tokens = tokens.unflatten(0, channels.shape) + self.channel_embed(channels).unsqueeze(2)
        return tokens.flatten(1, 2)
"""

TOKENS = """\
        channels = current_channel_indices
        if channels is None:
            channels = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        patches = self.patch_embed(x, channels) + self.pos_embed[:, 1:].repeat(1, x.shape[1], 1)
        return self.pos_drop(torch.cat((cls, patches), dim=1))
"""

with open("channel_vit.py") as file:
    text = file.read()
text = text.replace(MISSING, PATCHES, 1).replace(MISSING, TOKENS, 1)
with open("channel_vit.py", "w") as file:
    file.write(text)
