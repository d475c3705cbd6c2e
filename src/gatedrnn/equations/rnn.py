"""The plain recurrent network (Elman 1990): h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.

Shapes: x (B, D) or (B, T, D), h (B, H), W_ih (H, D), W_hh (H, H), b_ih and b_hh (H,) or absent.
"""

import numpy as np

from .affine import Params, input_side_gradients, projections, state_side_gradients
from .unroll import check_gradient, states_before, unroll, unroll_backward


def rnn_step(
    x: np.ndarray, h: np.ndarray, params: Params, nonlinearity: str = "tanh"
) -> np.ndarray:
    """One step of the plain recurrent network.

    Equation ``eq-rnn-step``.
    Takes x (B, D), h (B, H); returns the next state (B, H).
    Raises ValueError when a shape does not fit or the nonlinearity is not "tanh" or "relu".
    Source: Elman, "Finding structure in time", Cognitive Science 14, 1990.
    """
    (from_input,), (from_state,) = projections(x, h, params, blocks=1)
    return _activation(from_input + from_state, nonlinearity)


def rnn_unroll(
    x: np.ndarray, h0: np.ndarray, params: Params, nonlinearity: str = "tanh"
) -> tuple[np.ndarray, np.ndarray]:
    """The plain recurrent network over a sequence.

    Equation ``eq-rnn-step``, once for each time step.
    Takes x (B, T, D), h0 (B, H); returns outputs (B, T, H) and the last state (B, H).
    Raises ValueError as ``rnn_step`` does.
    """
    states = unroll(lambda x_t, h: rnn_step(x_t, h, params, nonlinearity), x, h0)
    return np.stack(states, axis=1), states[-1]


def rnn_preactivation_gradient(
    dh_next: np.ndarray, h_next: np.ndarray, nonlinearity: str = "tanh"
) -> np.ndarray:
    """Gradient with respect to a = W_ih x + b_ih + W_hh h + b_hh, from that of h' = tanh(a).

    Equation ``eq-rnn-slope``.
    Takes dh_next and h_next (..., H); returns (..., H).
    The derivative is known from the output alone: 1 - h'^2 for tanh, and 1 where h' > 0 for relu.
    """
    return dh_next * _slope(h_next, nonlinearity)


def rnn_step_backward(
    dh_next: np.ndarray, x: np.ndarray, h: np.ndarray, params: Params, nonlinearity: str = "tanh"
) -> dict[str, np.ndarray]:
    """Gradients of one step, derived by hand.

    Equation ``eq-rnn-backward``.
    Takes dh_next (B, H), the gradient of the loss with respect to the next state; returns the
    gradients for ``x``, ``h`` and each parameter, with the shapes of what they are gradients of.
    Raises ValueError as ``rnn_step`` does.
    """
    h_next = rnn_step(x, h, params, nonlinearity)
    check_gradient("dh_next", dh_next, h.shape)
    da = rnn_preactivation_gradient(dh_next, h_next, nonlinearity)
    return {
        **input_side_gradients(da, x, params),
        "h": da @ params["W_hh"],
        **state_side_gradients(da, h, params),
    }


def rnn_backward(
    doutputs: np.ndarray,
    x: np.ndarray,
    h0: np.ndarray,
    params: Params,
    dh_T: np.ndarray | None = None,
    nonlinearity: str = "tanh",
) -> dict[str, np.ndarray]:
    """Backpropagation through time for the plain recurrent network.

    Equations ``eq-rnn-backward``, the loop, and ``eq-rnn-weights``, after it.
    Takes doutputs (B, T, H) and, when the loss also reads the last state, dh_T (B, H); returns
    the gradients for ``x``, ``h0`` and each parameter.
    The weights are used at every step, so their gradients are sums over time: one product each,
    after the loop.
    Raises ValueError as ``rnn_step`` does.
    Source: Werbos, "Backpropagation through time", Proceedings of the IEEE 78, 1990.
    """
    outputs, _ = rnn_unroll(x, h0, params, nonlinearity)
    dh_T = np.zeros_like(outputs[:, -1]) if dh_T is None else dh_T
    check_gradient("doutputs", doutputs, outputs.shape)
    check_gradient("dh_T", dh_T, h0.shape)

    def step_backward(
        dh: np.ndarray, dout: np.ndarray, h_next: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        da = rnn_preactivation_gradient(dh + dout, h_next, nonlinearity)
        return da @ params["W_hh"], (da,)

    dh0, (da,) = unroll_backward(step_backward, (doutputs, outputs), dh_T)
    return {
        **input_side_gradients(da, x, params),
        "h0": dh0,
        **state_side_gradients(da, states_before(h0, outputs), params),
    }


def _activation(a: np.ndarray, nonlinearity: str) -> np.ndarray:
    if nonlinearity == "tanh":
        return np.tanh(a)
    if nonlinearity == "relu":
        return np.maximum(a, 0)
    raise ValueError(f'nonlinearity must be "tanh" or "relu", but it is {nonlinearity!r}.')


def _slope(h_next: np.ndarray, nonlinearity: str) -> np.ndarray:
    return 1 - h_next**2 if nonlinearity == "tanh" else (h_next > 0).astype(h_next.dtype)
