"""A fused GRU over a whole sequence, reset after the product, with its hand-derived backward pass.

The equations are those of ``gatedrnn.equations.gru``; what makes them fast:

* the input side of a tile of time steps is one product, and so is each gradient of a weight;
* a step has one product, added in place to one buffer of four blocks in the order
  (hn, r, z, n): W_hh h + b_hh belongs to the first three, W_ih x + b_ih to the last three;
* tanh(a) = 2 sigmoid(2 a) - 1, because PyTorch's sigmoid is several times faster than its tanh on
  a CPU: the affine maps of the candidate are doubled, and the block n holds s = sigmoid(2 a);
* the loop carries g = (h + 1) / 2, for which the step is g' = (1 - z) s + z g: the way back from s
  to tanh is left out of the loop, and the weights of the state absorb h = 2 g - 1;
* whatever in the backward pass does not depend on the gradient from later steps is computed for a
  tile at once, which leaves three calls for each step.

Shapes: T time, B batch, D input, H hidden; W_ih (3*H, D), W_hh (3*H, H), blocks r, z, n.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from .common import before_each_step, first_derivatives_only, gradients_before, tiles


def gru_fused(
    x: Tensor,
    h0: Tensor,
    W_ih: Tensor,
    W_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    *,
    recompute: bool = False,
) -> tuple[Tensor, Tensor]:
    """A GRU over a sequence, reset after the product; first derivatives only.

    Equations ``eq-gru-r``, ``eq-gru-z``, ``eq-gru-n`` and ``eq-gru-h``, and their derivatives.
    Takes x (T, B, D), time first, and h0 (B, H); returns outputs (T, B, H) and the last state
    (B, H).
    Kept for the backward pass beside x and the outputs: four values for each time step, sequence
    and unit; none with ``recompute``, which makes the gates again from the outputs.
    Raises RuntimeError when differentiated twice.
    Source: Appleyard et al. 2016, arXiv 1604.01946, for the products taken out of the loop.
    """
    # Inside a Function no gradient is ever enabled, so the question is asked here.
    keep = torch.is_grad_enabled() and not recompute
    return _FusedGRU.apply(x, h0, W_ih, W_hh, b_ih, b_hh, keep)


class _FusedGRU(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h0: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        keep: bool,
    ) -> tuple[Tensor, Tensor]:
        keep = keep and any(ctx.needs_input_grad)
        outputs, kept = _forward(x, h0, _Weights(W_ih, W_hh, b_ih, b_hh), keep)
        ctx.save_for_backward(x, h0, W_ih, W_hh, b_ih, b_hh, outputs, *kept)
        ctx.set_materialize_grads(False)
        return outputs, outputs[-1].clone()

    @staticmethod
    def backward(ctx: Any, doutputs: Tensor | None, dh_T: Tensor | None) -> tuple[Any, ...]:
        x, h0, W_ih, W_hh, b_ih, b_hh, outputs, *kept = ctx.saved_tensors
        with torch.no_grad():
            weights = _Weights(W_ih, W_hh, b_ih, b_hh)
            dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
            gradients = dx, *_backward(doutputs, dh_T, x, h0, outputs, kept, weights, dx)
        sources = (doutputs, dh_T, x, h0, W_ih, W_hh, b_ih, b_hh)
        return *first_derivatives_only("GRU", gradients, sources), None


class _Weights:
    """The weights as the buffer of blocks (hn, r, z, n) wants them.

    ``to_gates_x`` (D, 3*H) multiplies x, ``to_gates_g`` (H, 3*H) multiplies g = (h + 1) / 2, and
    ``bias`` (4*H,) holds what both and h = 2 g - 1 add; the candidate's columns are doubled.
    """

    def __init__(
        self, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None
    ) -> None:
        H = self.H = W_hh.shape[1]
        self.biased = b_ih is not None
        self.W_ih, self.W_hh = W_ih, W_hh.roll(H, 0)
        self.to_gates_x, to_gates_h = W_ih.T.contiguous(), self.W_hh.T.contiguous()
        self.bias = W_hh.new_zeros(4 * H)
        if b_ih is not None and b_hh is not None:
            self.bias[H:] += b_ih
            self.bias[: 3 * H] += b_hh.roll(H, 0)
        self.bias[: 3 * H] -= to_gates_h.sum(0)
        self.to_gates_g = to_gates_h.mul_(2)
        for candidate in (
            self.to_gates_x[:, 2 * H :],
            self.to_gates_g[:, :H],
            self.bias[:H],
            self.bias[3 * H :],
        ):
            candidate *= 2

    def project(self, x: Tensor, gates: Tensor) -> None:
        """Write the biases and W_ih x of a tile into gates (steps, B, 4*H)."""
        rows = gates.flatten(0, 1)
        rows.copy_(self.bias.expand_as(rows))
        rows[:, self.H :].addmm_(x.flatten(0, 1), self.to_gates_x)


def _forward(x: Tensor, h0: Tensor, weights: _Weights, keep: bool) -> tuple[Tensor, list[Tensor]]:
    """Outputs (T, B, H), and the gates (steps, B, 4*H) of each tile when they are to be kept."""
    T, B, _ = x.shape
    H = weights.H
    outputs = x.new_empty(T, B, H)
    kept: list[Tensor] = []
    gates = x.new_empty(0)
    g = _to_g(h0)
    for start, stop in tiles(T, 4 * H * B * x.element_size()):
        if keep or len(gates) != stop - start:
            gates = x.new_empty(stop - start, B, 4 * H)
        weights.project(x[start:stop], gates)
        tile = outputs[start:stop]
        views = _views_of_all(gates, H) if keep else _views_of_one(gates, H)
        for (from_state, r_z, hn, r, z, n), output in zip(views, tile.unbind(0), strict=True):
            from_state.addmm_(g, weights.to_gates_g)
            r_z.sigmoid_()
            n.addcmul_(r, hn)
            g = torch.lerp(n.sigmoid_(), g, z, out=output)
        g = g.clone()
        tile.mul_(2).sub_(1)
        if keep:
            kept.append(gates)
    return outputs, kept


def _views_of_all(gates: Tensor, H: int) -> Iterator[tuple[Tensor, ...]]:
    """For each step of gates (steps, B, 4*H): the blocks that see h, (r, z), hn, r, z, n."""
    columns = (slice(3 * H), slice(H, 3 * H), *(slice(k * H, (k + 1) * H) for k in range(4)))
    return zip(*(gates[..., c].unbind(0) for c in columns), strict=True)


def _views_of_one(gates: Tensor, H: int) -> Iterator[tuple[Tensor, ...]]:
    """The same, in a copy of one step at a time: a copy costs less than six views of each step."""
    step = torch.empty_like(gates[0])
    (views,) = _views_of_all(step.unsqueeze(0), H)
    for gates_t in gates.unbind(0):
        step.copy_(gates_t)
        yield views


def _to_g(h: Tensor) -> Tensor:
    """The state as the loop carries it, g = (h + 1) / 2."""
    return (h + 1).mul_(0.5)


def _gates_again(x: Tensor, h: Tensor, weights: _Weights) -> Tensor:
    """The gates (steps, B, 4*H) of a tile; h (steps, B, H) being known, there is no loop."""
    H = weights.H
    gates = x.new_empty(*h.shape[:2], 4 * H)
    weights.project(x, gates)
    gates.flatten(0, 1)[:, : 3 * H].addmm_(_to_g(h).flatten(0, 1), weights.to_gates_g)
    hn, r, _, n = gates.split(H, -1)
    gates[..., H : 3 * H].sigmoid_()
    n.addcmul_(r, hn)
    n.sigmoid_()
    return gates


def _factors(gates: Tensor, h: Tensor) -> Tensor:
    """What turns dL/dh' into the gradients of the affine maps; blocks (hn, r, z, n).

    The derivatives of ``eq-gru-h`` and of the gates, for a tile: gates (steps, B, 4*H), and h
    (steps, B, H) before each step.
    """
    sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
    hn, r, z, n = gates.split(h.shape[-1], -1)
    factors = torch.empty_like(gates)
    for_hn, for_r, for_z, for_n = factors.split(h.shape[-1], -1)
    # n and hn hold sigmoid(2 a) and 2 hn.
    four_minus_4z = torch.rsub(z, 4, alpha=4)
    sigmoid_backward(four_minus_4z, n, grad_input=for_n)
    from_n = torch.mul(for_n, hn, out=four_minus_4z).mul_(0.5)
    torch.sub(h + 1, n, alpha=2, out=for_hn)
    sigmoid_backward(from_n, r, grad_input=for_r)
    sigmoid_backward(for_hn, z, grad_input=for_z)
    torch.mul(for_n, r, out=for_hn)
    return factors


def _backward(
    doutputs: Tensor | None,
    dh_T: Tensor | None,
    x: Tensor,
    h0: Tensor,
    outputs: Tensor,
    kept: list[Tensor],
    weights: _Weights,
    dx: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of h0, W_ih, W_hh, b_ih and b_hh; that of x (T, B, D) is written into ``dx``."""
    T, B, H = outputs.shape
    dh = torch.zeros_like(h0) if dh_T is None else dh_T.clone()
    douts = gradients_before(doutputs, h0, T)
    dh += douts.pop()
    dW_ih, dW_hh = torch.zeros_like(weights.W_ih), torch.zeros_like(weights.W_hh)
    db = dW_hh.new_zeros(4 * H)
    for tile, (start, stop) in reversed(list(enumerate(tiles(T, 4 * H * B * x.element_size())))):
        x_tile = x[start:stop]
        h = before_each_step(h0, outputs, start, stop)
        gates = kept[tile] if kept else _gates_again(x_tile, h, weights)
        da = _factors(gates, h)
        _walk_back(dh, da, gates[..., 2 * H : 3 * H], douts[start:stop], weights.W_hh)
        da = da.flatten(0, 1)
        da_h, da_x = da[:, : 3 * H], da[:, H:]
        dW_hh.addmm_(da_h.T, h.flatten(0, 1))
        dW_ih.addmm_(da_x.T, x_tile.flatten(0, 1))
        if weights.biased:
            db += da.sum(0)
        if dx is not None:
            torch.mm(da_x, weights.W_ih, out=dx[start:stop].flatten(0, 1))
    db_ih, db_hh = (db[H:], db[: 3 * H].roll(-H)) if weights.biased else (None, None)
    return dh, dW_ih, dW_hh.roll(-H, 0), db_ih, db_hh


def _walk_back(dh: Tensor, da: Tensor, z: Tensor, douts: list[Tensor], W_hh: Tensor) -> None:
    """Backpropagation through a tile, last step first, in place.

    ``dh`` (B, H) is dL/dh' of the last step and becomes that of the step before the tile; ``da``
    (steps, B, 4*H) holds the factors and becomes the gradients of the affine maps.
    ``douts[k]`` (B, H) is what the output before step k of the tile receives from outside.
    """
    steps, B, _ = da.shape
    H = dh.shape[1]
    dh_per_block = dh.unsqueeze(1)
    views = (da.view(steps, B, 4, H).unbind(0), da[..., : 3 * H].unbind(0), z.unbind(0), douts)
    for a, a_h, z_t, dout in zip(*(reversed(v) for v in views), strict=True):
        a.mul_(dh_per_block)
        torch.addcmul(dout, dh, z_t, out=dh).addmm_(a_h, W_hh)
