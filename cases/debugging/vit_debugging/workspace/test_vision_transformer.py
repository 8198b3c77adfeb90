import functools

import pytest
import torch

from dino_v2.models import vision_transformer

torch.set_num_threads(1)  # for matrices this small, a second thread is mostly waiting

WIDTH = 384
FFNS = ("mlp", "swiglufused")


@functools.cache
def vit_small(patch_size=16, registers=2, ffn="mlp"):
    """The small model; tests with the same arguments share one."""
    torch.manual_seed(0)
    model = vision_transformer.vit_small(patch_size=patch_size, num_register_tokens=registers, ffn_layer=ffn)
    with torch.no_grad():
        model.mask_token.normal_()
    return model.eval()


def images(batch=1, side=32):
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("ffn", FFNS)
def test_forward(ffn):
    model, x = vit_small(ffn=ffn), images(batch=2)
    features = model.train()(x, is_training=True)
    assert set(features) == {"x_norm_clstoken", "x_norm_regtokens", "x_norm_patchtokens", "x_prenorm", "masks"}
    assert features["x_norm_clstoken"].shape == (2, WIDTH)
    assert features["x_norm_regtokens"].shape == (2, 2, WIDTH)
    assert features["x_norm_patchtokens"].shape == (2, 4, WIDTH)
    assert features["x_prenorm"].shape == (2, 1 + 2 + 4, WIDTH)
    assert features["masks"] is None
    with torch.no_grad():
        assert model.eval()(x).shape == (2, WIDTH)


@torch.no_grad()
@pytest.mark.parametrize("ffn", FFNS)
def test_intermediate_layers(ffn):
    model, x = vit_small(ffn=ffn), images()
    layers = model.get_intermediate_layers(x, n=2)
    assert [layer.shape for layer in layers] == [(1, 4, WIDTH)] * 2
    layers = model.get_intermediate_layers(x, n=2, reshape=True, return_class_token=True)
    assert [patches.shape for patches, _ in layers] == [(1, WIDTH, 2, 2)] * 2
    assert [token.shape for _, token in layers] == [(1, WIDTH)] * 2


@torch.no_grad()
@pytest.mark.parametrize("ffn", FFNS)
def test_output_range(ffn):
    output = vit_small(ffn=ffn)(images())
    assert output.isfinite().all()
    assert output.abs().max() < 10


@torch.no_grad()
def test_patch_sizes():
    for patch_size in (8, 16, 32):
        for registers in (0, 4):
            features = vit_small(patch_size, registers)(images(), is_training=True)
            assert features["x_norm_regtokens"].shape == (1, registers, WIDTH)
            assert features["x_norm_patchtokens"].shape == (1, (32 // patch_size) ** 2, WIDTH)


@torch.no_grad()
def test_token_preparation():
    model, x = vit_small(), images(side=224)
    masks = torch.zeros(1, 196, dtype=torch.bool)
    masks[:, :5] = True
    plain = model.prepare_tokens_with_masks(x)
    masked = model.prepare_tokens_with_masks(x, masks)
    assert plain.shape == masked.shape == (1, 1 + 2 + 196, WIDTH)
    assert not torch.isclose(plain[:, 3:8], masked[:, 3:8], rtol=1e-5).all(-1).any()
    assert torch.allclose(plain[:, :3], masked[:, :3], rtol=1e-5)
    assert torch.allclose(plain[:, 8:], masked[:, 8:], rtol=1e-5)

    assert model.prepare_tokens_with_masks(images(side=384)).shape == (1, 1 + 2 + 24 * 24, WIDTH)
    assert model.pos_embed.shape == (1, 1 + 196, WIDTH)


@torch.no_grad()
def test_masked_tokens():
    model, x = vit_small(), images(batch=2, side=224)
    masks = torch.arange(2 * 196).reshape(2, 196) % 3 == 0
    tokens = model.prepare_tokens_with_masks(x, masks)[:, 3:]
    positions = model.pos_embed[:, 1:].expand(2, -1, -1)
    assert torch.allclose(tokens[masks], (model.mask_token + positions)[masks], rtol=1e-5)
    assert torch.allclose(tokens[~masks], (model.patch_embed(x) + positions)[~masks], rtol=1e-5)


@torch.no_grad()
def test_dynamic_patch_size():
    model = vit_small()
    for size in (14, 16, 32):
        x = images(side=2 * size)
        features = model.forward_features(x, dynamic_patch_size=size)
        assert features["x_norm_patchtokens"].shape == (1, 4, WIDTH)
        assert features["x_prenorm"].shape == (1, 1 + 2 + 4, WIDTH)
        assert model(x, dynamic_patch_size=size).shape == (1, WIDTH)

        masks = torch.arange(4).reshape(1, 4) < 2
        features = model(x, dynamic_patch_size=size, masks=masks, is_training=True)
        assert features["x_norm_patchtokens"].shape == (1, 4, WIDTH)

        (layer,) = model.get_intermediate_layers(x, dynamic_patch_size=size)
        assert layer.shape == (1, 4, WIDTH)
        (layer,) = model.get_intermediate_layers(x, reshape=True, dynamic_patch_size=size)
        assert layer.shape == (1, WIDTH, 2, 2)


def test_parameter_count():
    assert sum(p.numel() for p in vit_small(registers=0).parameters()) > 21_000_000
