"""Find the hidden size that gives a model a wanted number of parameters."""

from collections.abc import Callable

import torch
from torch import nn


def parameter_count(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def hidden_size_for(parameters: int, build: Callable[[int], nn.Module]) -> int:
    """Return the hidden size H whose model `build(H)` comes nearest to so many parameters.

    Models are built without memory, so that any size can be tried. Raises ValueError when even
    H = 1 has more than twice as many.
    """

    def count(hidden_size: int) -> int:
        with torch.device("meta"):
            return parameter_count(build(hidden_size))

    if count(1) > 2 * parameters:
        raise ValueError(f"A hidden size of 1 has {count(1)} parameters, more than {parameters}.")
    high = 1
    while count(high) < parameters:
        high *= 2
    low = 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= parameters else (middle, high)
    return min((low, high), key=lambda hidden_size: abs(count(hidden_size) - parameters))
