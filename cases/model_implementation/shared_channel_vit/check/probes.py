"""Run inside the candidate's process: report what ChannelViT computes."""

import torch


def report(seed, models, fresh, full):
    from channel_vit import ChannelViT

    torch.manual_seed(seed)
    return {
        "fresh": [start(ChannelViT(**fresh)) for _ in range(2)],
        "models": [examine(ChannelViT, **one) for one in models],
        "full": outline(ChannelViT, **full),
    }


def start(model):
    """A model as it is made."""
    return {
        "parameters": described(model),
        "values": {name: p.flatten().tolist() for name, p in model.patch_embed.named_parameters()},
        "num_patches": model.patch_embed.num_patches,
    }


def described(model):
    return [[name, list(p.shape), p.requires_grad] for name, p in model.named_parameters()]


def examine(ChannelViT, sizes, values, embed, inputs):
    """What a model with given values makes of given images, by layers and with gradients."""
    model, training = ChannelViT(**sizes).eval(), ChannelViT(**sizes, drop_rate=0.5).train()
    for each in (model, training):
        fill(each, values, embed)
    answers = [answer(model, **one) for one in inputs]
    x, _ = images(**inputs[0])
    with torch.no_grad():
        return {
            "parameters": described(model),
            "answers": answers,
            "dropped": training.prepare_tokens(x).tolist(),
            "intermediate": model.get_intermediate_layers(x)[0].tolist(),
        }


def fill(model, values, embed):
    """Give each parameter its value by its name, and those of patch_embed by their number of elements.

    A parameter that there should not be is left alone: the judge will see it.
    """
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = torch.tensor(values.get(name) or embed.get(str(parameter.numel()), []))
            if value.numel() == parameter.numel():
                parameter.copy_(value.reshape(parameter.shape))


def images(x, indices, **rest):
    return torch.tensor(x), () if indices is None else (torch.tensor(indices),)


def answer(model, coefficients, **given):
    x, indices = images(**given)
    coefficients = torch.tensor(coefficients)
    model.zero_grad()
    tokens = model.prepare_tokens(x, *indices)
    if tokens.shape == coefficients.shape:
        (tokens * coefficients).sum().backward()
    with torch.no_grad():
        output = model(x, *indices)
    names = [name for name, _ in model.named_parameters() if not name.startswith(("blocks.", "norm."))]
    parameters = dict(model.named_parameters())
    return {
        "tokens": tokens.tolist(),
        "output": output.tolist(),
        "gradients": {name: gradient(parameters[name]) for name in names},
    }


def gradient(parameter):
    found = parameter.grad
    if found is None:
        return [0.0] * parameter.numel()
    return found.to_dense().flatten().tolist()


def outline(ChannelViT, sizes, batches):
    """A model of the usual size: its parameters, and shape and a few numbers of its tokens."""
    model = ChannelViT(**sizes).eval()
    side = sizes["img_size"][0]
    made = []
    with torch.no_grad():
        for batch in batches:
            x = torch.randn(1, len(batch[0]), side, side).repeat(len(batch), 1, 1, 1)
            tokens = model.prepare_tokens(x, torch.tensor(batch))
            made.append({"shape": list(tokens.shape), "numbers": tokens[:, 1::97, ::61].tolist()})
    return {"parameters": described(model), "made": made}
