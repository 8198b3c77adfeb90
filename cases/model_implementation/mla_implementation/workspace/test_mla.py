import pytest
import torch

from mla import MLA, RopelessMLA

D_MODEL, N_HEADS = 128, 4


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def step_by_step(mla, x, prefix):
    """The outputs of a prefix and then of one token at a time, and the last cache."""
    out, cache = mla(x[:, :prefix])
    outs = [out]
    for position in range(prefix, x.shape[1]):
        out, cache = mla(x[:, position : position + 1], kv_cache=cache, past_length=position)
        outs.append(out)
    return torch.cat(outs, dim=1), cache


def difference(a, b):
    return (a - b).abs().max().item()


def test_shapes():
    mla = MLA(D_MODEL, N_HEADS)
    out, cache = mla(torch.randn(2, 10, D_MODEL))
    assert out.shape == (2, 10, D_MODEL)
    assert cache.shape == (2, 10, mla.kv_proj_dim + mla.qk_rope_dim)


def test_projections():
    mla = MLA(D_MODEL, N_HEADS)
    x = torch.randn(2, 10, D_MODEL)
    q = mla.q_layernorm(x @ mla.W_dq) @ mla.W_uq
    assert q.shape == (2, 10, N_HEADS * (mla.qk_nope_dim + mla.qk_rope_dim))
    latent, k_rope = (x @ mla.W_dkv).split([mla.kv_proj_dim, mla.qk_rope_dim], dim=-1)
    assert k_rope.shape == (2, 10, mla.qk_rope_dim)
    kv = mla.kv_layernorm(latent) @ mla.W_ukv
    assert kv.shape == (2, 10, N_HEADS * (mla.qk_nope_dim + mla.dh))


def test_ratios():
    mla = MLA(D_MODEL, N_HEADS)
    assert mla.q_proj_dim == D_MODEL // 2
    assert mla.kv_proj_dim == 2 * D_MODEL // 3
    assert mla.qk_nope_dim + mla.qk_rope_dim == mla.dh == D_MODEL // N_HEADS
    _, cache = mla(torch.randn(1, 6, D_MODEL))
    assert cache.shape[-1] < 0.75 * 2 * D_MODEL


def test_cached_step():
    mla = MLA(D_MODEL, N_HEADS)
    _, cache = mla(torch.randn(2, 6, D_MODEL))
    out, longer = mla(torch.randn(2, 1, D_MODEL), kv_cache=cache, past_length=6)
    assert out.shape == (2, 1, D_MODEL)
    assert longer.shape == (2, 7, cache.shape[-1])


def test_past_length_with_cache():
    mla = MLA(D_MODEL, N_HEADS)
    x, cache = torch.randn(1, 3, D_MODEL), mla(torch.randn(1, 2, D_MODEL))[1]
    first, _ = mla(x, kv_cache=cache, past_length=0)
    second, _ = mla(x, kv_cache=cache, past_length=2)
    assert difference(first, second) > 1e-6


def test_one_token_at_a_time():
    mla = MLA(D_MODEL, N_HEADS)
    x = torch.randn(1, 4, D_MODEL)
    out, _ = step_by_step(mla, x, prefix=1)
    assert torch.allclose(out, mla(x)[0], rtol=1e-5, atol=1e-5)


def test_positions():
    mla = MLA(D_MODEL, N_HEADS)
    x = torch.randn(2, 8, D_MODEL)
    assert difference(mla(x, past_length=0)[0], mla(x, past_length=10)[0]) > 1e-6


def test_ropeless():
    mla = RopelessMLA(D_MODEL, N_HEADS)
    x = torch.randn(2, 10, D_MODEL)
    out, cache = mla(x)
    assert out.shape == (2, 10, D_MODEL)
    assert cache.shape == (2, 10, mla.kv_proj_dim)
    out, _ = step_by_step(mla, x, prefix=7)
    assert torch.allclose(out, mla(x)[0], rtol=1e-5, atol=1e-5)


def test_long_input():
    mla = MLA(D_MODEL, N_HEADS)
    out, cache = mla(torch.randn(1, 256, D_MODEL))
    assert out.shape == (1, 256, D_MODEL)
    assert cache.shape[1] == 256


def test_mla_attention_mask():
    mla = MLA(D_MODEL, N_HEADS)
    x = torch.randn(1, 5, D_MODEL)
    first, second = (mla(x, past_length=past)[0] for past in (0, 2))
    # The last token sees all others both times, but from another distance.
    assert difference(first[:, -1], second[:, -1]) > 1e-7


def test_ones():
    mla = MLA(8, 2)
    with torch.no_grad():
        for name, parameter in mla.named_parameters():
            if name.startswith("W_"):
                parameter.fill_(1.0)
        mla.cos_cached.fill_(1.0)
        mla.sin_cached.fill_(1.0)
    x = torch.ones(1, 3, 8)
    out, cache = mla(x)
    assert torch.allclose(cache, torch.full_like(cache, 8.0))
    # The layer norm of equal numbers is 0, and so is all that follows from it.
    assert out.abs().max() < 1e-4

    new = 2 * torch.ones(1, 1, 8)
    out, longer = mla(new, kv_cache=cache, past_length=3)
    assert torch.equal(longer[:, :3], cache)
    assert torch.allclose(longer[:, 3:], new @ mla.W_dkv)
    assert out.abs().max() < 1e-4


def test_generation():
    mla = MLA(D_MODEL, N_HEADS)
    x = torch.randn(1, 7, D_MODEL)
    out, cache = step_by_step(mla, x, prefix=4)
    assert torch.allclose(out, mla(x)[0], rtol=1e-5, atol=1e-5)
    for position in range(7):
        assert torch.allclose(cache[:, position], x[:, position] @ mla.W_dkv, rtol=1e-5, atol=1e-5)
    keys_and_values = 2 * 7 * D_MODEL
    assert cache.numel() / keys_and_values < 0.75
