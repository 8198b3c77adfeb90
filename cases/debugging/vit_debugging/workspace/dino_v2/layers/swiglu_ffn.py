from torch import nn


class SwiGLUFFN(nn.Module):
    """A feed-forward network whose hidden features are gated by a SiLU."""

    def __init__(
        self, in_features, hidden_features=None, out_features=None, act_layer=None, drop=0.0, bias=True
    ):
        super().__init__()
        hidden_features = hidden_features or in_features
        out_features = out_features or in_features
        self.w12 = nn.Linear(in_features, 2 * hidden_features, bias=bias)
        self.w3 = nn.Linear(2 * hidden_features, out_features, bias=bias)

    def forward(self, x):
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(nn.functional.silu(gate) * value)


class SwiGLUFFNFused(SwiGLUFFN):
    """SwiGLUFFN with two thirds of the hidden features, rounded up to a multiple of 8.

    So it has about as many parameters as an Mlp with the hidden features given.
    """

    def __init__(
        self, in_features, hidden_features=None, out_features=None, act_layer=None, drop=0.0, bias=True
    ):
        hidden_features = (int((hidden_features or in_features) * 2 / 3) + 7) // 8 * 8
        super().__init__(in_features, hidden_features, out_features, act_layer, drop, bias)
