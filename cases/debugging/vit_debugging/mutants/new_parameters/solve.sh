# Hole: a second kernel as a parameter of the model, made from the first one when it is needed.
python3 -I /solution/repair.py
sed -i 's/mode="bicubic")$/&\n            self.other = nn.Parameter(kernel.detach())\n            kernel = kernel + 0 * self.other/' dino_v2/layers/patch_embed.py
