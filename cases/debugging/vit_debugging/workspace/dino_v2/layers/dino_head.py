from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class DINOHead(nn.Module):
    """Projects class tokens to prototypes: an MLP, a normalisation, and a layer with rows of length one."""

    def __init__(
        self, in_dim, out_dim, use_bn=False, nlayers=3, hidden_dim=2048, bottleneck_dim=256, mlp_bias=True
    ):
        super().__init__()
        widths = [in_dim] + [hidden_dim] * (max(nlayers, 1) - 1) + [bottleneck_dim]
        layers = []
        for width, following in zip(widths, widths[1:]):
            if layers:
                layers += [nn.BatchNorm1d(width)] if use_bn else []
                layers.append(nn.GELU())
            layers.append(nn.Linear(width, following, bias=mlp_bias))
        self.mlp = nn.Sequential(*layers)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if mlp_bias:
                    nn.init.zeros_(layer.bias)
        self.last_layer = weight_norm(nn.Linear(bottleneck_dim, out_dim, bias=False))
        nn.init.ones_(self.last_layer.parametrizations.weight.original0)

    def forward(self, x):
        x = nn.functional.normalize(self.mlp(x), dim=-1, eps=1e-6)
        return self.last_layer(x)
