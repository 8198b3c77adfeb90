"""The attention once more, in NumPy and in double precision.

Weights are a dict by the names of the parameters. Values may be complex, for
derivatives by a small imaginary step: nothing here but the largest score of a
row, which cancels out, looks at real parts alone.
"""

import numpy as np


def mla(weights, heads, tables, x, cache=None, past=0):
    """Output and cache of MLA.forward. `tables` are cosine and sine, (positions, dh / 2)."""
    width = x.shape[-1] // heads
    half = width // 2
    rows = extend(cache, x @ weights["W_dkv"])
    latent, k_turned = rows[..., :-half], rows[..., None, -half:]

    q = queries(weights, heads, x)
    q = np.concatenate([q[..., :half], turn(q[..., half:], tables, past)], axis=-1)

    up = split(norm(weights, "kv_layernorm", latent) @ weights["W_ukv"], heads)
    k_turned = np.broadcast_to(turn(k_turned, tables, 0), up.shape[:-1] + (half,))
    k = np.concatenate([up[..., :half], k_turned], axis=-1)
    return attend(q, k, up[..., half:], past) @ weights["W_o"].T, rows


def ropeless(weights, heads, x, cache=None, past=0):
    """Output and cache of RopelessMLA.forward."""
    rows = extend(cache, norm(weights, "kv_layernorm", x @ weights["W_dkv"]))
    k, v = np.split(rows @ weights["W_ukv"], 2, axis=-1)
    out = attend(queries(weights, heads, x), split(k, heads), split(v, heads), past)
    return out @ weights["W_o"].T, rows


def queries(weights, heads, x):
    return split(norm(weights, "q_layernorm", x @ weights["W_dq"]) @ weights["W_uq"], heads)


def angles(positions, width, theta):
    """Cosine and sine of the angle of each position and frequency."""
    frequencies = theta ** -(np.arange(0, width, 2) / width)
    turns = np.arange(positions)[:, None] * frequencies
    return np.cos(turns), np.sin(turns)


def turn(x, tables, start):
    """Rotate each pair (i, i + n/2) of x, which is (batch, length, heads, n)."""
    first, second = np.split(x, 2, axis=-1)
    length, pairs = x.shape[1], first.shape[-1]
    cos, sin = (table[start : start + length, None, :pairs] for table in tables)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def attend(q, k, v, past):
    """Causal attention; heads come third, and are side by side in what is returned."""
    scores = np.einsum("bqhn,bkhn->bhqk", q, k) / np.sqrt(q.shape[-1])
    seen = np.tri(q.shape[1], k.shape[1], past)
    shares = np.exp(scores - scores.real.max(axis=-1, keepdims=True)) * seen
    shares = shares / shares.sum(axis=-1, keepdims=True)
    out = np.einsum("bhqk,bkhn->bqhn", shares, v)
    return out.reshape(*out.shape[:2], -1)


def norm(weights, name, x):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5)
    return x * weights[name + ".weight"] + weights[name + ".bias"]


def split(x, heads):
    return x.reshape(*x.shape[:-1], heads, -1)


def extend(cache, rows):
    return rows if cache is None else np.concatenate([cache, rows], axis=1)
