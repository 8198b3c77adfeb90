"""Does the repaired classifier compute what it should, for every batch and number of classes?

The original hashed run_model.py, ran it, and looked for a string in its output.
Here that script is the suite's, and besides it the class itself is examined
with several batch sizes and numbers of classes: the features are recomputed
from known weights, the scores are one raw row for each image whatever the rest
of the batch, come from a single linear layer, and depend on every region of the
images and on every unit of every parameter.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from judge import Judge

CONVOLUTIONS = [["Conv2d", [[64, 3, 3, 3], [64]]], ["Conv2d", [[128, 64, 3, 3], [128]]]]


def visible_script(judge):
    room = judge.deliver("classifier_model.py", "run_model.py")
    done = judge.script(room, "run_model.py", timeout=100)
    passed = done.exit == 0 and "Model ran successfully" in done.stdout
    judge.require("run_model.py runs", passed, f"exit {done.exit}\n{done.stdout}{done.stderr}")


def examined_class(judge):
    convolutions = {"seed": judge.seed + 1, "scale": 0.05}
    trials = [trial(judge.seed, batch, classes) for batch, classes in ((2, 10), (1, 3))]
    seen = judge.probe(
        judge.deliver("classifier_model.py"), "probes.py", "report", timeout=150, convolutions=convolutions, trials=trials
    )
    judge.expect("num_classes is 10 by default", seen["default"] == 10, seen["default"])
    judge.require("every trial has an answer", len(seen["trials"]) == len(trials))
    for asked, got in zip(trials, seen["trials"]):
        examine(judge, convolutions, asked, got)


def trial(seed, batch, classes):
    generator = torch.Generator().manual_seed(seed)
    return {
        "classes": classes,
        "images": {"shape": [batch, 3, 224, 224], "seed": seed + batch},
        "coefficients": torch.rand(batch, classes, generator=generator).add(0.5).tolist(),
    }


def examine(judge, convolutions, asked, got):
    batch, classes = asked["images"]["shape"][0], asked["classes"]
    name = f"batch {batch}, {classes} classes"
    judge.require(f"{name}: output shape", got["shape"] == [batch, classes], got["shape"])

    layers = got["layers"]
    linear = [shapes for kind, shapes in layers if kind == "Linear"]
    known = len(layers) == 3 and all(layer in layers for layer in CONVOLUTIONS) and len(linear) == 1
    judge.require(f"{name}: two convolutions and one linear layer", known, layers)
    fits = len(linear[0]) == 2 and linear[0][0][0] == classes
    judge.require(f"{name}: the linear layer makes the scores", fits, linear)
    judge.expect(f"{name}: all parameters can be trained", got["trainable"])

    whole = [[batch, 64, 224, 224], [batch, 128, 224, 224]]
    judge.expect(f"{name}: the convolutions get the images as they are", got["convolved"] == whole, got["convolved"])
    shape = got["features_shape"]
    judge.require(f"{name}: features are 128 x 112 x 112", shape == [batch, 128, 112, 112], shape)
    want = features(convolutions, asked["images"])[:, ::9, ::13, ::13]
    judge.expect(f"{name}: features are right", close(got["features"], want))

    output = torch.tensor(got["output"])
    judge.expect(f"{name}: scores are finite", output.isfinite().all())
    judge.expect(f"{name}: an image's scores are its own", close(got["alone"], output[:1]), got["alone"])
    if batch > 1:
        judge.expect(f"{name}: other images get other scores", ((output[0] - output[1]).abs() > 0).all(), got["output"])

    bias = [torch.tensor(asked["coefficients"]).sum(0).tolist()]
    judge.expect(f"{name}: scores are raw", close(got["bias_gradients"], bias), got["bias_gradients"])
    idle = [key for key, values in got["gradients"].items() if not all(alive(value) for value in values)]
    judge.expect(f"{name}: every parameter matters", len(got["gradients"]) == 6 and not idle, idle)
    covered = len(got["regions"]) == 16 and all(alive(value) for value in got["regions"])
    judge.expect(f"{name}: every region of the image matters", covered, got["regions"])


def features(convolutions, images):
    """The features as they ought to be, with the weights that the probe has set."""
    generator = torch.Generator().manual_seed(convolutions["seed"])
    x = torch.randn(images["shape"], generator=torch.Generator().manual_seed(images["seed"]))
    for _, shapes in CONVOLUTIONS:
        weight, bias = (convolutions["scale"] * torch.randn(shape, generator=generator) for shape in shapes)
        x = nn.functional.conv2d(x, weight, bias, padding=1).relu()
    return nn.functional.max_pool2d(x, 2, 2)


def alive(value):
    return math.isfinite(value) and value > 0


def close(got, want):
    got, want = torch.as_tensor(got), torch.as_tensor(want)
    return got.shape == want.shape and torch.allclose(got, want, rtol=1e-3, atol=1e-4)


with Judge(imports=["torch"]) as judge:
    visible_script(judge)
    # To import torch takes long, and most of what fails has failed by now.
    import torch
    from torch import nn

    with torch.inference_mode():
        examined_class(judge)
