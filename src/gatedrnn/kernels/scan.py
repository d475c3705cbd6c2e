"""The linear recurrence h_t = a_t * h_{t-1} + b_t over a whole sequence, in several ways.

Its steps compose: (a_1, b_1) followed by (a_2, b_2) is (a_1 a_2, a_2 b_1 + b_2), which is
associative, so that all T states can be had in about log2(T) passes instead of T steps.

Shapes: a and b (T, B, H), time first; h0 (B, H).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function


def scan_steps(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """The states (T, B, H) one after the other, as the formula says."""
    h, states = h0, []
    for a_t, b_t in zip(a.unbind(0), b.unbind(0), strict=True):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states)


def scan_doubling(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """The states (T, B, H) in ceil(log2(T)) passes, each joining spans twice as long as the last.

    The backward pass is a scan too, from the last step to the first, so that what is kept is a and
    the states alone; it can be differentiated again.
    Where 0 <= a <= 1 nothing overflows, and a product of many a that underflows to zero belongs to
    a contribution too small to be seen: no logarithms are needed.
    Source: Hillis and Steele, Communications of the ACM 29(12), 1986.
    """
    return _DoublingScan.apply(a, b, h0)


class _DoublingScan(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
        states = _doubling(a, b, h0)
        ctx.save_for_backward(a, h0, states)
        return states

    @staticmethod
    def backward(ctx: Any, dstates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # g_t = dstates_t + a_{t+1} g_{t+1}: the same recurrence, read backwards.
        a, h0, states = ctx.saved_tensors
        a_after = torch.cat((a[1:], torch.zeros_like(a[:1])))
        g = scan_doubling(a_after.flip(0), dstates.flip(0), torch.zeros_like(h0)).flip(0)
        before = torch.cat((h0.unsqueeze(0), states[:-1]))
        return g * before, g, a[0] * g[0]


def _doubling(a: Tensor, b: Tensor, h0: Tensor) -> Tensor:
    """The scan itself: before the pass with span k, (a_t, b_t) stands for steps t-k+1 to t."""
    T = len(a)
    b = torch.cat((torch.addcmul(b[0], a[0], h0).unsqueeze(0), b[1:]))
    span = 1
    while span < T:
        # The first steps already reach back to the beginning, so only their b is needed.
        b_next = b.clone()
        b_next[span:].addcmul_(a[span:], b[:-span])
        if 2 * span < T:
            a_next = a.clone()
            a_next[2 * span :] *= a[span:-span]
            a = a_next
        b = b_next
        span *= 2
    return b


def scan_log(log_a: Tensor, log_b: Tensor, log_h0: Tensor | None) -> Tensor:
    """The logarithms of the states (T, B, H), by doubling; for positive a, b and h0.

    ``log_h0`` is None for the state zero, whose logarithm is no number.
    Only sums of a few logarithms and ``logaddexp`` occur, so that the error does not grow with T;
    `scan_log_cumulative` has the published formula.
    """
    if log_h0 is not None:
        first = torch.logaddexp(log_a[0] + log_h0, log_b[0])
        log_b = torch.cat((first.unsqueeze(0), log_b[1:]))
    span = 1
    while span < len(log_a):
        joined = torch.logaddexp(log_a[span:] + log_b[:-span], log_b[span:])
        log_b = torch.cat((log_b[:span], joined))
        log_a = torch.cat((log_a[:span], log_a[span:] + log_a[:-span]))
        span *= 2
    return log_b


def scan_log_cumulative(log_a: Tensor, log_b: Tensor, log_h0: Tensor | None) -> Tensor:
    """The logarithms of the states (T, B, H) as published: A_t + logcumsumexp(log b_t - A_t).

    A_t, the sum of log a_1 to log a_t, grows with t, and the rounding error with it: in float32,
    with a of one half, the states after 10,000 steps are off by about one part in a thousand.
    It is here to be compared with `scan_log`.
    Source: Heinsen 2023, arXiv 2311.06281; Feng et al. 2024, arXiv 2410.01201, appendix B.
    """
    A = log_a.cumsum(0)
    terms = log_b - A
    if log_h0 is None:
        return A + terms.logcumsumexp(0)
    return A + torch.cat((log_h0.unsqueeze(0), terms)).logcumsumexp(0)[1:]
