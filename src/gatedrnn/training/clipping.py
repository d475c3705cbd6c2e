"""Clip gradients by their global norm."""

from collections.abc import Iterable

import torch
from torch import Tensor


def clip_by_global_norm(parameters: Iterable[Tensor], max_norm: float | None) -> float:
    """Scale all gradients by one factor so that their joint norm is at most `max_norm`.

    Returns the norm *before* clipping, which is the number to log: after clipping an explosion
    looks like any other step. The direction is kept, unlike clipping by value. With None nothing
    is scaled, and the norm is still reported. A norm that is not finite scales nothing.
    Source: Pascanu, Mikolov and Bengio (2013), section 3.2.
    """
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if max_norm is not None and torch.isfinite(norm):
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return float(norm)
