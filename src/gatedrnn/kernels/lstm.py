"""A fused LSTM over a whole sequence, with its hand-derived backward pass.

The equations are those of ``gatedrnn.equations.lstm``, the plan that of ``gatedrnn.kernels.gru``.
All four blocks are sums of both sides, so that one buffer of 4*H values, in the order i, f, g, o,
serves both weights, and one sigmoid all blocks: tanh(a) = 1 - 2 sigmoid(-2 a) turns the tanh
of the candidate and that of the cell state into sigmoids.
The block g holds s = sigmoid(-2 a), where g = 1 - 2 s, and the cell state is kept as v = -2 c::

    v' = f * v - 2 * i + 4 * i * s          instead of  c' = f * c + i * g
    h' = o - 2 * o * sigmoid(v')            instead of  h' = o * tanh(c')

Shapes: T time, B batch, D input, H hidden; W_ih (4*H, D), W_hh (4*H, H), blocks i, f, g, o.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

from .common import before_each_step, first_derivatives_only, gradients_before, tiles


def lstm_fused(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    W_ih: Tensor,
    W_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    *,
    recompute: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """An LSTM over a sequence; first derivatives only.

    Equation ``eq-lstm-step``.
    Takes x (T, B, D), time first, and the state (h0, c0), each (B, H); returns outputs (T, B, H)
    and the last state (h_T, c_T).
    Kept for the backward pass beside x and the outputs: five values for each time step, sequence
    and unit; one, the cell state, with ``recompute``.
    Raises RuntimeError when differentiated twice.
    Source: Appleyard et al. 2016, arXiv 1604.01946, for the products taken out of the loop.
    """
    # Inside a Function no gradient is ever enabled, so the question is asked here.
    train = torch.is_grad_enabled()
    outputs, h_T, c_T = _FusedLSTM.apply(x, *state, W_ih, W_hh, b_ih, b_hh, train, recompute)
    return outputs, (h_T, c_T)


class _FusedLSTM(Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h0: Tensor,
        c0: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        b_ih: Tensor | None,
        b_hh: Tensor | None,
        train: bool,
        recompute: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        train = train and any(ctx.needs_input_grad)
        weights = _Weights(W_ih, W_hh, b_ih, b_hh)
        outputs, cells, kept = _forward(x, h0, c0, weights, train, train and not recompute)
        ctx.save_for_backward(x, h0, c0, W_ih, W_hh, b_ih, b_hh, outputs, cells, *kept)
        ctx.set_materialize_grads(False)
        return outputs, outputs[-1].clone(), cells[-1] * -0.5

    @staticmethod
    def backward(
        ctx: Any, doutputs: Tensor | None, dh_T: Tensor | None, dc_T: Tensor | None
    ) -> tuple[Any, ...]:
        x, h0, c0, W_ih, W_hh, b_ih, b_hh, outputs, cells, *kept = ctx.saved_tensors
        with torch.no_grad():
            weights = _Weights(W_ih, W_hh, b_ih, b_hh)
            dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
            dstate = (dh_T, dc_T)
            gradients = _backward(doutputs, dstate, x, (h0, c0), outputs, cells, kept, weights, dx)
        sources = (doutputs, dh_T, dc_T, x, h0, c0, W_ih, W_hh, b_ih, b_hh)
        return *first_derivatives_only("LSTM", (dx, *gradients), sources), None, None


class _Weights:
    """The weights, and their form for the gates, where those of the candidate are times -2."""

    def __init__(
        self, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor | None, b_hh: Tensor | None
    ) -> None:
        H = self.H = W_hh.shape[1]
        self.biased = b_ih is not None
        self.W_ih, self.W_hh = W_ih, W_hh
        self.to_gates_x, self.to_gates_h = W_ih.T.contiguous(), W_hh.T.contiguous()
        self.bias = W_hh.new_zeros(4 * H)
        if b_ih is not None and b_hh is not None:
            self.bias += b_ih + b_hh
        for weights in (self.to_gates_x, self.to_gates_h, self.bias):
            weights[..., 2 * H : 3 * H] *= -2

    def project(self, x: Tensor, gates: Tensor) -> None:
        """Write the biases and W_ih x of a tile into gates (steps, B, 4*H)."""
        torch.addmm(self.bias, x.flatten(0, 1), self.to_gates_x, out=gates.flatten(0, 1))


def _forward(
    x: Tensor, h0: Tensor, c0: Tensor, weights: _Weights, keep_cells: bool, keep_gates: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Outputs (T, B, H), the cell states as v, and the gates (steps, B, 4*H) of each tile.

    The cell states are (T, B, H), or only the last one (1, B, H) when they are not to be kept.
    """
    T, B, _ = x.shape
    H = weights.H
    outputs = x.new_empty(T, B, H)
    v = c0 * -2
    cells = x.new_empty(T, B, H) if keep_cells else v.unsqueeze(0)
    kept: list[Tensor] = []
    gates, squashed = x.new_empty(0), torch.empty_like(h0)
    h = h0
    for start, stop in tiles(T, 4 * H * B * x.element_size()):
        if keep_gates or len(gates) != stop - start:
            gates = x.new_empty(stop - start, B, 4 * H)
        weights.project(x[start:stop], gates)
        views = (block.unbind(0) for block in (gates, *gates.split(H, -1)))
        v_next = cells[start:stop].unbind(0) if keep_cells else (v,) * (stop - start)
        for step, i, f, s, o, v_t, h_t in zip(
            *views, v_next, outputs[start:stop].unbind(0), strict=True
        ):
            step.addmm_(h, weights.to_gates_h).sigmoid_()
            v = torch.mul(f, v, out=v_t).add_(i, alpha=-2).addcmul_(i, s, value=4)
            torch.sigmoid(v, out=squashed)
            h = torch.addcmul(o, o, squashed, value=-2, out=h_t)
        if keep_gates:
            kept.append(gates)
    return outputs, cells, kept


def _gates_again(x: Tensor, h: Tensor, weights: _Weights) -> Tensor:
    """The gates (steps, B, 4*H) of a tile; h (steps, B, H) being known, there is no loop."""
    gates = x.new_empty(*h.shape[:2], 4 * weights.H)
    weights.project(x, gates)
    gates.flatten(0, 1).addmm_(h.flatten(0, 1), weights.to_gates_h).sigmoid_()
    return gates


def _factors(gates: Tensor, v_before: Tensor, v: Tensor, H: int) -> tuple[Tensor, Tensor]:
    """What turns dL/dc' and dL/dh' into the gradients of the affine maps, and dL/dh' into dL/dc'.

    For a tile: gates (steps, B, 4*H); v_before and v (steps, B, H) are the cell states before and
    after each step.
    """
    sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
    i, f, s, o = gates.split(H, -1)
    factors = torch.empty_like(gates)
    for_i, for_f, for_g, for_o = factors.split(H, -1)
    sigmoid_backward(torch.rsub(s, 1, alpha=2), i, grad_input=for_i)
    sigmoid_backward(v_before * -0.5, f, grad_input=for_f)
    sigmoid_backward(i * 4, s, grad_input=for_g)
    squashed = v.sigmoid()
    sigmoid_backward(torch.rsub(squashed, 1, alpha=2), o, grad_input=for_o)
    return factors, torch.ops.aten.sigmoid_backward(o * 4, squashed)


def _backward(
    doutputs: Tensor | None,
    dstate: tuple[Tensor | None, Tensor | None],
    x: Tensor,
    state: tuple[Tensor, Tensor],
    outputs: Tensor,
    cells: Tensor,
    kept: list[Tensor],
    weights: _Weights,
    dx: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of h0, c0 and the parameters; that of x (T, B, D) is written into ``dx``."""
    T, B, H = outputs.shape
    h0, c0 = state
    dh, dc = (torch.zeros_like(h0) if d is None else d.clone() for d in dstate)
    douts = gradients_before(doutputs, h0, T)
    dh += douts.pop()
    dW_ih, dW_hh = torch.zeros_like(weights.W_ih), torch.zeros_like(weights.W_hh)
    db = dW_hh.new_zeros(4 * H)
    for tile, (start, stop) in reversed(list(enumerate(tiles(T, 4 * H * B * x.element_size())))):
        x_tile = x[start:stop].flatten(0, 1)
        h = before_each_step(h0, outputs, start, stop)
        v_before = before_each_step(c0 * -2, cells, start, stop)
        gates = kept[tile] if kept else _gates_again(x[start:stop], h, weights)
        da, dh_to_dc = _factors(gates, v_before, cells[start:stop], H)
        _walk_back(dh, dc, da, dh_to_dc, gates[..., H : 2 * H], douts[start:stop], weights.W_hh)
        da = da.flatten(0, 1)
        dW_hh.addmm_(da.T, h.flatten(0, 1))
        dW_ih.addmm_(da.T, x_tile)
        if weights.biased:
            db += da.sum(0)
        if dx is not None:
            torch.mm(da, weights.W_ih, out=dx[start:stop].flatten(0, 1))
    # The two biases are only ever added, so their gradients are the same numbers.
    db_ih, db_hh = (db, db.clone()) if weights.biased else (None, None)
    return dh, dc, dW_ih, dW_hh, db_ih, db_hh


def _walk_back(
    dh: Tensor,
    dc: Tensor,
    da: Tensor,
    dh_to_dc: Tensor,
    f: Tensor,
    douts: list[Tensor],
    W_hh: Tensor,
) -> None:
    """Backpropagation through a tile, last step first, in place.

    ``dh`` and ``dc`` (B, H) are the gradients after the last step and become those before the
    first; ``da`` (steps, B, 4*H) holds the factors and becomes the gradients of the affine maps.
    ``douts[k]`` (B, H) is what the output before step k of the tile receives from outside.
    """
    steps, B, _ = da.shape
    H = dh.shape[1]
    dc_per_block = dc.unsqueeze(1)
    views = (
        da.unbind(0),
        da[..., : 3 * H].view(steps, B, 3, H).unbind(0),
        da[..., 3 * H :].unbind(0),
        dh_to_dc.unbind(0),
        f.unbind(0),
        douts,
    )
    for a, a_ifg, a_o, to_dc, f_t, dout in zip(*(reversed(v) for v in views), strict=True):
        dc.addcmul_(dh, to_dc)
        a_ifg.mul_(dc_per_block)
        a_o.mul_(dh)
        dc.mul_(f_t)
        torch.addmm(dout, a, W_hh, out=dh)
