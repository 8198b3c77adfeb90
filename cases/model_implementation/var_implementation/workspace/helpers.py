"""Sampling and stochastic depth for the transformer."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def sample_with_top_k_top_p_(logits_BlV, top_k=0, top_p=0.0, rng=None, num_samples=1):
    """Draw token indices of shape (B, l, num_samples) from logits of shape (B, l, V).

    With top_k > 0 only the top_k largest logits of a position stay in play, with
    top_p > 0 only the most likely tokens that together reach the probability
    top_p. The others are set to -inf in logits_BlV itself.
    """
    B, l, V = logits_BlV.shape
    if 0 < top_k < V:
        least = logits_BlV.topk(top_k, dim=-1).values[..., -1:]
        logits_BlV.masked_fill_(logits_BlV < least, -math.inf)
    if top_p > 0:
        ascending, order = logits_BlV.sort(dim=-1)
        unlikely = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        unlikely[..., -1] = False  # the likeliest token always stays
        logits_BlV.masked_fill_(torch.zeros_like(unlikely).scatter(-1, order, unlikely), -math.inf)
    probabilities = logits_BlV.softmax(dim=-1).view(B * l, V)
    return torch.multinomial(probabilities, num_samples, replacement=True, generator=rng).view(B, l, num_samples)


def gumbel_softmax_with_rng(logits, tau=1, hard=False, eps=1e-10, dim=-1, rng=None):
    """A sample of the Gumbel-softmax distribution, like F.gumbel_softmax but with a generator."""
    if rng is None:
        return F.gumbel_softmax(logits, tau=tau, hard=hard, eps=eps, dim=dim)
    gumbels = -torch.empty_like(logits).exponential_(generator=rng).log()
    soft = ((logits + gumbels) / tau).softmax(dim=dim)
    if not hard:
        return soft
    one_hot = torch.zeros_like(logits).scatter_(dim, soft.argmax(dim=dim, keepdim=True), 1.0)
    return one_hot - soft.detach() + soft


def drop_path(x, drop_prob=0.0, training=False):
    """Zero whole samples of a batch with probability drop_prob, and scale the others up."""
    if drop_prob == 0.0 or not training:
        return x
    keep = 1 - drop_prob
    mask = x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(keep)
    return x * mask / keep


class DropPath(nn.Module):
    """drop_path as a module, active in training mode only."""

    def __init__(self, drop_prob=0.0):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return drop_path(x, self.drop_prob, self.training)

    def extra_repr(self):
        return f"drop_prob={self.drop_prob}"
