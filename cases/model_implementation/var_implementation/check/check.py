"""Does VAR compute what it should, in its pass of training and when it makes images?

The original ran test_var.py, which caught its own failed assertions, so that a
forward of `assert False` passed; and its model had 957 million weights. Here two
tiny models with secret weights and inputs, in double precision, must agree with
a reference that caches nothing: logits and gradients for every number of scales,
the guided logits of every scale, and the images to the last digit, for a fixed
seed. Caching, the dropping of labels, and labels and scales out of range are
examined as well. The files beside var.py are protected, so they are the suite's.
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
from judge import BROKEN, Judge, Rejected

GIVEN = ["basic_var.py", "basic_vae.py", "helpers.py", "quant.py", "vqvae.py"]
MODELS = [
    {
        "tokenizer": {"vocab_size": 128, "z_channels": 16, "ch": 32},
        "sizes": {
            "num_classes": 10, "depth": 2, "embed_dim": 64, "num_heads": 4, "shared_aln": True, "patch_nums": [1, 2, 3],
        },
        "inferences": [
            {"label_B": [3, 10], "g_seed": 11, "cfg": 1.5},
            {"label_B": None, "g_seed": 12, "cfg": 4.0, "top_k": 40, "top_p": 0.9},
            {"label_B": 7, "g_seed": 13, "cfg": 2.0, "top_k": 30, "more_smooth": True},
        ],
    },
    {
        "tokenizer": {"vocab_size": 96, "z_channels": 8, "ch": 32, "share_quant_resi": 1},
        "sizes": {
            "num_classes": 5, "depth": 3, "embed_dim": 48, "num_heads": 3, "attn_l2_norm": True, "patch_nums": [2, 3, 5],
        },
        "inferences": [
            {"label_B": [0, 4], "g_seed": 21, "cfg": 3.0, "top_p": 0.8},
            {"label_B": -1, "g_seed": 22, "cfg": 0.0, "top_p": 0.95, "more_smooth": True},
        ],
    },
]  # fmt: skip
LABELS, DROP_RATE = 1000, 0.3


def close(got, want):
    got, want = np.array(got, float), np.array(want, float)
    return got.shape == want.shape and np.allclose(got, want, rtol=1e-9, atol=1e-10 * np.abs(want).max())


def compare_passes(judge, name, got, want):
    judge.require(f"{name}: a pass for every number of scales", len(got) == len(want))
    for si, (seen, wanted) in enumerate(zip(got, want), start=-1):
        title = f"{name}: " + (f"scales up to {si}" if si >= 0 else "all scales")
        judge.expect(f"{title}: logits", close(seen["logits"], wanted["logits"]))
        gradients = seen["gradients"]
        judge.require(f"{title}: parameters", set(gradients) == set(wanted["gradients"]), sorted(gradients))
        missing = [key for key, value in gradients.items() if value is None]
        judge.expect(f"{title}: every parameter has a gradient", not missing, missing)
        same = not missing and close(*([one["gradients"][key] for key in sorted(gradients)] for one in (seen, wanted)))
        judge.expect(f"{title}: gradients", same)


def compare_inferences(judge, name, model, got, want):
    judge.require(f"{name}: an answer for every inference", len(got) == len(want))
    tokens = [pn**2 for pn in model["sizes"]["patch_nums"]]
    for options, seen, wanted in zip(model["inferences"], got, want):
        title = f"{name}: images, " + ", ".join(f"{key} {value}" for key, value in options.items())
        drawn = len(seen["guided"]) == len(tokens)
        judge.expect(f"{title}: one draw a scale", drawn, len(seen["guided"]))
        right = [close(one, other) for one, other in zip(seen["guided"], wanted["guided"])]
        judge.expect(f"{title}: guided logits", drawn and all(right), right)
        judge.expect(f"{title}: the images themselves", close(seen["images"], wanted["images"]))
        once = [[4, count, True, True] for count in tokens for _ in range(model["sizes"]["depth"])]
        judge.expect(f"{title}: each token goes through each block once, cached, unmasked", seen["calls"] == once, seen["calls"])
        judge.expect(f"{title}: caching is off afterwards", not any(seen["caching"]), seen["caching"])


def compare_dropping(judge, name, got, clean):
    """Every label must give its own logits or those of "no class", these at the rate."""
    got, clean = np.array(got, float), np.array(clean, float)
    judge.require(f"{name}: logits for every label in training", got.shape == (LABELS, clean.shape[1]), got.shape)
    own = clean[np.arange(LABELS) % (len(clean) - 1)]
    kept, dropped = (np.isclose(got, wanted, rtol=1e-6, atol=1e-7).all(axis=1) for wanted in (own, clean[-1:]))
    judge.expect(f"{name}: a label is kept or becomes no class", (kept ^ dropped).all())
    # Six standard deviations of the share.
    tolerance = 6 * (DROP_RATE * (1 - DROP_RATE) / LABELS) ** 0.5
    rate = dropped.mean()
    judge.expect(f"{name}: labels are dropped at the rate {DROP_RATE}", abs(rate - DROP_RATE) < tolerance, rate)


def report(judge, room, module, seed):
    dropping = {"labels": LABELS, "rate": DROP_RATE}
    return judge.probe(
        room, "probes.py", "report", timeout=100, module=module, seed=seed, models=MODELS, dropping=dropping
    )


def reference_report(judge, seed):
    """The right answers. The reference is gone before the candidate begins, which could read it."""
    try:
        room = judge.deliver(*GIVEN)
        judge.add(room, "reference.py")
        want = report(judge, room, "reference", seed)
    except Rejected as error:  # nothing of the candidate was in it
        print(f"the reference does not work: {error}", flush=True)
        sys.exit(BROKEN)
    shutil.rmtree(room)
    return want


with Judge(imports=["torch", "pytest"]) as judge:
    seed = int.from_bytes(os.urandom(4), "big")  # which nobody can work out beforehand
    want = reference_report(judge, seed)

    judge.pytest(judge.deliver("var.py", "test_var.py", *GIVEN), "test_var.py", tests=7)
    got = report(judge, judge.deliver("var.py", *GIVEN), "var", seed)
    judge.require("every model has an answer", len(got) == len(MODELS))
    for number, (model, seen, wanted) in enumerate(zip(MODELS, got, want), start=1):
        name = f"model {number}"
        compare_passes(judge, name, seen["passes"], wanted["passes"])
        compare_inferences(judge, name, model, seen["inferences"], wanted["inferences"])
        judge.expect(f"{name}: images without a seed differ", not close(*seen["unseeded"]))
        judge.expect(f"{name}: a pass after the images is as before", close(seen["after"], wanted["passes"][0]["logits"]))
        judge.expect(f"{name}: IndexError for a label out of range", seen["errors"][0] == "IndexError", seen["errors"][0])
        judge.expect(f"{name}: IndexError for a scale out of range", seen["errors"][1] == "IndexError", seen["errors"][1])
        compare_dropping(judge, name, seen["dropped"], wanted["clean"])
