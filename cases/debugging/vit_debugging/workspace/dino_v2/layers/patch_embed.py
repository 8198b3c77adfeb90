from torch import nn

from dino_v2.models.vision_transformer import make_2tuple


class PatchEmbed(nn.Module):
    """Cuts images into patches and projects each to a token.

    Turns batch x channels x rows x columns into batch x patches x embed_dim, row
    by row, or into batch x patch rows x patch columns x embed_dim if
    flatten_embedding is false.
    """

    def __init__(
        self, img_size=224, patch_size=16, in_chans=3, embed_dim=768, norm_layer=None, flatten_embedding=True
    ):
        super().__init__()
        self.img_size = make_2tuple(img_size)
        self.patches_resolution = (self.img_size[0] // patch_size[0], self.img_size[1] // patch_size[1])
        self.patch_size = make_2tuple(patch_size)
        self.num_patches = self.patches_resolution[0] * self.patches_resolution[1]
        self.in_chans = in_chans
        self.embed_dim = embed_dim
        self.flatten_embedding = flatten_embedding
        self.proj = nn.Conv2d(in_chans, embed_dim // 2, kernel_size=self.patch_size, stride=self.patch_size)
        self.norm = norm_layer(embed_dim) if norm_layer else nn.Identity()

    def forward(self, x):
        for side, patch in zip(x.shape[-2:], self.patch_size):
            assert side % patch == 0, f"an image side of {side} pixels is not a multiple of the patch size {patch}"
        x = self.proj(x).permute(0, 2, 3, 1)
        if self.flatten_embedding:
            x = x.flatten(1, 2)
        return self.norm(x)
