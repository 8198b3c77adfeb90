import math

import torch
import torch.nn as nn


class LoraLinear(nn.Module):
    """A linear layer with a frozen weight W and a trainable low-rank update.

    Computes W x + bias + B (A x) * alpha / rank.

    Args:
        in_features: size of the last dimension of the input
        out_features: size of the last dimension of the output
        rank: rank of the update
        alpha: scale of the update, which is divided by the rank
        bias: whether there is a bias, which can be trained
        device: where the parameters are made
    """

    def __init__(self, in_features, out_features, rank=4, alpha=1.0, bias=True, device=None):
        super().__init__()
        # --- your code starts here: linear, lora_A, lora_B, rank, alpha ---
        raise NotImplementedError
        # --- your code ends here ---

    def forward(self, x):
        # --- your code starts here ---
        raise NotImplementedError
        # --- your code ends here ---

    def extra_repr(self):
        return (
            f"in_features={self.linear.in_features}, out_features={self.linear.out_features}, "
            f"rank={self.rank}, alpha={self.alpha}, bias={self.linear.bias is not None}"
        )
