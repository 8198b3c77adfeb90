import pytest
import torch

from lora import LoraLinear

IN, OUT = 12, 7


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def trainable(layer):
    return sum(p.numel() for p in layer.parameters() if p.requires_grad)


def update(layer, x):
    return layer(x) - layer.linear(x)


def test_parameters():
    layer = LoraLinear(IN, OUT, rank=3)
    assert layer.linear.weight.shape == (OUT, IN)
    assert layer.lora_A.shape == (3, IN)
    assert layer.lora_B.shape == (OUT, 3)
    assert not layer.linear.weight.requires_grad
    assert trainable(layer) == 3 * (IN + OUT) + OUT
    assert trainable(LoraLinear(IN, OUT, rank=3, bias=False)) == 3 * (IN + OUT)


def test_output_shapes():
    layer = LoraLinear(IN, OUT)
    assert layer(torch.randn(5, IN)).shape == (5, OUT)
    assert layer(torch.randn(2, 5, IN)).shape == (2, 5, OUT)


def test_values():
    layer = LoraLinear(IN, OUT, rank=2, alpha=1.0)
    x = torch.randn(5, IN)
    want = layer.linear(x) + x @ layer.lora_A.T @ layer.lora_B.T * (1.0 / 2)
    assert torch.allclose(layer(x), want, atol=1e-6)


def test_gradients():
    layer = LoraLinear(IN, OUT)
    layer(torch.randn(5, IN)).sum().backward()
    assert layer.lora_A.grad is not None
    assert layer.lora_B.grad is not None
    assert layer.linear.weight.grad is None


def test_ranks():
    for rank in (1, 4, 8):
        layer = LoraLinear(IN, OUT, rank=rank)
        assert layer.lora_A.shape[0] == layer.lora_B.shape[1] == rank
        assert layer(torch.randn(5, IN)).shape == (5, OUT)


def test_alpha_scales_the_update():
    one, two = LoraLinear(IN, OUT, alpha=1.0), LoraLinear(IN, OUT, alpha=2.0)
    two.load_state_dict(one.state_dict())
    x = torch.randn(5, IN)
    assert torch.allclose(2 * update(one, x), update(two, x), atol=1e-6)


def test_state_dict():
    first, second = LoraLinear(IN, OUT), LoraLinear(IN, OUT)
    second.load_state_dict(first.state_dict())
    x = torch.randn(5, IN)
    assert torch.equal(first(x), second(x))


def test_bias():
    assert LoraLinear(IN, OUT).linear.bias.requires_grad
    bare = LoraLinear(IN, OUT, bias=False)
    assert bare.linear.bias is None
    assert bare(torch.randn(5, IN)).shape == (5, OUT)
