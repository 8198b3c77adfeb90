"""First tests of var.py, with a small model. Do not change this file."""

import pytest
import torch

from var import VAR
from vqvae import VQVAE

torch.set_num_threads(1)  # more would only wait for each other

PATCH_NUMS = (1, 2, 4)
CLASSES, VOCABULARY, CODE = 10, 128, 16
TOKENS = sum(pn**2 for pn in PATCH_NUMS)


@pytest.fixture
def model():
    torch.manual_seed(0)
    vae = VQVAE(vocab_size=VOCABULARY, z_channels=CODE, ch=32, v_patch_nums=PATCH_NUMS)
    sizes = {"depth": 2, "embed_dim": 64, "num_heads": 4, "patch_nums": PATCH_NUMS}
    return VAR(vae, num_classes=CLASSES, shared_aln=True, cond_drop_rate=0.0, **sizes).eval()


def infer(model, labels, **options):
    return model.autoregressive_infer_cfg(2, labels, **{"cfg": 1.0, "top_k": 100, "top_p": 0.9} | options)


def check(images):
    assert images.shape == (2, 3, 64, 64)
    assert images.isfinite().all()
    assert images.min() >= 0 and images.max() <= 1
    assert images.std() > 0.01


def test_forward(model):
    logits = model(torch.tensor([1, 2]), torch.randn(2, TOKENS - 1, CODE))
    assert logits.shape == (2, TOKENS, VOCABULARY)
    assert logits.isfinite().all()


def test_forward_of_some_scales(model):
    model.prog_si = 1
    assert model(torch.tensor([1, 2]), torch.randn(2, 4, CODE)).shape == (2, 5, VOCABULARY)


def test_labels_out_of_range(model):
    with pytest.raises(IndexError):
        model(torch.tensor([10, 11]), torch.randn(2, TOKENS - 1, CODE))


def test_scale_out_of_range(model):
    model.prog_si = 3
    with pytest.raises(IndexError):
        model(torch.tensor([1, 2]), torch.randn(2, TOKENS - 1, CODE))


def test_images(model):
    labelled, others = infer(model, torch.tensor([1, 2])), infer(model, None)
    check(labelled)
    check(others)
    assert not torch.equal(labelled, others)


def test_seed(model):
    first = infer(model, 3, g_seed=5)
    assert torch.equal(first, infer(model, 3, g_seed=5))
    assert not torch.equal(first, infer(model, 3, g_seed=6))


def test_double_precision(model):
    model.double()
    model.vae_proxy[0].double()
    assert model(torch.tensor([1, 2]), torch.randn(2, TOKENS - 1, CODE).double()).dtype == torch.float64
    assert model.autoregressive_infer_cfg(1, torch.tensor([1])).dtype == torch.float64
