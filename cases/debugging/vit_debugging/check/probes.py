"""Run inside the candidate's process: report what the Vision Transformer computes."""

import torch

torch.set_num_threads(1)  # for matrices this small, a second thread is mostly waiting


def report(factories, models):
    from dino_v2.models import vision_transformer as vits

    with torch.device("meta"):  # shapes alone, without the memory and time of the values
        made = [shapes(getattr(vits, name)(**options)) for name, options in factories]
    return {"factories": made, "models": [plain(vits.DinoVisionTransformer, **one) for one in models]}


def dynamic(asked):
    from dino_v2.models import vision_transformer as vits

    return [changing(vits.DinoVisionTransformer, **one) for one in asked]


def shapes(model):
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def load(Model, options, values):
    model = Model(**options)
    model.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    return model.eval()


def draw(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def plain(Model, options, values, calls):
    """What a model with given weights answers to some calls."""
    made = shapes(Model(**options))
    model = load(Model, options, values)
    return {"shapes": made, "calls": [call(model, **one) for one in calls]}


@torch.no_grad()
def changing(Model, options, values, tokens, calls, default):
    """A model that is called with its own and with other patch sizes in turn.

    `tokens` is answered by a model of its own, whose blocks the judge has
    switched off by its weights.
    """
    model, other = (load(Model, options, values) for _ in range(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bare = load(Model, options, values | {name: torch.zeros(len(values[name])).tolist() for name in values if "gamma" in name})
    found = {
        "tokens": call(bare, **tokens)["x_prenorm"],
        "default": call(model, **default),
        "calls": [call(model, **one) for one in calls],
        "again": [call(model, **one) for one in reversed(calls)][::-1],
        "elsewhere": [call(other, **one) for one in calls],
        "default_again": call(model, **default),
    }
    after = model.state_dict()
    found["unchanged"] = after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    found["parameters"] = sorted(name for name, _ in [*model.named_parameters(), *model.named_buffers()])
    found["gradient"] = gradient(model, calls[0])
    return found


@torch.enable_grad()
def gradient(model, asked):
    model.zero_grad()
    model(draw(*asked["images"]), dynamic_patch_size=asked["size"]).square().sum().backward()
    grad = model.patch_embed.proj.weight.grad
    return None if grad is None else grad.tolist()


def call(model, method, images, size=None, masks=None, **options):
    """One call; the size is left out of it if it is None."""
    options |= {} if size is None else {"dynamic_patch_size": size}
    options |= {} if masks is None else {"masks": torch.tensor(masks)}
    return plainly(getattr(model, method)(draw(*images), **options))


def plainly(value):
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plainly(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return [plainly(part) for part in value]
    return value
