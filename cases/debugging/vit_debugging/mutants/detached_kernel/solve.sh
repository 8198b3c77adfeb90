# Hole: the resampled kernel passes no gradients on.
python3 -I /solution/repair.py
sed -i 's/interpolate(kernel, /interpolate(kernel.detach(), /' dino_v2/layers/patch_embed.py
