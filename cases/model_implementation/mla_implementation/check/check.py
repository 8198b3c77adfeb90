"""Does MLA.forward compute latent attention, and keep the rows that it should?

    check.py --tests N [--ropeless]

N is how many tests the visible file has. With --ropeless the class RopelessMLA
must work as well.

The original only ran tests in which the weights were so small that every token
attended to all others alike, and which compared the model with itself. There
another order of heads, keys and values passed, and so did other rotations. Here
weights are 30 times as large and every number is compared with a reference: of
whole inputs, of chunks and single tokens with a cache, of positions up to the
last one of the tables, and of tables that are not those of the constructor.
Gradients are compared with derivatives of the reference.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
import reference
from judge import Judge

SCALE = 0.3  # of the weights, instead of 0.01
TOLERANCE = 1e-4  # of the greatest value; single precision comes to 2e-6
STEP = 1e-30  # imaginary, so it costs no precision
SHARED = 4  # first tokens that two inputs of the first trial have in common


class Trial:
    """A model with random weights, and the pieces of input that it gets one after the other."""

    def __init__(self, name, d_model, heads, batch, lengths, cached=0, past=0, max_len=40, theta=10000.0, tables=False,
                 gradients=False, kind="MLA"):  # fmt: skip
        self.name, self.heads, self.kind = name, heads, kind
        self.random = np.random.default_rng()
        self.sizes = {"d_model": d_model, "n_heads": heads}
        width = d_model // heads
        if kind == "MLA":
            self.sizes |= {"max_len": max_len, "rope_theta": theta}
        self.weights = self.made(d_model, d_model // 2, 2 * d_model // 3, width // 2)
        self.tables = reference.angles(max_len, width, theta)
        self.own_tables = {}
        if tables:
            self.tables = self.normal(max_len, width // 2), self.normal(max_len, width // 2)
            self.own_tables = dict(zip(("cos_cached", "sin_cached"), self.tables))
        self.cache = self.normal(batch, cached, self.weights["W_dkv"].shape[1]) if cached else None
        self.steps = []
        for length in lengths:
            self.steps.append((self.normal(batch, length, d_model), past))
            past += length
        self.coefficients = self.normal(batch, lengths[-1], d_model) if gradients else None

    def normal(self, *shape):
        """Values that single precision can hold, in double precision."""
        return self.random.standard_normal(shape).astype(np.float32).astype(np.float64)

    def made(self, d_model, q_proj, kv_proj, rope):
        both = self.kind == "MLA"
        matrices = {
            "W_dq": (d_model, q_proj),
            "W_uq": (q_proj, d_model),
            "W_dkv": (d_model, kv_proj + both * rope),
            "W_ukv": (kv_proj, d_model + (self.heads * rope if both else d_model)),
            "W_o": (d_model, d_model),
        }
        weights = {name: np.float32(SCALE) * self.normal(*shape) for name, shape in matrices.items()}
        for name, size in (("q_layernorm", q_proj), ("kv_layernorm", kv_proj)):
            weights |= {name + ".weight": 1 + self.normal(size) / 4, name + ".bias": self.normal(size) / 4}
        return weights

    def given(self):
        """What the candidate is told, as JSON."""
        return {
            "kind": self.kind,
            "sizes": self.sizes,
            "weights": lists(self.weights),
            "tables": lists(self.own_tables),
            "cache": None if self.cache is None else self.cache.tolist(),
            "steps": [(x.tolist(), past) for x, past in self.steps],
            "coefficients": None if self.coefficients is None else self.coefficients.tolist(),
        }

    def forward(self, weights, x, cache, past):
        if self.kind == "MLA":
            return reference.mla(weights, self.heads, self.tables, x, cache, past)
        return reference.ropeless(weights, self.heads, x, cache, past)

    def compare(self, judge, got):
        """Returns the worst relative difference of an output."""
        shapes = {name: list(weight.shape) for name, weight in self.weights.items()}
        judge.require(f"{self.name}: parameters", got["parameters"] == shapes, got["parameters"])
        judge.require(f"{self.name}: every step has an answer", len(got["steps"]) == len(self.steps))
        cache, worst = self.cache, 0.0
        for number, ((x, past), seen) in enumerate(zip(self.steps, got["steps"]), start=1):
            name = f"{self.name}, step {number}" if len(self.steps) > 1 else self.name
            before = cache
            want, cache = self.forward(self.weights, x, before, past)
            judge.expect(f"{name}: cache", close(seen["cache"], cache))
            judge.require(f"{name}: output shape", np.shape(seen["out"]) == want.shape, np.shape(seen["out"]))
            judge.expect(f"{name}: output", close(seen["out"], want), f"off by {error(seen['out'], want):.1e}")
            judge.expect(f"{name}: dtype", seen["dtypes"] == ["torch.float32"] * 2, seen["dtypes"])
            if before is not None:
                judge.expect(f"{name}: the cache that it was given is left as it was", close(seen["before"], before))
            worst = max(worst, error(seen["out"], want))
        if self.coefficients is not None:
            self.compare_gradients(judge, got["gradients"])
        return worst

    def compare_gradients(self, judge, gradients):
        """Each one, along a random direction, with the derivative of the reference."""
        x, past = self.steps[-1]
        point = self.weights | {"x": x}
        judge.require(f"{self.name}: gradients", set(gradients) == set(point), sorted(gradients))
        for name, value in point.items():
            direction = self.normal(*value.shape)
            moved = point | {name: value + 1j * STEP * direction}
            out, _ = self.forward(moved, moved["x"], None, past)
            want = (self.coefficients * out).sum().imag / STEP
            got = np.zeros_like(value) if gradients[name] is None else np.array(gradients[name])
            judge.require(f"{self.name}: shape of the gradient of {name}", got.shape == value.shape)
            size = np.linalg.norm(got) + abs(want)
            along = (got * direction).sum()
            right = abs(along - want) <= TOLERANCE * size
            judge.expect(f"{self.name}: gradient of {name}", right, f"{along} for {want}")


def lists(values):
    return {name: value.tolist() for name, value in values.items()}


def error(got, want):
    """The greatest difference, by the greatest value; 1e9 where there is none to be had."""
    off = np.abs(np.array(got, dtype=np.float64) - want).max() / np.abs(want).max()
    return float(off) if np.isfinite(off) else 1e9


def close(got, want):
    return np.shape(got) == want.shape and error(got, want) <= TOLERANCE


def causal_trial():
    """Three inputs that have the first tokens in common, and no more."""
    trial = Trial("whole input", 48, 3, batch=3, lengths=[7], gradients=True)
    x, _ = trial.steps[0]
    x[1:, :SHARED] = x[0, :SHARED]
    return trial


def compare_past(judge, got):
    outs = np.array(got["steps"][0]["out"])
    shared, own = outs[:, :SHARED], outs[:, SHARED:]
    judge.expect("no token sees a later one", error(shared[1:], shared[:1]) <= TOLERANCE)
    judge.expect("later tokens see what differs", error(own[1], own[0]) > TOLERANCE)


def trials(ropeless):
    made = [
        causal_trial(),
        Trial("one head, one token", 16, 1, batch=1, lengths=[1]),
        Trial("five heads", 40, 5, batch=2, lengths=[5]),
        Trial("other frequencies", 32, 2, batch=1, lengths=[13], theta=50.0),
        Trial("one token after a foreign cache", 48, 3, batch=3, lengths=[1], cached=5, past=5),
        Trial("three tokens after a foreign cache", 32, 2, batch=2, lengths=[3], cached=6, past=6),
        Trial("chunks of three", 48, 3, batch=3, lengths=[3, 3, 3, 2]),
        Trial("one token at a time", 32, 4, batch=2, lengths=[4, 1, 1, 1]),
        Trial("up to the last position", 32, 2, batch=1, lengths=[17, 1, 1], max_len=19),
        Trial("a later start without a cache", 32, 2, batch=2, lengths=[5], past=3),
        Trial("other tables", 32, 2, batch=2, lengths=[4, 3], tables=True),
    ]
    if ropeless:
        made.append(Trial("RopelessMLA", 48, 3, batch=3, lengths=[4, 1, 3], kind="RopelessMLA"))
    return made


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", type=int, required=True)
    parser.add_argument("--ropeless", action="store_true")
    return parser.parse_args()


with Judge(imports=["torch", "pytest"]) as judge:
    chosen = options()
    made = trials(chosen.ropeless)
    rooms = judge.deliver("mla.py", "test_mla.py"), judge.deliver("mla.py")
    for room in rooms:
        judge.add(room, "mha.py", "utils.py")
    judge.pytest(rooms[0], "test_mla.py", tests=chosen.tests)
    seen = judge.probe(rooms[1], "probes.py", "report", timeout=100, trials=[trial.given() for trial in made])
    judge.require("every trial has an answer", len(seen) == len(made))
    errors = [trial.compare(judge, got) for trial, got in zip(made, seen)]
    compare_past(judge, seen[0])
    judge.metric("max_error", max(errors), description="worst difference of an output, by its greatest value")
