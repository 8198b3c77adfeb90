"""Run inside the candidate's process: watch one training and report what happened."""

import torch
from torch import nn


def watch():
    seen = {"inputs": None, "pair": None}
    passes = []
    linear, mse_loss, backward = nn.Linear.forward, nn.functional.mse_loss, torch.autograd.backward

    def watched_linear(layer, x):
        if torch.is_grad_enabled():
            seen["layer"], seen["inputs"] = layer, flat(x)
        return linear(layer, x)

    def watched_mse_loss(input, target, *args, **kwargs):
        if torch.is_grad_enabled():
            seen["pair"] = flat(input), flat(target)
        return mse_loss(input, target, *args, **kwargs)

    def watched_backward(tensors, *args, **kwargs):
        loss = tensors if isinstance(tensors, torch.Tensor) else tensors[0]
        predictions, targets = seen.pop("pair", None) or ([], [])
        passes.append(
            {
                "loss": loss.item(),
                "inputs": seen["inputs"],
                "predictions": predictions,
                "targets": targets,
                "line": line(seen["layer"]),
            }
        )
        return backward(tensors, *args, **kwargs)

    # Before the import: the candidate may bind these names when it is loaded.
    nn.Linear.forward = watched_linear
    nn.functional.mse_loss = watched_mse_loss
    torch.autograd.backward = watched_backward

    import train

    passes_at_import = len(passes)
    calls = []
    losses = train.train(lambda epoch, loss: calls.append(float(loss)))
    layers = [layer for layer in train.model.modules() if any(True for _ in layer.parameters(recurse=False))]
    return {
        "losses": [float(loss) for loss in losses],
        "calls": calls,
        "passes": passes,
        "passes_at_import": passes_at_import,
        "same_class": type(train.model) is train.SimpleModel,
        "layers": [type(layer).__name__ for layer in layers],
        "shapes": [list(p.shape) for p in train.model.parameters()],
        "line": [line(layer) for layer in layers],
        "X": flat(torch.as_tensor(getattr(train, "X", []))),
    }


def line(layer):
    return [value for parameter in layer.parameters(recurse=False) for value in flat(parameter)]


def flat(tensor):
    return tensor.detach().double().reshape(-1).tolist()
