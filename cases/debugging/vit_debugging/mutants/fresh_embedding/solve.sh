# Hole: a new PatchEmbed with random weights for each call has the right shapes, and no more.
python3 -I /solution/repair.py
sed -i '/nn.functional.interpolate/s/kernel = .*/kernel = nn.Conv2d(self.in_chans, self.embed_dim, size).weight/' dino_v2/layers/patch_embed.py
