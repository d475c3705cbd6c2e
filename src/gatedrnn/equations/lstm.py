"""The long short-term memory (Hochreiter and Schmidhuber 1997) with the forget gate of Gers 2000.

::

    i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)        c' = f * c + i * g
    f = sigmoid(W_if x + b_if + W_hf h + b_hf)        h' = o * tanh(c')
    g = tanh(W_ig x + b_ig + W_hg h + b_hg)
    o = sigmoid(W_io x + b_io + W_ho h + b_ho)

Shapes: x (B, D) or (B, T, D), h and c (B, H), W_ih (4*H, D), W_hh (4*H, H), b_ih and b_hh (4*H,)
or absent; blocks in the order i, f, g, o; no peepholes.
"""

import numpy as np

from .activations import sigmoid
from .affine import Params, input_side_gradients, projections, state_side_gradients
from .unroll import check_gradient, states_before, unroll, unroll_backward

LSTMState = tuple[np.ndarray, np.ndarray]


def lstm_gates(
    x: np.ndarray, h: np.ndarray, params: Params
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Input gate i, forget gate f, candidate g and output gate o of an LSTM.

    Equation ``eq-lstm-step``.
    Takes x (..., D), h (..., H); returns four arrays (..., H).
    Raises ValueError when a shape does not fit.
    """
    (x_i, x_f, x_g, x_o), (h_i, h_f, h_g, h_o) = projections(x, h, params, blocks=4)
    i = sigmoid(x_i + h_i)
    f = sigmoid(x_f + h_f)
    g = np.tanh(x_g + h_g)
    o = sigmoid(x_o + h_o)
    return i, f, g, o


def lstm_step(x: np.ndarray, state: LSTMState, params: Params) -> LSTMState:
    """One step of an LSTM.

    Equation ``eq-lstm-step``.
    Takes x (B, D), state (h, c), each (B, H); returns the next (h, c).
    Raises ValueError when a shape does not fit.
    Source: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; Gers, Schmidhuber and
    Cummins, Neural Computation 12(10), 2000.
    """
    h, c = state
    i, f, g, o = lstm_gates(x, h, params)
    _check_cell_state(c, h)
    c_next = f * c + i * g
    h_next = o * np.tanh(c_next)
    return h_next, c_next


def lstm_unroll(x: np.ndarray, state0: LSTMState, params: Params) -> tuple[np.ndarray, LSTMState]:
    """An LSTM over a sequence.

    Equation ``eq-lstm-step``, once for each time step.
    Takes x (B, T, D), state0 (h0, c0), each (B, H); returns outputs (B, T, H), the h of each
    step, and the last (h, c).
    Raises ValueError when a shape does not fit.
    """
    states = unroll(lambda x_t, state: lstm_step(x_t, state, params), x, state0)
    return np.stack([h for h, _ in states], axis=1), states[-1]


def lstm_gate_gradients(
    dh_next: np.ndarray,
    dc_next: np.ndarray,
    c: np.ndarray,
    i: np.ndarray,
    f: np.ndarray,
    g: np.ndarray,
    o: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """From the gradients of h' and c' to those of the affine maps and of c.

    Equations ``eq-lstm-join`` and ``eq-lstm-backward``.
    Takes arrays (..., H); returns the gradient with respect to the four sums in i, f, g and o
    (..., 4*H), the same for both sides, and dL/dc (..., H).
    """
    tanh_c = np.tanh(f * c + i * g)
    dc = dc_next + dh_next * o * (1 - tanh_c**2)
    di = dc * g * i * (1 - i)
    df = dc * c * f * (1 - f)
    dg = dc * i * (1 - g**2)
    do = dh_next * tanh_c * o * (1 - o)
    return np.concatenate([di, df, dg, do], axis=-1), dc * f


def lstm_step_backward(
    dh_next: np.ndarray, dc_next: np.ndarray, x: np.ndarray, state: LSTMState, params: Params
) -> dict[str, np.ndarray]:
    """Gradients of one step of an LSTM, derived by hand.

    Equations ``eq-lstm-join``, ``eq-lstm-backward`` and ``eq-lstm-backward-time``.
    Takes dh_next and dc_next (B, H), the gradients of the loss with respect to the next state;
    returns the gradients for ``x``, ``h``, ``c`` and each parameter.
    Raises ValueError when a shape does not fit.
    """
    h, c = state
    gates = lstm_gates(x, h, params)
    _check_cell_state(c, h)
    check_gradient("dh_next", dh_next, h.shape)
    check_gradient("dc_next", dc_next, h.shape)
    da, dc = lstm_gate_gradients(dh_next, dc_next, c, *gates)
    return {
        **input_side_gradients(da, x, params),
        "h": da @ params["W_hh"],
        "c": dc,
        **state_side_gradients(da, h, params),
    }


def lstm_backward(
    doutputs: np.ndarray,
    x: np.ndarray,
    state0: LSTMState,
    params: Params,
    dh_T: np.ndarray | None = None,
    dc_T: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Backpropagation through time for an LSTM.

    Equations ``eq-lstm-backward`` and ``eq-lstm-backward-time``, from the last step to the first.
    Takes doutputs (B, T, H) and, when the loss also reads the last state, dh_T and dc_T (B, H);
    returns the gradients for ``x``, ``h0``, ``c0`` and each parameter.
    Raises ValueError when a shape does not fit.
    """
    h0, c0 = state0
    states = unroll(lambda x_t, state: lstm_step(x_t, state, params), x, state0)
    outputs, cells = (np.stack(sequence, axis=1) for sequence in zip(*states, strict=True))
    dh_T = np.zeros_like(outputs[:, -1]) if dh_T is None else dh_T
    dc_T = np.zeros_like(cells[:, -1]) if dc_T is None else dc_T
    check_gradient("doutputs", doutputs, outputs.shape)
    check_gradient("dh_T", dh_T, h0.shape)
    check_gradient("dc_T", dc_T, c0.shape)
    h, c = states_before(h0, outputs), states_before(c0, cells)
    gates = lstm_gates(x, h, params)

    def step_backward(
        dstate: LSTMState, dout: np.ndarray, *values: np.ndarray
    ) -> tuple[LSTMState, tuple[np.ndarray, ...]]:
        dh, dc = dstate
        da, dc = lstm_gate_gradients(dh + dout, dc, *values)
        return (da @ params["W_hh"], dc), (da,)

    (dh0, dc0), (da,) = unroll_backward(step_backward, (doutputs, c, *gates), (dh_T, dc_T))
    return {
        **input_side_gradients(da, x, params),
        "h0": dh0,
        "c0": dc0,
        **state_side_gradients(da, h, params),
    }


def _check_cell_state(c: np.ndarray, h: np.ndarray) -> None:
    if c.shape != h.shape:
        raise ValueError(f"c must have the shape of h, {h.shape}, but it has {c.shape}.")
