"""Gradients of the plain recurrent network looked at in three ways: as slopes, in chunks, by lag.

Shapes: x (B, T, D), h0 (B, H), doutputs (B, T, H); the parameters are those of one RNN layer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gatedrnn.equations import rnn_backward, rnn_step_backward, rnn_unroll

Params = dict[str, np.ndarray]
PARAMETERS = ("W_ih", "W_hh", "b_ih", "b_hh")


def central_differences(
    loss: Callable[[], float], array: np.ndarray, eps: float = 1e-5
) -> np.ndarray:
    """Gradient of ``loss()`` with respect to each entry of ``array``, from the loss alone.

    Equation ``eq-central-difference``.
    Takes a function without arguments that reads ``array``; returns an array of the same shape.
    Each entry is moved up and down by ``eps`` and put back.
    """
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        above = loss()
        array[index] = kept - eps
        below = loss()
        array[index] = kept
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def truncated_rnn_backward(
    doutputs: np.ndarray, x: np.ndarray, h0: np.ndarray, params: Params, k: int
) -> dict[str, np.ndarray]:
    """Backpropagation through time in chunks of k steps: the state is carried, its gradient not.

    Equation ``eq-rnn-truncated``.
    Takes doutputs (B, T, H) and the chunk length k; returns the gradients for ``x``, ``h0`` and
    each parameter.
    The last chunk is shorter when k does not divide T; with k >= T nothing is cut.
    Raises ValueError when k is less than 1.
    Source: Williams and Peng, Neural Computation 2, 1990 (there as a window that moves).
    """
    if k < 1:
        raise ValueError(f"k must be at least 1 step, but it is {k}.")
    total = {name: np.zeros_like(params[name]) for name in PARAMETERS}
    dx, h, dh0 = [], h0, np.zeros_like(h0)
    for start in range(0, x.shape[1], k):
        chunk = slice(start, start + k)
        part = rnn_backward(doutputs[:, chunk], x[:, chunk], h, params)
        total = {name: total[name] + part[name] for name in PARAMETERS}
        dx.append(part["x"])
        dh0 = part["h0"] if start == 0 else dh0
        _, h = rnn_unroll(x[:, chunk], h, params)
    return {"x": np.concatenate(dx, axis=1), "h0": dh0, **total}


def gradient_by_lag(
    doutputs: np.ndarray, x: np.ndarray, h0: np.ndarray, params: Params
) -> np.ndarray:
    """The gradient of W_hh, split by how far each part has travelled: (T, H, H).

    Equation ``eq-rnn-lags``.
    Entry l holds what the losses say about the use of W_hh that lies l steps before them; the sum
    over l is the gradient that ``rnn_backward`` returns.
    """
    T = x.shape[1]
    outputs, _ = rnn_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    by_lag = np.zeros((T, *params["W_hh"].shape))
    for t in range(T):
        dh = doutputs[:, t]
        for s in range(t, -1, -1):
            step = rnn_step_backward(dh, x[:, s], before[:, s], params)
            by_lag[t - s] += step["W_hh"]
            dh = step["h"]
    return by_lag


def difference_errors(
    doutputs: np.ndarray, x: np.ndarray, h0: np.ndarray, params: Params, steps: np.ndarray
) -> dict[str, np.ndarray]:
    """Relative error of finite differences for W_hh, at each step width, in three ways.

    Takes the step widths (S,); returns arrays (S,) for central and one-sided differences in float64
    and for central ones in float32. The reference is the gradient derived by hand, in float64.
    """
    exact = rnn_backward(doutputs, x, h0, params)["W_hh"]

    def error(precision: Any, one_sided: bool, eps: float) -> float:
        d, inputs, start = (value.astype(precision) for value in (doutputs, x, h0))
        p = {name: value.astype(precision) for name, value in params.items()}

        def loss() -> float:
            return (d * rnn_unroll(inputs, start, p)[0]).sum()

        differences = _one_sided_differences if one_sided else central_differences
        slopes = differences(loss, p["W_hh"], precision(eps))
        return float(np.linalg.norm(slopes - exact) / np.linalg.norm(exact))

    ways = {
        "central, float64": (np.float64, False),
        "one-sided, float64": (np.float64, True),
        "central, float32": (np.float32, False),
    }
    return {name: np.array([error(*way, eps) for eps in steps]) for name, way in ways.items()}


def _one_sided_differences(loss: Callable[[], float], array: np.ndarray, eps: float) -> np.ndarray:
    gradient, here = np.zeros_like(array), loss()
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        gradient[index] = (loss() - here) / eps
        array[index] = kept
    return gradient
