"""The image tokenizer: images to indices of a codebook, on several scales, and back."""

import torch.nn as nn

from basic_vae import Decoder, Encoder
from quant import VectorQuantizer2


class VQVAE(nn.Module):
    """Encoder, quantiser and decoder; images have values from -1 to 1."""

    def __init__(
        self,
        vocab_size=4096,
        z_channels=32,
        ch=128,
        dropout=0.0,
        beta=0.25,
        using_znorm=False,
        quant_conv_ks=3,
        quant_resi=0.5,
        share_quant_resi=4,
        default_qresi_counts=0,
        v_patch_nums=(1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        test_mode=True,
    ):
        super().__init__()
        self.vocab_size, self.Cvae = vocab_size, z_channels
        self.encoder = Encoder(ch=ch, dropout=dropout, z_channels=z_channels)
        self.decoder = Decoder(ch=ch, dropout=dropout, z_channels=z_channels)
        self.downsample = 16
        self.quantize = VectorQuantizer2(
            vocab_size=vocab_size,
            Cvae=z_channels,
            using_znorm=using_znorm,
            beta=beta,
            default_qresi_counts=default_qresi_counts,
            v_patch_nums=v_patch_nums,
            quant_resi=quant_resi,
            share_quant_resi=share_quant_resi,
        )
        self.quant_conv = nn.Conv2d(z_channels, z_channels, quant_conv_ks, padding=quant_conv_ks // 2)
        self.post_quant_conv = nn.Conv2d(z_channels, z_channels, quant_conv_ks, padding=quant_conv_ks // 2)
        if test_mode:
            self.eval()
            self.requires_grad_(False)

    def forward(self, images):
        """The images as they come back from quantisation, and the loss of the quantiser."""
        f_hat, loss = self.quantize(self.quant_conv(self.encoder(images)))
        return self.decoder(self.post_quant_conv(f_hat)), loss

    def img_to_idxBl(self, images):
        """The indices (B, l) of each scale."""
        return self.quantize.f_to_idxBl_or_fhat(self.quant_conv(self.encoder(images)), to_fhat=False)

    def fhat_to_img(self, f_hat):
        """Decode f_hat of shape (B, Cvae, p, p) to images (B, 3, 16 p, 16 p) with values from -1 to 1."""
        return self.decoder(self.post_quant_conv(f_hat)).clamp_(-1, 1)
