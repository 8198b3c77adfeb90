"""Try the training of train.py: exit 0 if its losses are sound, 1 if not."""

import math
import sys

import numpy as np
import torch


def problem():
    """What is wrong with the training, or None."""
    torch.manual_seed(42)
    np.random.seed(42)

    from train import train

    losses = train()
    if len(losses) != 20:
        return f"expected 20 losses, got {len(losses)}"
    if any(math.isnan(loss) for loss in losses):
        return "some losses are NaN"
    first, middle, last = losses[0], losses[10], losses[-1]
    if not last < first:
        return f"the last loss {last} is not below the first, {first}"
    if not middle < first:
        return f"the 11th loss {middle} is not below the first, {first}"
    if not last < middle:
        return f"the last loss {last} is not below the 11th, {middle}"
    print(f"Training successful: the loss fell from {first} to {last}")
    return None


if __name__ == "__main__":
    try:
        found = problem()
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    if found:
        print(f"Training failed: {found}")
        sys.exit(1)
