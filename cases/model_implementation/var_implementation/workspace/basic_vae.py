"""Convolutional encoder and decoder of the image tokenizer, in the manner of VQGAN."""

import torch.nn as nn
import torch.nn.functional as F


def normalize(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResnetBlock(nn.Module):
    """Two normalised convolutions beside a shortcut."""

    def __init__(self, in_channels, out_channels, dropout=0.0):
        super().__init__()
        self.norm1 = normalize(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = normalize(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return self.shortcut(x) + h


class AttnBlock(nn.Module):
    """Attention of every place of a feature map to every other, with one head."""

    def __init__(self, channels):
        super().__init__()
        self.norm = normalize(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        B, C, H, W = x.shape
        q, k, v = self.qkv(self.norm(x)).view(B, 3, C, H * W).unbind(1)
        weights = (q.transpose(1, 2) @ k * C**-0.5).softmax(dim=-1)
        h = v @ weights.transpose(1, 2)
        return x + self.proj_out(h.view(B, C, H, W))


class Downsample(nn.Module):
    """Halve height and width."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Double height and width."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


def level(in_channels, out_channels, blocks, dropout, attention):
    """The blocks of one resolution."""
    layers = []
    for _ in range(blocks):
        layers.append(ResnetBlock(in_channels, out_channels, dropout))
        if attention:
            layers.append(AttnBlock(out_channels))
        in_channels = out_channels
    return layers


def middle(channels, dropout):
    return [ResnetBlock(channels, channels, dropout), AttnBlock(channels), ResnetBlock(channels, channels, dropout)]


class Encoder(nn.Module):
    """Images (B, 3, H, W) to features (B, z_channels, H / 16, W / 16), for five multipliers."""

    def __init__(self, ch=128, ch_mult=(1, 1, 2, 2, 4), num_res_blocks=2, dropout=0.0, in_channels=3, z_channels=32):
        super().__init__()
        layers = [nn.Conv2d(in_channels, ch, 3, padding=1)]
        channels = ch
        for i, mult in enumerate(ch_mult):
            last = i == len(ch_mult) - 1
            layers += level(channels, ch * mult, num_res_blocks, dropout, attention=last)
            channels = ch * mult
            if not last:
                layers.append(Downsample(channels))
        layers += middle(channels, dropout)
        layers += [normalize(channels), nn.SiLU(), nn.Conv2d(channels, z_channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class Decoder(nn.Module):
    """Features (B, z_channels, h, w) to images (B, 3, 16 h, 16 w), for five multipliers."""

    def __init__(self, ch=128, ch_mult=(1, 1, 2, 2, 4), num_res_blocks=2, dropout=0.0, in_channels=3, z_channels=32):
        super().__init__()
        channels = ch * ch_mult[-1]
        layers = [nn.Conv2d(z_channels, channels, 3, padding=1), *middle(channels, dropout)]
        for i, mult in reversed(list(enumerate(ch_mult))):
            last = i == len(ch_mult) - 1
            layers += level(channels, ch * mult, num_res_blocks + 1, dropout, attention=last)
            channels = ch * mult
            if i > 0:
                layers.append(Upsample(channels))
        layers += [normalize(channels), nn.SiLU(), nn.Conv2d(channels, in_channels, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z):
        return self.layers(z)
