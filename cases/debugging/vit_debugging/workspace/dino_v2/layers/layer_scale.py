import torch
from torch import nn


class LayerScale(nn.Module):
    """Multiplies each feature with a learnt factor."""

    def __init__(self, dim, init_values=1e-5):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), float(init_values)))

    def forward(self, x):
        return x * self.gamma
