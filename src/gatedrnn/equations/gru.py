"""The gated recurrent unit, in its two forms, with the update gate z that keeps the old state.

Reset after the product (PyTorch's form, also Keras' default)::

    r  = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
    z  = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
    n  = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    h' = (1 - z) * n + z * h

Reset before the product (Cho et al. 2014, as published) has another candidate::

    n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)

The two are different functions: no change of weights turns one into the other.

Shapes: x (B, D) or (B, T, D), h (B, H), W_ih (3*H, D), W_hh (3*H, H), b_ih and b_hh (3*H,) or
absent; blocks in the order r, z, n.
"""

import numpy as np

from .activations import sigmoid
from .affine import (
    Params,
    affine,
    input_side_gradients,
    projections,
    state_side_gradients,
    sum_of_outer_products,
)
from .unroll import check_gradient, states_before, unroll, unroll_backward

# ---------------------------------------------------------------- reset after (PyTorch's form)


def gru_gates(
    x: np.ndarray, h: np.ndarray, params: Params
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reset gate r, update gate z and candidate n of a GRU, reset after the product.

    Equations ``eq-gru-r``, ``eq-gru-z`` and ``eq-gru-n``.
    Takes x (..., D), h (..., H); returns three arrays (..., H).
    Raises ValueError when a shape does not fit.
    """
    (x_r, x_z, x_n), (h_r, h_z, h_n) = projections(x, h, params, blocks=3)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return r, z, n


def gru_step(x: np.ndarray, h: np.ndarray, params: Params) -> np.ndarray:
    """One step of a GRU, reset after the product (PyTorch's form).

    Equation ``eq-gru-h``; z keeps the old state.
    Takes x (B, D), h (B, H); returns the next state (B, H).
    Raises ValueError when a shape does not fit.
    Source: Cho et al. 2014, arXiv 1406.1078, versions 1 and 2; later the form of cuDNN.
    """
    _, z, n = gru_gates(x, h, params)
    return (1 - z) * n + z * h


def gru_unroll(x: np.ndarray, h0: np.ndarray, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """A GRU over a sequence, reset after the product.

    Equation ``eq-gru-h``, once for each time step.
    Takes x (B, T, D), h0 (B, H); returns outputs (B, T, H) and the last state (B, H).
    Raises ValueError when a shape does not fit.
    """
    states = unroll(lambda x_t, h: gru_step(x_t, h, params), x, h0)
    return np.stack(states, axis=1), states[-1]


def gru_gate_gradients(
    dh_next: np.ndarray,
    h: np.ndarray,
    r: np.ndarray,
    z: np.ndarray,
    n: np.ndarray,
    h_n: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From the gradient of h' to those of the affine maps, through gates and candidate.

    Equation ``eq-gru-backward``.
    Takes arrays (..., H), h_n being W_hn h + b_hn; returns the gradients with respect to
    W_ih x + b_ih and to W_hh h + b_hh, both (..., 3*H), and the part of dL/dh that goes straight
    through z (..., H).
    """
    dn = dh_next * (1 - z) * (1 - n**2)
    dz = dh_next * (h - n) * z * (1 - z)
    dr = dn * h_n * r * (1 - r)
    da_input = np.concatenate([dr, dz, dn], axis=-1)
    da_state = np.concatenate([dr, dz, dn * r], axis=-1)
    return da_input, da_state, dh_next * z


def gru_step_backward(
    dh_next: np.ndarray, x: np.ndarray, h: np.ndarray, params: Params
) -> dict[str, np.ndarray]:
    """Gradients of one step of a GRU, reset after the product, derived by hand.

    Equations ``eq-gru-backward``, ``eq-gru-backward-weights`` and ``eq-gru-routes``.
    Takes dh_next (B, H), the gradient of the loss with respect to the next state; returns the
    gradients for ``x``, ``h`` and each parameter, with the shapes of what they are gradients of.
    Raises ValueError when a shape does not fit.
    """
    r, z, n = gru_gates(x, h, params)
    check_gradient("dh_next", dh_next, h.shape)
    h_n = _candidate_affine(h, params)
    da_input, da_state, dh_kept = gru_gate_gradients(dh_next, h, r, z, n, h_n)
    return {
        **input_side_gradients(da_input, x, params),
        "h": dh_kept + da_state @ params["W_hh"],
        **state_side_gradients(da_state, h, params),
    }


def gru_backward(
    doutputs: np.ndarray,
    x: np.ndarray,
    h0: np.ndarray,
    params: Params,
    dh_T: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Backpropagation through time for a GRU, reset after the product.

    Equations ``eq-gru-backward`` and ``eq-gru-backward-time``, from the last step to the first.
    Takes doutputs (B, T, H) and, when the loss also reads the last state, dh_T (B, H); returns
    the gradients for ``x``, ``h0`` and each parameter.
    Once the states are known, the gates of all steps are one call; the gradient of each weight is
    one product after the loop.
    Raises ValueError when a shape does not fit.
    """
    outputs, _ = gru_unroll(x, h0, params)
    dh_T = np.zeros_like(outputs[:, -1]) if dh_T is None else dh_T
    check_gradient("doutputs", doutputs, outputs.shape)
    check_gradient("dh_T", dh_T, h0.shape)
    h = states_before(h0, outputs)
    r, z, n = gru_gates(x, h, params)
    h_n = _candidate_affine(h, params)

    def step_backward(
        dh: np.ndarray, dout: np.ndarray, *values: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        da_input, da_state, dh_kept = gru_gate_gradients(dh + dout, *values)
        return dh_kept + da_state @ params["W_hh"], (da_input, da_state)

    dh0, (da_input, da_state) = unroll_backward(step_backward, (doutputs, h, r, z, n, h_n), dh_T)
    return {
        **input_side_gradients(da_input, x, params),
        "h0": dh0,
        **state_side_gradients(da_state, h, params),
    }


def _candidate_affine(v: np.ndarray, params: Params) -> np.ndarray:
    """W_hn v + b_hn: the last of the three blocks of the state side."""
    H = v.shape[-1]
    b_hh = params.get("b_hh")
    return affine(v, params["W_hh"][2 * H :], None if b_hh is None else b_hh[2 * H :])


# ---------------------------------------------------------------- reset before (the 2014 paper)


def gru_gates_reset_before(
    x: np.ndarray, h: np.ndarray, params: Params
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reset gate r, update gate z and candidate n of a GRU, reset before the product.

    Equations ``eq-gru-r``, ``eq-gru-z`` and ``eq-gru-n-before``.
    Takes x (..., D), h (..., H); returns three arrays (..., H).
    Raises ValueError when a shape does not fit.
    """
    (x_r, x_z, x_n), (h_r, h_z, _) = projections(x, h, params, blocks=3)  # W_hn awaits r * h
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + _candidate_affine(r * h, params))
    return r, z, n


def gru_step_reset_before(x: np.ndarray, h: np.ndarray, params: Params) -> np.ndarray:
    """One step of a GRU, reset before the product (the 2014 paper's form).

    Equations ``eq-gru-n-before`` and ``eq-gru-h``; z keeps the old state.
    Takes x (B, D), h (B, H); returns the next state (B, H).
    Raises ValueError when a shape does not fit.
    Source: Cho et al. 2014, arXiv 1406.1078, version 3, section 2.3.
    """
    _, z, n = gru_gates_reset_before(x, h, params)
    return (1 - z) * n + z * h


def gru_unroll_reset_before(
    x: np.ndarray, h0: np.ndarray, params: Params
) -> tuple[np.ndarray, np.ndarray]:
    """A GRU over a sequence, reset before the product.

    Equation ``eq-gru-h``, once for each time step.
    Takes x (B, T, D), h0 (B, H); returns outputs (B, T, H) and the last state (B, H).
    Raises ValueError when a shape does not fit.
    """
    states = unroll(lambda x_t, h: gru_step_reset_before(x_t, h, params), x, h0)
    return np.stack(states, axis=1), states[-1]


def gru_gate_gradients_reset_before(
    dh_next: np.ndarray,
    h: np.ndarray,
    r: np.ndarray,
    z: np.ndarray,
    n: np.ndarray,
    params: Params,
) -> tuple[np.ndarray, np.ndarray]:
    """From the gradient of h' to those of the affine maps and of h, reset before the product.

    Equation ``eq-gru-backward-before``.
    Takes arrays (..., H); returns the gradient with respect to the three sums in r, z and n
    (..., 3*H), the same for both sides, and dL/dh (..., H).
    """
    H = h.shape[-1]
    W_hr_hz, W_hn = params["W_hh"][: 2 * H], params["W_hh"][2 * H :]
    dn = dh_next * (1 - z) * (1 - n**2)
    dz = dh_next * (h - n) * z * (1 - z)
    drh = dn @ W_hn
    dr = drh * h * r * (1 - r)
    dh = dh_next * z + drh * r + np.concatenate([dr, dz], axis=-1) @ W_hr_hz
    return np.concatenate([dr, dz, dn], axis=-1), dh


def gru_step_backward_reset_before(
    dh_next: np.ndarray, x: np.ndarray, h: np.ndarray, params: Params
) -> dict[str, np.ndarray]:
    """Gradients of one step of a GRU, reset before the product, derived by hand.

    Takes dh_next (B, H), the gradient of the loss with respect to the next state; returns the
    gradients for ``x``, ``h`` and each parameter, with the shapes of what they are gradients of.
    Raises ValueError when a shape does not fit.
    """
    r, z, n = gru_gates_reset_before(x, h, params)
    check_gradient("dh_next", dh_next, h.shape)
    da, dh = gru_gate_gradients_reset_before(dh_next, h, r, z, n, params)
    return {
        **input_side_gradients(da, x, params),
        "h": dh,
        **_state_side_gradients_reset_before(da, h, r, params),
    }


def gru_backward_reset_before(
    doutputs: np.ndarray,
    x: np.ndarray,
    h0: np.ndarray,
    params: Params,
    dh_T: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Backpropagation through time for a GRU, reset before the product.

    Takes doutputs (B, T, H) and, when the loss also reads the last state, dh_T (B, H); returns
    the gradients for ``x``, ``h0`` and each parameter.
    Raises ValueError when a shape does not fit.
    """
    outputs, _ = gru_unroll_reset_before(x, h0, params)
    dh_T = np.zeros_like(outputs[:, -1]) if dh_T is None else dh_T
    check_gradient("doutputs", doutputs, outputs.shape)
    check_gradient("dh_T", dh_T, h0.shape)
    h = states_before(h0, outputs)
    r, z, n = gru_gates_reset_before(x, h, params)

    def step_backward(
        dh: np.ndarray,
        dout: np.ndarray,
        h: np.ndarray,
        r: np.ndarray,
        z: np.ndarray,
        n: np.ndarray,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        da, dh = gru_gate_gradients_reset_before(dh + dout, h, r, z, n, params)
        return dh, (da,)

    dh0, (da,) = unroll_backward(step_backward, (doutputs, h, r, z, n), dh_T)
    return {
        **input_side_gradients(da, x, params),
        "h0": dh0,
        **_state_side_gradients_reset_before(da, h, r, params),
    }


def _state_side_gradients_reset_before(
    da: np.ndarray, h: np.ndarray, r: np.ndarray, params: Params
) -> dict[str, np.ndarray]:
    """As ``state_side_gradients``, but the candidate's block of W_hh has met r * h, not h."""
    H = h.shape[-1]
    gradients = state_side_gradients(da, h, params)
    gradients["W_hh"][2 * H :] = sum_of_outer_products(da[..., 2 * H :], r * h)
    return gradients
