import torch
import torch.nn as nn

from vit import VisionTransformer


class PatchEmbedPerChannel(nn.Module):
    """Cuts each channel of an image into patches of its own and makes a token of each.

    Args:
        img_size: side of the square images in pixels
        patch_size: side of a patch in pixels
        in_chans: channels that the model knows
        embed_dim: size of a token
    """

    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768):
        super().__init__()
        # --- your code starts here: the rest of the constructor, and forward ---
        raise NotImplementedError
        # --- your code ends here ---


class ChannelViT(VisionTransformer):
    """A ViT whose tokens each belong to one channel; takes the arguments of VisionTransformer."""

    def __init__(self, img_size=None, patch_size=16, in_chans=3, num_classes=0, embed_dim=768, drop_rate=0.0, **options):
        super().__init__(img_size, patch_size, in_chans, num_classes, embed_dim, drop_rate=drop_rate, **options)
        self.patch_embed = PatchEmbedPerChannel(
            img_size=self.img_size[0], patch_size=patch_size, in_chans=in_chans, embed_dim=embed_dim
        )
        positions = self.patch_embed.num_patches // in_chans + 1
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, positions, embed_dim))
        self.pos_drop = nn.Dropout(drop_rate)

    def prepare_tokens(self, x, current_channel_indices=None):
        # --- your code starts here ---
        raise NotImplementedError
        # --- your code ends here ---

    def forward(self, x, current_channel_indices=None):
        """All tokens of a batch of images, normalised after the last block.

        Args:
            x: the images, (B, num_chans, height, width)
            current_channel_indices: which channels x has, (B, num_chans); None for all of them
                For example, two images with the first and the last of three channels have [[0, 2], [0, 2]].
        """
        x = self.prepare_tokens(self.input_drop(x), current_channel_indices)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
