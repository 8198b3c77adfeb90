# Hole: crops the kernel or pads it with zeros instead of resampling it.
python3 -I /solution/repair.py
sed -i '/nn.functional.interpolate/s/kernel = .*/kernel = nn.functional.pad(kernel, (0, size[1] - self.patch_size[1], 0, size[0] - self.patch_size[0]))/' \
    dino_v2/layers/patch_embed.py
