"""Residual vector quantisation over several scales.

A feature map f of shape (B, Cvae, H, W) is written as a sum: scale by scale, what
is still missing is made smaller, quantised with one codebook, made as large as f
again, smoothed by a convolution, and added to f_hat. Scale si has
v_patch_nums[si] ** 2 tokens.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class VectorQuantizer2(nn.Module):
    """The codebook and the residual convolutions of all scales."""

    def __init__(
        self,
        vocab_size,
        Cvae,
        using_znorm,
        beta=0.25,
        default_qresi_counts=0,
        v_patch_nums=(1, 2, 3, 4, 5, 6, 8, 10, 13, 16),
        quant_resi=0.5,
        share_quant_resi=4,
    ):
        super().__init__()
        self.vocab_size = vocab_size
        self.Cvae = Cvae
        self.using_znorm = using_znorm
        self.beta = beta
        self.v_patch_nums = tuple(v_patch_nums)
        self.embedding = nn.Embedding(vocab_size, Cvae)
        if share_quant_resi == 0:
            count = default_qresi_counts or len(self.v_patch_nums)
            self.quant_resi = PhiNonShared([Phi(Cvae, quant_resi) for _ in range(count)])
        elif share_quant_resi == 1:
            self.quant_resi = PhiShared(Phi(Cvae, quant_resi))
        else:
            self.quant_resi = PhiPartiallyShared([Phi(Cvae, quant_resi) for _ in range(share_quant_resi)])

    def forward(self, f_BChw):
        """Quantise features for training: f_hat with straight gradients, and the loss."""
        f_hat, loss = torch.zeros_like(f_BChw), 0.0
        for si, idx_Bhw in enumerate(self._indices(f_BChw)):
            f_hat = f_hat + self._enlarged(si, self.embedding(idx_Bhw).permute(0, 3, 1, 2))
            loss = loss + self.beta * F.mse_loss(f_hat.detach(), f_BChw) + F.mse_loss(f_hat, f_BChw.detach())
        return f_BChw + (f_hat - f_BChw).detach(), loss / len(self.v_patch_nums)

    def embed_to_fhat(self, ms_h_BChw, all_to_max_scale=True, last_one=False):
        """Add up the codebook vectors of all scales.

        Returns f_hat after each scale, or only the last with last_one. Without
        all_to_max_scale, f_hat after scale si is returned in the size of that scale.
        """
        steps = []
        f_hat = ms_h_BChw[0].new_zeros(len(ms_h_BChw[0]), self.Cvae, self.v_patch_nums[-1], self.v_patch_nums[-1])
        for si, h_BChw in enumerate(ms_h_BChw):
            f_hat = f_hat + self._enlarged(si, h_BChw)
            steps.append(f_hat if all_to_max_scale else self._shrunk(si, f_hat))
        return steps[-1] if last_one else steps

    def f_to_idxBl_or_fhat(self, f_BChw, to_fhat):
        """Quantise features: for each scale the indices (B, l), or f_hat after it."""
        indices = self._indices(f_BChw)
        if not to_fhat:
            return [idx_Bhw.flatten(1) for idx_Bhw in indices]
        return self.embed_to_fhat([self.embedding(idx_Bhw).permute(0, 3, 1, 2) for idx_Bhw in indices])

    def idxBl_to_var_input(self, gt_ms_idx_Bl):
        """Turn the indices of all scales into the input of VAR.forward.

        The result has the shape (B, L - first_l, Cvae): for every scale but the
        first, f_hat of the scales before it, in the size of that scale.
        """
        B, SN = len(gt_ms_idx_Bl[0]), len(self.v_patch_nums)
        pn = self.v_patch_nums[-1]
        f_hat = self.embedding.weight.new_zeros(B, self.Cvae, pn, pn)
        inputs = [f_hat.new_zeros(B, 0, self.Cvae)]
        for si in range(SN - 1):
            pn = self.v_patch_nums[si]
            h_BChw = self.embedding(gt_ms_idx_Bl[si]).transpose(1, 2).reshape(B, self.Cvae, pn, pn)
            f_hat, following = self.get_next_autoregressive_input(si, SN, f_hat, h_BChw)
            inputs.append(following.flatten(2).transpose(1, 2))
        return torch.cat(inputs, dim=1)

    def get_next_autoregressive_input(self, si, SN, f_hat, h_BChw):
        """Add the codebook vectors of scale si (of SN) to f_hat, in place.

        h_BChw has the shape (B, Cvae, pn, pn) of that scale, f_hat that of the
        last one. Returns f_hat, and f_hat in the size of the scale that follows;
        after the last scale f_hat is returned twice.
        """
        f_hat.add_(self._enlarged(si, h_BChw))
        return f_hat, f_hat if si == SN - 1 else self._shrunk(si + 1, f_hat)

    def _indices(self, f_BChw):
        """The indices (B, pn, pn) of each scale that come closest to the features."""
        indices = []
        with torch.no_grad():
            rest = f_BChw.detach().clone()
            for si in range(len(self.v_patch_nums)):
                idx_Bhw = self._nearest(self._shrunk(si, rest).permute(0, 2, 3, 1))
                rest -= self._enlarged(si, self.embedding(idx_Bhw).permute(0, 3, 1, 2))
                indices.append(idx_Bhw)
        return indices

    def _nearest(self, z_BhwC):
        book = self.embedding.weight
        if self.using_znorm:
            return (F.normalize(z_BhwC, dim=-1) @ F.normalize(book, dim=-1).T).argmax(dim=-1)
        return (book.square().sum(dim=1) - 2 * z_BhwC @ book.T).argmin(dim=-1)

    def _enlarged(self, si, h_BChw):
        """Codebook vectors of scale si in the size of f, smoothed."""
        pn, last = self.v_patch_nums[-1], len(self.v_patch_nums) - 1
        if h_BChw.shape[-1] != pn:
            h_BChw = F.interpolate(h_BChw, size=(pn, pn), mode="bicubic")
        return self.quant_resi[si / last if last else 1.0](h_BChw)

    def _shrunk(self, si, f_BChw):
        pn = self.v_patch_nums[si]
        return F.interpolate(f_BChw, size=(pn, pn), mode="area")


class Phi(nn.Conv2d):
    """A convolution that is mixed with its input in the ratio quant_resi."""

    def __init__(self, channels, quant_resi):
        super().__init__(channels, channels, 3, padding=1)
        self.resi_ratio = abs(quant_resi)

    def forward(self, h_BChw):
        return h_BChw * (1 - self.resi_ratio) + super().forward(h_BChw) * self.resi_ratio


class PhiShared(nn.Module):
    """One convolution for all scales."""

    def __init__(self, phi):
        super().__init__()
        self.phi = phi

    def __getitem__(self, at):
        return self.phi


class PhiPartiallyShared(nn.Module):
    """Some convolutions, each for the scales nearest to it; `at` runs from 0 to 1."""

    def __init__(self, phis):
        super().__init__()
        self.phis = nn.ModuleList(phis)

    def __getitem__(self, at):
        return self.phis[min(int(at * len(self.phis)), len(self.phis) - 1)]


class PhiNonShared(PhiPartiallyShared):
    """A convolution of its own for each scale."""

    def __getitem__(self, at):
        return self.phis[round(at * (len(self.phis) - 1))]
