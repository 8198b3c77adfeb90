"""Repair the package dino_v2, one defect after the other."""

import pathlib

LAYERS = pathlib.Path("dino_v2/layers")
MODEL = pathlib.Path("dino_v2/models/vision_transformer.py")


def replace(path, old, new, times=1):
    text = path.read_text()
    if text.count(old) != times:
        raise SystemExit(f"{path}: {old!r} is there {text.count(old)} times")
    path.write_text(text.replace(old, new))


# Widths that do not fit each other.
replace(LAYERS / "attention.py", "nn.Linear(dim, 2 * dim, ", "nn.Linear(dim, dim, ")
replace(LAYERS / "mlp.py", "nn.Linear(2 * hidden_features, ", "nn.Linear(hidden_features, ")
replace(LAYERS / "swiglu_ffn.py", "nn.Linear(2 * hidden_features, ", "nn.Linear(hidden_features, ")
replace(LAYERS / "patch_embed.py", "embed_dim // 2, ", "embed_dim, ")

# The layers must not need the model that is made of them.
replace(
    LAYERS / "patch_embed.py",
    "\nfrom dino_v2.models.vision_transformer import make_2tuple\n",
    """\

def make_2tuple(x):
    \"\"\"A pair as it is, or a number twice.\"\"\"
    return x if isinstance(x, tuple) else (x, x)
""",
)
replace(
    LAYERS / "patch_embed.py",
    """\
        self.patches_resolution = (self.img_size[0] // patch_size[0], self.img_size[1] // patch_size[1])
        self.patch_size = make_2tuple(patch_size)
""",
    """\
        self.patch_size = make_2tuple(patch_size)
        self.patches_resolution = (self.img_size[0] // self.patch_size[0], self.img_size[1] // self.patch_size[1])
""",
)

replace(MODEL, "expand(x.shape[0])", "expand(x.shape[0], -1, -1)")

# Patches of another size: the kernel is resampled, the positions are interpolated to the new grid.
replace(
    LAYERS / "patch_embed.py",
    """\
    def forward(self, x):
        for side, patch in zip(x.shape[-2:], self.patch_size):
""",
    """\
    def forward(self, x, patch_size=None):
        size = make_2tuple(patch_size or self.patch_size)
        for side, patch in zip(x.shape[-2:], size):
""",
)
replace(
    LAYERS / "patch_embed.py",
    "        x = self.proj(x).permute(0, 2, 3, 1)\n",
    """\
        kernel = self.proj.weight
        if size != self.patch_size:
            kernel = nn.functional.interpolate(kernel, size=size, mode="bicubic")
        x = nn.functional.conv2d(x, kernel, self.proj.bias, stride=size).permute(0, 2, 3, 1)
""",
)
replace(MODEL, "def interpolate_pos_encoding(self, x, w, h):", "def interpolate_pos_encoding(self, x, w, h, patch_size=None):")
replace(
    MODEL,
    "        grid = (w // self.patch_size, h // self.patch_size)\n",
    "        size = patch_size or self.patch_size\n        grid = (w // size, h // size)\n",
)
replace(
    MODEL,
    "def prepare_tokens_with_masks(self, x, masks=None):",
    "def prepare_tokens_with_masks(self, x, masks=None, dynamic_patch_size=None):",
)
replace(MODEL, "self.patch_embed(x)", "self.patch_embed(x, dynamic_patch_size)")
replace(MODEL, "self.interpolate_pos_encoding(x, w, h)", "self.interpolate_pos_encoding(x, w, h, dynamic_patch_size)")
replace(MODEL, "self.prepare_tokens_with_masks(x, masks)", "self.prepare_tokens_with_masks(x, masks, dynamic_patch_size)")
replace(MODEL, "chunked(self, x, n=1):", "chunked(self, x, n=1, dynamic_patch_size=None):", times=2)
replace(MODEL, "self.prepare_tokens_with_masks(x)", "self.prepare_tokens_with_masks(x, None, dynamic_patch_size)", times=2)
replace(MODEL, "chunked(x, n)", "chunked(x, n, dynamic_patch_size)", times=2)
replace(
    MODEL,
    "            batch, _, w, h = x.shape\n",
    "            batch, _, w, h = x.shape\n            size = dynamic_patch_size or self.patch_size\n",
)
replace(MODEL, "w // self.patch_size, h // self.patch_size, -1", "w // size, h // size, -1")
replace(MODEL, "(*args, dynamic_patch_size=None, **kwargs)", "(*args, dynamic_patch_size=dynamic_patch_size, **kwargs)")
