"""Run inside the candidate's process: report what the attention computes."""

import torch


def report(trials):
    import mla

    return [trial(getattr(mla, one.pop("kind")), **one) for one in trials]


def trial(kind, sizes, weights, tables, cache, steps, coefficients):
    """Feed a model with pieces of input; each finds the cache that the one before it returned."""
    model = kind(**sizes)
    found = {"parameters": {name: list(p.shape) for name, p in model.named_parameters()}, "steps": []}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.tensor(weights[name]))
        for name, table in tables.items():
            getattr(model, name)[0, 0] = torch.tensor(table)
        # Another input comes first, which the model must have forgotten afterwards.
        model(torch.randn_like(torch.tensor(steps[0][0])))

    cache = None if cache is None else torch.tensor(cache)
    for x, past_length in steps:
        x = torch.tensor(x, requires_grad=True)
        before = cache
        # A first call is made as the documents of the class suggest: with defaults.
        given = {} if cache is None and past_length == 0 else {"kv_cache": cache, "past_length": past_length}
        out, cache = model(x, **given)
        found["steps"].append(
            {
                "out": out.tolist(),
                "cache": cache.tolist(),
                "before": None if before is None else before.tolist(),
                "dtypes": [str(out.dtype), str(cache.dtype)],
            }
        )
        cache = cache.detach()
    if coefficients:  # of the last output, in the sum whose gradients are wanted
        (out * torch.tensor(coefficients)).sum().backward()
        learnt = {**dict(model.named_parameters()), "x": x}
        found["gradients"] = {name: None if p.grad is None else p.grad.tolist() for name, p in learnt.items()}
    return found
