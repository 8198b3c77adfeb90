"""Does LoraLinear compute W x + bias + B (A x) * alpha / rank, and train as it should?

The original only ran the visible tests. There B is always zero, and with it the
whole update, so a layer that multiplied by 7 instead of alpha / rank passed.
Here the update is compared with non-zero B for several ranks, alphas, dtypes and
numbers of dimensions, and with a linear layer of the merged weight; 50 steps of
training must go exactly the way of a reference, fit a low-rank target and leave
W as it was to the bit. The initial values, the device and the state dict are
examined as well.
"""

import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import torch
from judge import Judge

SIGNATURE = [["rank", "4"], ["alpha", "1.0"], ["bias", "True"], ["device", "None"]]
STEPS, RATE = 50, 0.1
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
FORWARDS = [  # in, out, rank, alpha, bias, dtype, leading dimensions of x
    (6, 5, 1, 1.0, True, "float32", (4,)),
    (6, 5, 2, 3.0, False, "float32", (4,)),
    (9, 3, 4, 16.0, True, "float64", (2, 3)),
    (8, 8, 8, 0.5, True, "float64", ()),
    (5, 7, 3, 2.0, False, "float32", (2, 1, 3)),
    (7, 4, 6, 1.0, True, "float32", (1,)),
]


class Random:
    """Seeded values, all of them in double precision."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)

    def values(self, inputs, outputs, rank, bias):
        values = {
            "linear.weight": self.normal(outputs, inputs),
            "lora_A": self.normal(rank, inputs),
            "lora_B": self.normal(outputs, rank),
        }
        return values | ({"linear.bias": self.normal(outputs)} if bias else {})


def sizes(inputs, outputs, rank, alpha, bias):
    return {"in_features": inputs, "out_features": outputs, "rank": rank, "alpha": alpha, "bias": bias}


def lists(values):
    return {name: value.tolist() for name, value in values.items()}


def reference(values, x, scale):
    """Merge the update into the weight, then do what a plain linear layer does."""
    merged = values["linear.weight"] + scale * values["lora_B"] @ values["lora_A"]
    return torch.nn.functional.linear(x, merged, values.get("linear.bias"))


def trainable(values):
    return {name: value.requires_grad_() for name, value in values.items() if name != "linear.weight"}


def compare_forward(judge, given, got):
    """One layer's output and gradients; returns the worst difference of the output."""
    name = "{in_features} -> {out_features}, rank {rank}, alpha {alpha}, bias {bias}".format(**given["sizes"])
    name += f", {given['dtype']}, input {list(given['x'].shape)}"
    tolerance = TOLERANCE[given["dtype"]]
    values = {key: value.clone() for key, value in given["values"].items()}
    learnt = trainable(values)
    want = reference(values, given["x"], given["sizes"]["alpha"] / given["sizes"]["rank"])
    want.square().sum().backward()

    judge.expect(f"{name}: output", close(got["y"], want, tolerance), got["y"])
    judge.expect(f"{name}: the same in evaluation mode", close(got["eval"], want, tolerance))
    judge.expect(f"{name}: the same with the state dict restored", close(got["restored"], want, tolerance))
    judge.expect(f"{name}: dtype", got["dtype"] == given["dtype"], got["dtype"])

    gradients = got["gradients"]
    judge.expect(f"{name}: parameters", set(gradients) == set(values), sorted(gradients))
    judge.expect(f"{name}: no gradient for W", gradients["linear.weight"] is None)
    right = all(gradients[key] is not None and close(gradients[key], learnt[key].grad, tolerance) for key in learnt)
    judge.expect(f"{name}: gradients", right)
    return (torch.tensor(got["y"], dtype=torch.float64) - want).abs().max().item()


def close(got, want, tolerance):
    got = torch.tensor(got, dtype=torch.float64)
    return got.shape == want.shape and torch.allclose(got, want, rtol=tolerance, atol=tolerance * want.abs().max().item())


def compare_start(judge, seen):
    judge.require("initial values of all ranks", [one["rank"] for one in seen] == [1, 4, 16])
    for one in seen:
        rank = one["rank"]
        shapes = {
            "linear.weight": [[5, 1024], False],
            "linear.bias": [[5], True],
            "lora_A": [[rank, 1024], True],
            "lora_B": [[5, rank], True],
        }
        judge.require(f"rank {rank}: parameters", one["parameters"] == shapes, one["parameters"])
        judge.expect(f"rank {rank}: rank and alpha", one["attributes"] == [rank, 1.0], one["attributes"])
        judge.expect(f"rank {rank}: repr", f"rank={rank}, alpha=1.0, bias=True" in one["text"], one["text"])
        judge.expect(f"rank {rank}: B is zero", all(value == 0 for row in one["B"] for value in row))
        drawn = [value for row in one["A"] for value in row]
        spread, wanted = statistics.pstdev(drawn), rank**-0.5
        judge.expect(f"rank {rank}: A's deviation is 1/sqrt(rank)", abs(spread - wanted) <= 0.2 * wanted, spread)
        judge.expect(f"rank {rank}: A's mean is 0", abs(statistics.fmean(drawn)) <= 0.2 * wanted)
        judge.expect(f"rank {rank}: A is random", len(set(drawn)) > 0.9 * len(drawn) and one["other_A"] != one["A"][0])


def training_task(random):
    """A target that a rank 2 update can reach, from a layer with B = 0."""
    values = random.values(8, 6, 2, True)
    values["lora_B"].zero_()
    x = random.normal(64, 8)
    target = values | {"lora_B": 0.5 * random.normal(6, 2), "linear.bias": values["linear.bias"] + 0.5}
    return sizes(8, 6, 2, 2.0, True), values, x, reference(target, x, 1.0)


def reference_training(values, x, y, scale):
    values = {name: value.clone() for name, value in values.items()}
    learnt = trainable(values)
    optimiser = torch.optim.SGD(learnt.values(), lr=RATE)
    losses = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = (reference(values, x, scale) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, {name: value.detach() for name, value in values.items()}


def compare_training(judge, got, values, x, y):
    losses, final = reference_training(values, x, y, scale=1.0)
    frozen = got["values"]["linear.weight"] == values["linear.weight"].tolist()
    judge.expect(f"{STEPS} steps: W is the same to the bit", frozen)
    same = close(got["losses"], torch.tensor(losses, dtype=torch.float64), 1e-6)
    judge.expect(f"{STEPS} steps: losses", same, got["losses"])
    right = all(close(got["values"][name], final[name], 1e-6) for name in final)
    judge.expect(f"{STEPS} steps: final values", right)
    rest = got["losses"][-1] / got["losses"][0]
    judge.expect(f"{STEPS} steps: the target is fitted", rest < 0.05, rest)
    judge.metric("training_loss", got["losses"][-1], description="mean squared error at the last of 50 steps")


with Judge(imports=["torch", "pytest"]) as judge:
    random = Random(judge.seed)
    forwards = []
    for inputs, outputs, rank, alpha, bias, dtype, lead in FORWARDS:
        forwards.append(
            {
                "sizes": sizes(inputs, outputs, rank, alpha, bias),
                "dtype": dtype,
                "values": random.values(inputs, outputs, rank, bias),
                "x": random.normal(*lead, inputs),
            }
        )
    training, values, x, y = training_task(random)

    judge.pytest(judge.deliver("lora.py", "test_lora.py"), "test_lora.py", tests=8)
    seen = judge.probe(
        judge.deliver("lora.py"), "probes.py", "report", timeout=100,
        seed=judge.seed,
        forwards=[one | {"values": lists(one["values"]), "x": one["x"].tolist()} for one in forwards],
        training={
            "sizes": training, "values": lists(values), "x": x.tolist(), "y": y.tolist(), "steps": STEPS, "rate": RATE,
        },
    )  # fmt: skip
    judge.expect("signature", seen["signature"] == SIGNATURE, seen["signature"])
    places = seen["places"]
    judge.expect("parameters lie on the given device", places == {"cpu": ["cpu"], "meta": ["meta"]}, places)
    compare_start(judge, seen["start"])
    judge.require("every layer has an answer", len(seen["forwards"]) == len(forwards))
    errors = [compare_forward(judge, given, got) for given, got in zip(forwards, seen["forwards"])]
    judge.metric("max_error", max(errors), description="worst absolute difference of an output")
    compare_training(judge, seen["training"], values, x, y)
