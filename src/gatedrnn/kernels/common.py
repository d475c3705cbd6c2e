"""What the fused kernels share: tiles of time steps, and the end of the chain of derivatives."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

# The gates of one tile, in bytes: small enough to be read again from a cache, large enough for
# the products over a whole tile to run at full speed.
TILE_BYTES = 2 << 20


def tiles(steps: int, bytes_per_step: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of consecutive tiles of at least one and together all time steps."""
    length = max(1, TILE_BYTES // max(1, bytes_per_step))
    for start in range(0, steps, length):
        yield start, min(start + length, steps)


def before_each_step(first: Tensor, states: Tensor, start: int, stop: int) -> Tensor:
    """The states (stop - start, B, H) before the steps of a tile; ``first`` before all steps."""
    before = first if start == 0 else states[start - 1]
    return torch.cat((before.unsqueeze(0), states[start : stop - 1]))


def gradients_before(doutputs: Tensor | None, like: Tensor, steps: int) -> list[Tensor]:
    """What the output before each step receives from outside, and after them all the last one's.

    The state before the first step is no output, and no gradient (None) is zero everywhere.
    """
    zero = torch.zeros_like(like)
    return [zero, *([zero] * steps if doutputs is None else doutputs.unbind(0))]


def first_derivatives_only(
    name: str, gradients: tuple[Tensor | None, ...], sources: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """Return the gradients, tied to ``sources`` so that differentiating them says why it cannot.

    Without this, second derivatives would silently lack what passes through the kernel.
    """
    tied = [s for s in sources if s is not None and s.requires_grad]
    if not torch.is_grad_enabled() or not tied:
        return gradients
    present = [g for g in gradients if g is not None]
    results = iter(_FirstDerivativesOnly.apply(name, len(present), *present, *tied))
    return tuple(None if g is None else next(results) for g in gradients)


class _FirstDerivativesOnly(Function):
    @staticmethod
    def forward(ctx: Any, name: str, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.name = name
        return tuple(gradient.clone() for gradient in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError(
            f"the fused {ctx.name} has first derivatives only, but second ones were asked for "
            "(create_graph=True); use backend='plain' for them"
        )
