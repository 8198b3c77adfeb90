"""Does ChannelViT make the right tokens of any channels, with the right gradients?

The original ran one test, which looks at shapes and at two outputs being unlike.
A model without positions passed it, and neither the order of the tokens nor
what the channels share had to be right. Here the tokens, their gradients and
the output are compared with a model written from scratch in numpy: for all
channels and for some, in any order, others for each image. Dropout, the initial
values, and the parameters and shapes that the visible test asks for are examined
as well. That test itself is not run: it would take most of the time and add
nothing.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
from judge import Judge

TOLERANCE = 1e-4
MODELS = [  # sizes of a model, and the channels of its batches; None is all channels, unsaid
    (
        {"img_size": [12], "patch_size": 4, "in_chans": 5, "embed_dim": 24, "depth": 2, "num_heads": 3},
        [None, [[0, 2, 3]], [[3, 0, 4], [1, 2, 0]], [[1, 4], [4, 1], [0, 4]], [[2]], [[4, 2, 0, 1, 3], [0, 1, 2, 3, 4]]],
    ),
    (
        {"img_size": [10], "patch_size": 2, "in_chans": 3, "embed_dim": 8, "depth": 1, "num_heads": 2},
        [None, [[2, 0], [0, 1]]],
    ),
]
FULL = {"img_size": [224], "patch_size": 16, "in_chans": 6, "embed_dim": 384, "depth": 12, "num_heads": 6}
BATCHES = [[[0, 1, 2, 3, 4, 5]] * 3, [[0, 2, 4], [1, 3, 5]], [[1, 4], [2, 5]]]


class Reference:
    """ChannelViT for one set of values; `embed` holds those of patch_embed, as matrices."""

    def __init__(self, sizes, values, embed):
        self.sizes, self.values, self.embed = sizes, values, embed

    def tokens(self, x, channels):
        positions = self.values["pos_embed"][0]
        patches = self.pixels(x) @ self.embed["weight"].T + self.embed["bias"]
        patches = patches + self.embed["channels"][channels][:, :, None] + positions[1:]
        first = np.broadcast_to(self.values["cls_token"][0] + positions[0], (len(x), 1, len(positions[0])))
        return np.concatenate([first, patches.reshape(len(x), -1, len(positions[0]))], axis=1)

    def pixels(self, x):
        """The pixels of each patch of each channel."""
        batch, channels, side, _ = x.shape
        patch = self.sizes["patch_size"]
        grid = x.reshape(batch, channels, side // patch, patch, side // patch, patch)
        return grid.transpose(0, 1, 2, 4, 3, 5).reshape(batch, channels, -1, patch * patch)

    def gradients(self, x, channels, coefficients):
        """Of the sum of all tokens, each number times its coefficient."""
        first, dim = coefficients[:, 0].sum(0), coefficients.shape[-1]
        patches = coefficients[:, 1:].reshape(*channels.shape, -1, dim)
        embeddings = np.zeros_like(self.embed["channels"])
        np.add.at(embeddings, channels, patches.sum(2))
        return {
            "weight": np.einsum("bcnd,bcnp->dp", patches, self.pixels(x)),
            "bias": patches.sum((0, 1, 2)),
            "channels": embeddings,
            "cls_token": first,
            "pos_embed": np.concatenate([first[None], patches.sum((0, 1))]),
        }

    def output(self, x):
        for number in range(self.sizes["depth"]):
            name = f"blocks.{number}"
            x = x + self.attention(f"{name}.attn", self.norm(f"{name}.norm1", x))
            hidden = self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x))
            hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
            x = x + self.linear(f"{name}.mlp.fc2", hidden)
        return self.norm("norm", x)

    def attention(self, name, x):
        batch, count, dim = x.shape
        heads = self.sizes["num_heads"]
        query, key, value = self.linear(f"{name}.qkv", x).reshape(batch, count, 3, heads, -1).transpose(2, 0, 3, 1, 4)
        weights = np.exp(query @ key.swapaxes(-1, -2) / math.sqrt(dim // heads))
        mixed = weights / weights.sum(-1, keepdims=True) @ value
        return self.linear(f"{name}.proj", mixed.swapaxes(1, 2).reshape(batch, count, dim))

    def linear(self, name, x):
        return x @ self.values[f"{name}.weight"].T + self.values.get(f"{name}.bias", 0)

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
        return x * self.values[f"{name}.weight"] + self.values[f"{name}.bias"]


def shapes(sizes):
    """The parameters outside of patch_embed."""
    dim, patches = sizes["embed_dim"], (sizes["img_size"][0] // sizes["patch_size"]) ** 2
    found = {"cls_token": [1, 1, dim], "pos_embed": [1, patches + 1, dim]}
    linear = {"attn.qkv": (3 * dim, dim), "attn.proj": (dim, dim), "mlp.fc1": (4 * dim, dim), "mlp.fc2": (dim, 4 * dim)}
    for number in range(sizes["depth"]):
        for norm in ("norm1", "norm2"):
            found |= {f"blocks.{number}.{norm}.{part}": [dim] for part in ("weight", "bias")}
        for layer, shape in linear.items():
            found[f"blocks.{number}.{layer}.weight"] = list(shape)
            if layer != "attn.qkv":
                found[f"blocks.{number}.{layer}.bias"] = [shape[0]]
    return found | {"norm.weight": [dim], "norm.bias": [dim]}


def elements(sizes):
    """How many numbers each parameter of patch_embed has."""
    dim = sizes["embed_dim"]
    return {"weight": dim * sizes["patch_size"] ** 2, "bias": dim, "channels": dim * sizes["in_chans"]}


class Layout:
    """Where a model keeps the three parameters of patch_embed, and in which shapes."""

    def __init__(self, judge, name, sizes, parameters):
        rest = {key: shape for key, shape, _ in parameters if not key.startswith("patch_embed.")}
        judge.require(f"{name}: parameters outside of patch_embed", rest == shapes(sizes), sorted(rest))
        own = {math.prod(shape): (key, shape) for key, shape, _ in parameters if key.startswith("patch_embed.")}
        known = len(parameters) == len(rest) + 3 and sorted(own) == sorted(elements(sizes).values())
        judge.require(f"{name}: weight, bias and channel embeddings", known, list(own.values()))
        judge.expect(f"{name}: all parameters can be trained", all(trained for _, _, trained in parameters))
        self.sizes = sizes
        self.where = {part: own[count] for part, count in elements(sizes).items()}

    def matrices(self, values):
        """Flat values of a model's parameters, by part and with one row for each output or channel."""
        rows = {"weight": self.sizes["embed_dim"], "channels": self.sizes["in_chans"]}
        found = {}
        for part, (key, shape) in self.where.items():
            flat = np.asarray(values[key], dtype=np.float64)
            if part in rows:
                first = next(length for length in shape if length > 1)
                flat = flat.reshape(rows[part], -1) if first == rows[part] else flat.reshape(-1, rows[part]).T
            found[part] = flat
        return found


def task(random, sizes, batches):
    """A model's values, and images with coefficients for the gradients."""

    def normal(*shape):
        return random.standard_normal(shape, dtype=np.float32).astype(np.float64)

    def values(name, shape):
        if name in ("cls_token", "pos_embed"):
            return normal(*shape)
        return 0.25 * normal(*shape) + ("norm" in name and name.endswith("weight"))

    dim, side = sizes["embed_dim"], sizes["img_size"][0]
    inputs = []
    for batch in batches:
        channels = np.array(batch or [range(sizes["in_chans"])] * 2)
        x = normal(*channels.shape, side, side)
        count = channels.shape[1] * (side // sizes["patch_size"]) ** 2 + 1
        inputs.append({"x": x, "indices": batch, "channels": channels, "coefficients": normal(len(x), count, dim)})
    return {
        "sizes": sizes,
        "values": {name: values(name, shape) for name, shape in shapes(sizes).items()},
        "embed": {str(count): 0.5 * normal(count) for count in elements(sizes).values()},
        "inputs": inputs,
    }


def sent(given):
    """A task as the candidate gets it."""
    return {
        "sizes": given["sizes"],
        "values": lists(given["values"]),
        "embed": lists(given["embed"]),
        "inputs": [lists({key: one[key] for key in ("x", "indices", "coefficients")}) for one in given["inputs"]],
    }


def lists(values):
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def close(got, want):
    got = np.asarray(got, dtype=np.float64)
    return got.shape == want.shape and np.allclose(got, want, rtol=TOLERANCE, atol=TOLERANCE * np.abs(want).max())


def compare(judge, given, got):
    """One model's answers; returns the worst difference of a token."""
    sizes, inputs = given["sizes"], given["inputs"]
    name = "{embed_dim} numbers, {in_chans} channels".format(**sizes)
    layout = Layout(judge, name, sizes, got["parameters"])
    embed = layout.matrices({key: given["embed"][str(math.prod(shape))] for key, shape in layout.where.values()})
    reference = Reference(sizes, given["values"], embed)

    judge.require(f"{name}: every batch has an answer", len(got["answers"]) == len(inputs))
    errors = []
    for one, answer in zip(inputs, got["answers"]):
        case = f"{name}, indices {one['indices']}"
        tokens = reference.tokens(one["x"], one["channels"])
        gradients = reference.gradients(one["x"], one["channels"], one["coefficients"])
        right = judge.expect(f"{case}: tokens", close(answer["tokens"], tokens))
        judge.expect(f"{case}: output", close(answer["output"], reference.output(tokens)))
        found = answer["gradients"]
        found |= {key: np.reshape(found[key], (-1, sizes["embed_dim"])).squeeze() for key in ("cls_token", "pos_embed")}
        found |= layout.matrices(found)
        wrong = [part for part, want in gradients.items() if not close(found[part], want)]
        judge.expect(f"{case}: gradients", not wrong, wrong)
        if right:
            errors.append(np.abs(np.asarray(answer["tokens"]) - tokens).max())

    tokens = reference.tokens(inputs[0]["x"], inputs[0]["channels"])
    judge.expect(f"{name}: get_intermediate_layers", close(got["intermediate"], reference.output(tokens)))
    dropped = np.asarray(got["dropped"], dtype=np.float64)
    judge.require(f"{name}: tokens in training mode", dropped.shape == tokens.shape)
    judge.expect(f"{name}: about half of the numbers are dropped", 0.4 < np.mean(dropped == 0) < 0.6, np.mean(dropped == 0))
    judge.expect(f"{name}: the others are doubled", close(dropped, np.where(dropped == 0, 0, 2 * tokens)))
    return max(errors, default=None)


def compare_fresh(judge, sizes, seen):
    judge.require("two new models", len(seen) == 2)
    found = []
    for one in seen:
        layout = Layout(judge, "a new model", sizes, one["parameters"])
        found.append(layout.matrices({f"patch_embed.{key}": values for key, values in one["values"].items()}))
        wanted = sizes["in_chans"] * (sizes["img_size"][0] // sizes["patch_size"]) ** 2
        judge.expect("num_patches counts the patches of all channels", one["num_patches"] == wanted, one["num_patches"])
    for part in ("weight", "channels"):
        rows = [row for one in found for row in one[part]]
        apart = min(np.abs(a - b).max() for i, a in enumerate(rows) for b in rows[:i])
        judge.expect(f"new models: {part} random", np.isfinite(rows).all() and apart > 1e-4, apart)


def compare_full(judge, sizes, got):
    Layout(judge, "full size", sizes, got["parameters"])
    trained = sum(math.prod(shape) for _, shape, trained in got["parameters"] if trained)
    judge.expect("full size: 21,457,536 parameters", trained == 21_457_536, trained)
    judge.require("full size: every batch has an answer", len(got["made"]) == len(BATCHES))
    for batch, made in zip(BATCHES, got["made"]):
        name = f"full size, channels {batch}"
        shape = [len(batch), len(batch[0]) * 14 * 14 + 1, sizes["embed_dim"]]
        judge.expect(f"{name}: shape of the tokens", made["shape"] == shape, made["shape"])
        numbers = np.asarray(made["numbers"], dtype=np.float64)
        judge.expect(f"{name}: finite tokens", numbers.size > 0 and np.isfinite(numbers).all())
        if batch[0] != batch[1]:
            apart = np.abs(numbers[0] - numbers[1]).max()
            judge.expect(f"{name}: the same pixels as other channels", apart > 1e-4, apart)


with Judge(imports=["torch"]) as judge:
    random = np.random.default_rng()
    tasks = [task(random, sizes, batches) for sizes, batches in MODELS]
    fresh = MODELS[0][0]
    seen = judge.probe(
        judge.deliver("channel_vit.py", "vit.py"), "probes.py", "report", timeout=200,
        seed=judge.seed, models=[sent(one) for one in tasks], fresh=fresh, full={"sizes": FULL, "batches": BATCHES},
    )  # fmt: skip
    compare_fresh(judge, fresh, seen["fresh"])
    judge.require("every model has an answer", len(seen["models"]) == len(tasks))
    errors = [compare(judge, given, got) for given, got in zip(tasks, seen["models"])]
    if None not in errors:
        judge.metric("max_error", max(errors), description="worst absolute difference of a token")
    compare_full(judge, FULL, seen["full"])
