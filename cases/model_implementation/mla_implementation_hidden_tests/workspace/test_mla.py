import pytest
import torch

from mla import MLA

D_MODEL, N_HEADS = 128, 4


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_shapes():
    mla = MLA(D_MODEL, N_HEADS)
    out, cache = mla(torch.randn(2, 10, D_MODEL))
    assert out.shape == (2, 10, D_MODEL)
    assert cache.shape == (2, 10, mla.kv_proj_dim + mla.qk_rope_dim)


def test_ratios():
    mla = MLA(D_MODEL, N_HEADS)
    assert mla.q_proj_dim == D_MODEL // 2
    assert mla.kv_proj_dim == 2 * D_MODEL // 3
    assert mla.qk_nope_dim + mla.qk_rope_dim == mla.dh == D_MODEL // N_HEADS
    _, cache = mla(torch.randn(1, 6, D_MODEL))
    assert cache.shape[-1] < 0.75 * 2 * D_MODEL
