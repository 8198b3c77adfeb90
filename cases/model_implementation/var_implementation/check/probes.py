"""Report what a VAR computes: the candidate's, or the reference in a process of its own."""

import importlib

import helpers
import torch
from torch import nn
from vqvae import VQVAE

torch.set_num_threads(1)  # the models are so small that more would only wait for each other


class Watch:
    """Keeps the logits that the sampler is given. It must begin before the model is imported."""

    def __init__(self):
        self.seen = []
        self.draw = helpers.sample_with_top_k_top_p_
        helpers.sample_with_top_k_top_p_ = self

    def __call__(self, logits_BlV, *rest, **options):
        self.seen.append(logits_BlV.tolist())
        return self.draw(logits_BlV, *rest, **options)


watch = Watch()


def report(module, seed, models, dropping):
    VAR = importlib.import_module(module).VAR
    return [examine(VAR, seed + i, **model, dropping=dropping) for i, model in enumerate(models)]


def examine(VAR, seed, tokenizer, sizes, inferences, dropping):
    """All that the judge wants to know of one model, whose weights and inputs depend on the seed."""
    vae = VQVAE(**tokenizer, v_patch_nums=sizes["patch_nums"])
    # What decodes f_hat is the suite's own; something small in its place saves most of the time.
    vae.encoder, vae.decoder = nn.Identity(), nn.ConvTranspose2d(vae.Cvae, 3, 2, stride=2)
    model = VAR(vae, cond_drop_rate=0.0, **sizes)
    for part in (vae, model.eval()):
        fill(part.double(), seed)
    labels = torch.tensor([1, model.num_classes])
    x = torch.randn(2, model.L - model.first_l, model.Cvae, dtype=torch.float64, generator=generator(seed))
    scales = range(-1, len(model.patch_nums))
    return {
        "passes": [trained(model, si, labels, x, seed) for si in scales],
        "inferences": [inferred(model, **one) for one in inferences],
        "unseeded": [made(model, label_B=1).tolist() for _ in range(2)],
        "after": model(labels, x).tolist(),
        "errors": [
            error(model, -1, torch.tensor([model.num_classes, model.num_classes + 1]), x),
            error(model, len(model.patch_nums), labels, x),
        ],
        "clean": first_logits(model, torch.arange(model.num_classes + 1)),
        "dropped": dropped(model, **dropping),
    }


def generator(seed):
    return torch.Generator().manual_seed(seed)


def fill(module, seed):
    """Weights that depend on the seed alone, large enough for each of them to matter."""
    random = generator(seed)
    with torch.no_grad():
        for name, parameter in sorted(module.named_parameters()):
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=random)
            if parameter.dim() > 1:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.1 * noise + name.endswith("weight"))


def trained(model, prog_si, labels, x, seed):
    """Logits up to scale prog_si, and for each parameter two numbers that tell its gradient."""
    model.prog_si = prog_si
    model.zero_grad()
    end = model.begin_ends[prog_si][1] if prog_si >= 0 else model.L
    logits = model(labels, x[:, : end - model.first_l])
    (logits * torch.randn(logits.shape, dtype=torch.float64, generator=generator(seed))).sum().backward()
    model.prog_si = -1
    return {"logits": logits.tolist(), "gradients": {name: told(p.grad) for name, p in model.named_parameters()}}


def told(gradient):
    if gradient is None:
        return None
    return [gradient.norm().item(), (gradient.flatten() * torch.linspace(-1, 1, gradient.numel())).sum().item()]


def made(model, label_B, **options):
    """Two images; labels come as a list, as one number, or not at all."""
    return model.autoregressive_infer_cfg(2, torch.tensor(label_B) if isinstance(label_B, list) else label_B, **options)


def inferred(model, **options):
    """Images, the guided logits of each scale, and how the blocks were called."""
    calls = []

    def note(block, given, named):
        x = given[0] if given else named["x"]
        mask = given[2] if len(given) > 2 else named.get("attn_bias")
        calls.append([len(x), x.shape[1], block.attn.caching, mask is None])

    hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in model.blocks]
    watch.seen.clear()
    images = made(model, **options)
    for hook in hooks:
        hook.remove()
    return {
        "images": images.tolist(),
        "guided": list(watch.seen),
        "calls": calls,
        "caching": [block.attn.caching or block.attn.cached_k is not None for block in model.blocks],
    }


def error(model, prog_si, labels, x):
    model.prog_si = prog_si
    try:
        model(labels, x)
    except Exception as raised:  # noqa: BLE001, its name is the answer
        return type(raised).__name__
    finally:
        model.prog_si = -1
    return None


def first_logits(model, labels):
    """Some logits of the first token of each label."""
    model.prog_si = 0
    with torch.no_grad():
        logits = model(labels, torch.zeros(len(labels), 0, model.Cvae, dtype=torch.float64))
    model.prog_si = -1
    return logits[:, 0, :6].tolist()


def dropped(model, labels, rate):
    """What becomes of some labels in training."""
    model.cond_drop_rate = rate
    return first_logits(model.train(), torch.arange(labels) % model.num_classes)
