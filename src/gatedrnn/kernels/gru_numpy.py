"""The fused GRU once more, in NumPy: the derivation alone, without any library's layer or autograd.

Plan and buffer are those of ``gatedrnn.kernels.gru``; the formulas stand in
``gatedrnn.equations.gru``. Here sigmoid(a) = (1 + tanh(a / 2)) / 2, because tanh is one call in
NumPy, so that the affine maps of r and z are halved.

Shapes: B batch, T time, D input, H hidden; W_ih (3*H, D), W_hh (3*H, H), blocks r, z, n; inside,
time comes first, and a buffer has the blocks hn, r, z, n.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

Params = Mapping[str, np.ndarray]


class Kept(NamedTuple):
    """What the forward pass keeps: gates and candidate (T, B, 4*H), states before and after."""

    x: np.ndarray
    states: np.ndarray
    gates: np.ndarray


def gru_forward(x: np.ndarray, h0: np.ndarray, params: Params) -> tuple[np.ndarray, Kept]:
    """A GRU over a sequence, reset after the product, and what its backward pass needs.

    Equation ``eq-gru-h``.
    Takes x (B, T, D) and h0 (B, H), in float32 or float64; returns outputs (B, T, H) and what is
    kept for ``gru_backward``.
    """
    B, T, _ = x.shape
    H = h0.shape[1]
    x = np.ascontiguousarray(x.swapaxes(0, 1)).reshape(T * B, -1)
    halves = np.ones(4 * H, x.dtype)
    halves[H : 3 * H] = 0.5
    to_gates_x = (params["W_ih"] * halves[H:, None]).T
    to_gates_h = np.ascontiguousarray((np.roll(params["W_hh"], H, 0) * halves[: 3 * H, None]).T)
    gates = np.empty((T, B, 4 * H), x.dtype)
    gates[..., :H] = 0
    np.matmul(x, to_gates_x, out=gates.reshape(T * B, 4 * H)[:, H:])
    if "b_ih" in params:
        bias = np.zeros(4 * H, x.dtype)
        bias[H:] += params["b_ih"]
        bias[: 3 * H] += np.roll(params["b_hh"], H)
        gates += bias * halves
    states = np.empty((T + 1, B, H), x.dtype)
    states[0] = h0
    from_state = np.empty((B, 3 * H), x.dtype)
    for t in range(T):
        step, h, h_next = gates[t], states[t], states[t + 1]
        hn, r_z, r, z, n = (
            step[:, :H],
            step[:, H : 3 * H],
            step[:, H : 2 * H],
            step[:, 2 * H : 3 * H],
            step[:, 3 * H :],
        )
        step[:, : 3 * H] += np.matmul(h, to_gates_h, out=from_state)
        np.tanh(r_z, out=r_z)
        r_z += 1
        r_z *= 0.5
        n += np.multiply(r, hn, out=h_next)
        np.tanh(n, out=n)
        np.subtract(h, n, out=h_next)
        h_next *= z
        h_next += n
    return states[1:].swapaxes(0, 1), Kept(x, states, gates)


def gru_backward(
    doutputs: np.ndarray, kept: Kept, params: Params, with_x: bool = True
) -> dict[str, np.ndarray]:
    """Backpropagation through time for ``gru_forward``.

    The derivatives of ``eq-gru-h`` and of the gates.
    Takes doutputs (B, T, H); returns the gradients of ``x``, ``h0`` and each parameter;
    without ``x`` when it is the data, which needs none.
    """
    x, states, gates = kept
    T, B, H = states[1:].shape
    hn, r, z, n = (gates[..., k * H : (k + 1) * H] for k in range(4))
    W_hh = np.ascontiguousarray(np.roll(params["W_hh"], H, 0))
    da = np.empty((T, B, 4, H), x.dtype)  # the factors first, then the gradients
    da_hn, da_r, da_z, da_n = (da[:, :, k] for k in range(4))
    np.subtract(1, z, out=da_n)
    np.subtract(states[:-1], n, out=da_z)
    da_z *= z
    da_z *= da_n
    da_n *= 1 - n * n
    np.multiply(da_n, r, out=da_hn)
    np.multiply(da_hn, hn, out=da_r)
    da_r *= 1 - r
    dh = np.zeros((B, H), x.dtype)
    product = np.empty_like(dh)
    for t in reversed(range(T)):
        dh += doutputs[:, t]
        da[t] *= dh[:, None]
        dh *= z[t]
        dh += np.matmul(da[t].reshape(B, 4 * H)[:, : 3 * H], W_hh, out=product)
    rows = da.reshape(T * B, 4 * H)
    gradients = {
        "h0": dh,
        "W_ih": rows[:, H:].T @ x,
        "W_hh": np.roll(rows[:, : 3 * H].T @ states[:-1].reshape(T * B, H), -H, 0),
    }
    if "b_ih" in params:
        sums = rows.sum(0)
        gradients |= {"b_ih": sums[H:], "b_hh": np.roll(sums[: 3 * H], -H)}
    if with_x:
        gradients["x"] = (rows[:, H:] @ params["W_ih"]).reshape(T, B, -1).swapaxes(0, 1)
    return gradients
