"""Run inside the candidate's process: report what the classifier computes."""

import inspect

import torch
from torch import nn


def report(convolutions, trials):
    from classifier_model import ClassifierModel

    return {
        "default": inspect.signature(ClassifierModel).parameters["num_classes"].default,
        "trials": [trial(ClassifierModel, convolutions, **one) for one in trials],
    }


def trial(Classifier, convolutions, classes, images, coefficients):
    model = Classifier(num_classes=classes).eval()
    x = torch.randn(images["shape"], generator=torch.Generator().manual_seed(images["seed"]))
    with torch.no_grad():
        model(x[:1])  # a lazy layer has no parameters before it is used
    layers = [layer for layer in model.modules() if any(True for _ in layer.parameters(recurse=False))]
    fill([layer for layer in layers if isinstance(layer, nn.Conv2d)], **convolutions)

    with torch.no_grad():
        features = model.features(x)
        alone = model(x[:1])
    convolved = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, given, result: convolved.append(list(result.shape)))
    x.requires_grad_()
    output = model(x)
    (output * torch.tensor(coefficients)).sum().backward()
    return {
        "layers": [[type(layer).__name__, [list(p.shape) for p in layer.parameters(recurse=False)]] for layer in layers],
        "trainable": all(p.requires_grad for p in model.parameters()),
        "shape": list(output.shape),
        "output": output.tolist(),
        "alone": alone.tolist(),
        "convolved": convolved,
        "features_shape": list(features.shape),
        "features": features[:, ::9, ::13, ::13].tolist(),
        "gradients": {name: strengths(p.grad) for name, p in model.named_parameters()},
        "bias_gradients": [bias.grad.tolist() for bias in biases(layers) if bias.grad is not None],
        "regions": regions(x.grad),
    }


def fill(convolutions, seed, scale):
    """Give the convolutions weights that the judge knows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in convolutions:
            for parameter in (layer.weight, layer.bias):
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))


def biases(layers):
    return [layer.bias for layer in layers if isinstance(layer, nn.Linear)]


def strengths(gradient):
    """The largest gradient of each output unit; none at all is zero."""
    if gradient is None:
        return [0.0]
    return gradient.reshape(len(gradient), -1).abs().amax(1).tolist()


def regions(gradient):
    """How strongly each of 4 x 4 regions of the images reaches the output."""
    if gradient is None:
        return [0.0] * 16
    return nn.functional.adaptive_max_pool2d(gradient.abs().amax((0, 1), keepdim=True), 4).flatten().tolist()
