"""Run inside the candidate's process: report what the layer computes."""

import inspect
import io

import torch


def report(seed, forwards, training):
    from lora import LoraLinear

    torch.manual_seed(seed)
    return {
        "signature": [[p.name, repr(p.default)] for p in inspect.signature(LoraLinear).parameters.values()][2:],
        "start": start(LoraLinear),
        "places": places(LoraLinear),
        "forwards": [forward(LoraLinear, **one) for one in forwards],
        "training": train(LoraLinear, **training),
    }


def start(Lora):
    """The layer as it is made, in several sizes."""
    found = []
    for rank in (1, 4, 16):
        layer = Lora(1024, 5, rank=rank)
        found.append(
            {
                "rank": rank,
                "A": layer.lora_A.tolist(),
                "other_A": Lora(1024, 5, rank=rank).lora_A[0].tolist(),
                "B": layer.lora_B.tolist(),
                "parameters": {name: [list(p.shape), p.requires_grad] for name, p in layer.named_parameters()},
                "attributes": [layer.rank, layer.alpha],
                "text": repr(layer),
            }
        )
    return found


def places(Lora):
    """Where the parameters lie; the meta device is another device that every machine has."""
    return {device: sorted({p.device.type for p in Lora(6, 5, device=device).parameters()}) for device in ("cpu", "meta")}


def forward(Lora, sizes, dtype, values, x):
    dtype = getattr(torch, dtype)
    layer = made(Lora, sizes, dtype, values)
    x = torch.tensor(x, dtype=dtype)
    output = layer(x)
    output.square().sum().backward()
    return {
        "y": output.tolist(),
        "eval": layer.eval()(x).tolist(),
        "restored": restored(layer, Lora, sizes, dtype)(x).tolist(),
        "dtype": str(output.dtype).removeprefix("torch."),
        "gradients": {name: None if p.grad is None else p.grad.tolist() for name, p in layer.named_parameters()},
    }


def restored(layer, Lora, sizes, dtype):
    """A new layer with the state of another, by way of a file."""
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh = Lora(**sizes).to(dtype)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    return fresh


def train(Lora, sizes, values, x, y, steps, rate):
    """Every parameter is given to the optimiser; the frozen one must stay as it is."""
    layer = made(Lora, sizes, torch.float64, values)
    x, y = (torch.tensor(given, dtype=torch.float64) for given in (x, y))
    optimiser = torch.optim.SGD(layer.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (layer(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return {"losses": losses, "values": {name: p.tolist() for name, p in layer.named_parameters()}}


def made(Lora, sizes, dtype, values):
    """A layer with given values, in place, as an optimiser would change them."""
    layer = Lora(**sizes).to(dtype)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.tensor(values[name], dtype=dtype))
    return layer
