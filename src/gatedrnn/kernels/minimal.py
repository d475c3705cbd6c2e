"""The recurrence of the minimal cells over a whole sequence, with a hand-derived backward pass.

h_t = z_t * h_{t-1} + (1 - z_t) * n_t, where neither z nor n depends on h: a step is one call, and
so is a step of the backward pass.

Shapes: T time, B batch, H hidden.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from .common import before_each_step, first_derivatives_only


def mix_fused(logits: Tensor, n: Tensor, h0: Tensor) -> Tensor:
    """States h_t = z_t * h_{t-1} + (1 - z_t) * n_t, z = sigmoid(logits); first derivatives only.

    Takes logits and n (T, B, H), time first, and h0 (B, H); returns the states (T, B, H).
    Kept for the backward pass: the arguments and the states.
    Raises RuntimeError when differentiated twice.
    """
    return _FusedMix.apply(logits, n, h0)


class _FusedMix(Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, n: Tensor, h0: Tensor) -> Tensor:
        z = logits.sigmoid()
        states = torch.empty_like(z)
        h = h0
        for z_t, n_t, state in zip(z.unbind(0), n.unbind(0), states.unbind(0), strict=True):
            h = torch.lerp(n_t, h, z_t, out=state)
        ctx.save_for_backward(logits, n, h0, states)
        return states

    @staticmethod
    def backward(ctx: Any, dstates: Tensor) -> tuple[Tensor | None, ...]:
        logits, n, h0, states = ctx.saved_tensors
        with torch.no_grad():
            gradients = _backward(dstates, logits.sigmoid(), n, h0, states)
        return first_derivatives_only("recurrence", gradients, (dstates, logits, n, h0))


def _backward(
    dstates: Tensor, z: Tensor, n: Tensor, h0: Tensor, states: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of the logits, n and h0; g_t is what reaches h_t from outside and from later."""
    g = torch.empty_like(states)
    dh = torch.zeros_like(h0)
    views = (reversed(v.unbind(0)) for v in (g, z, dstates))
    for g_t, z_t, dstate in zip(*views, strict=True):
        torch.add(dstate, dh, out=g_t)
        torch.mul(g_t, z_t, out=dh)
    dn = torch.addcmul(g, g, z, value=-1)
    dz = before_each_step(h0, states, 0, len(states)).sub_(n).mul_(g)
    return torch.ops.aten.sigmoid_backward(dz, z), dn, dh
