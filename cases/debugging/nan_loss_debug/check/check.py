"""Is the training of train.py sound, and is it still the same training?

The original ran the agent's own copy of test_model.py and looked for a string
in its output. Here that test is the suite's, and besides it one training is
watched from within: 20 real backward passes whose losses are the returned ones
and are all finite, a mean squared error against targets that still follow
2 * X + 1, a model that is still one Linear(1, 1), and an error after the
training that is at least 10 % below the one before it.
"""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import numpy as np
from judge import Judge

EPOCHS, POINTS = 20, 50
NOISE = 0.6  # six standard deviations of the noise in y


def visible_test(judge):
    room = judge.deliver("train.py", "test_model.py")
    done = judge.script(room, "test_model.py", timeout=100)
    lines = done.stdout.splitlines()
    passed = done.exit == 0 and any(line.startswith("Training successful") for line in lines)
    judge.expect("test_model.py is content", passed, f"exit {done.exit}\n{done.stdout}{done.stderr}")


def watched_training(judge):
    seen = judge.probe(judge.deliver("train.py"), "probes.py", "watch", timeout=100)
    passes, losses = seen["passes"], seen["losses"]

    judge.expect("importing train.py does not train", seen["passes_at_import"] == 0)
    judge.require("train does 20 backward passes", len(passes) == EPOCHS, len(passes))
    judge.require("train returns 20 losses", len(losses) == EPOCHS, len(losses))
    computed = [float(one["loss"]) for one in passes]
    judge.require("all losses are finite", all(map(math.isfinite, losses + computed)), computed)
    judge.metric("final_loss", losses[-1], description="mean squared error of the last epoch")
    judge.expect("the returned losses are the computed ones", np.allclose(losses, computed, rtol=1e-5), computed)
    same = len(seen["calls"]) == EPOCHS and np.allclose(seen["calls"], losses, rtol=1e-5)
    judge.expect("the callback gets the same losses", same, seen["calls"])
    judge.expect("the losses go down", losses[-1] < losses[10] < losses[0], losses)

    one_layer = seen["layers"] == ["Linear"] and seen["shapes"] == [[1, 1], [1]]
    judge.require("model is still one Linear(1, 1)", seen["same_class"] and one_layer, seen["shapes"])

    inputs = table(judge, "the model sees", passes, "inputs")
    predictions = table(judge, "the loss sees predictions for", passes, "predictions")
    targets = table(judge, "the loss sees targets for", passes, "targets")
    task_intact(judge, inputs, targets, np.array(seen["X"], float))

    errors = np.mean((predictions - targets) ** 2, axis=1)
    judge.expect("the losses are mean squared errors", np.allclose(errors, computed, rtol=1e-3), errors.tolist())

    lines = np.array([one["line"] for one in passes] + seen["line"], float)
    before, after = errors[0], error_after(judge, lines, inputs, predictions, targets)
    judge.metric("final_error", after, description="mean squared error after the last step")
    judge.expect("the error dropped by at least 10 %", after <= 0.9 * before, f"from {before} to {after}")


def table(judge, name, passes, key):
    """One row for each epoch, one column for each point."""
    rows = [one[key] for one in passes]
    judge.require(f"{name} all 50 points in every epoch", all(row and len(row) == POINTS for row in rows))
    values = np.array(rows, float)
    judge.require(f"{name} finite values only", np.isfinite(values).all())
    return values


def task_intact(judge, inputs, targets, module_x):
    """Inputs are the 50 points up to a linear rescaling, targets are 2 * X + 1.

    X may be the original points there, or points rescaled at one of two places.
    """
    x = np.linspace(0, 100, POINTS)

    def sources(scaled):
        return [x, scaled] + [module_x] * (module_x.size == POINTS)

    judge.expect("the inputs are the 50 points", all(abs(likeness(row, x)) > 0.9999 for row in inputs))
    intact = all(
        likeness(row, x) > 0.9 and any(np.abs(row - (2 * source + 1)).max() < NOISE for source in sources(scaled))
        for row, scaled in zip(targets, inputs)
    )
    judge.expect("the targets still follow 2 * X + 1", intact, targets[0].tolist())


def likeness(a, b):
    return np.corrcoef(a, b)[0, 1] if a.std() > 0 else 0.0


def error_after(judge, lines, inputs, predictions, targets):
    """The error with the final weights, worked out here.

    The predictions are the layer's outputs, perhaps rescaled in one fixed way;
    that way is found by least squares over the whole training.
    """
    weights, biases = lines[:-1, :1], lines[:-1, 1:]
    outputs = weights * inputs + biases
    system = np.stack([outputs.ravel(), np.ones(outputs.size)], axis=1)
    (slope, offset), *_ = np.linalg.lstsq(system, predictions.ravel(), rcond=None)
    gap = np.abs(slope * outputs + offset - predictions).max()
    judge.expect("the predictions come from the layer", gap <= 1e-3 * max(1, np.abs(predictions).max()), gap)
    final = slope * (lines[-1, 0] * inputs[-1] + lines[-1, 1]) + offset
    return float(np.mean((final - targets[-1]) ** 2))


with Judge(imports=["torch"]) as judge:
    visible_test(judge)
    watched_training(judge)
