"""Relatives of the LSTM, and the LSTM with one part taken away.

Shapes: x (B, D), h and c (B, H); the parameters are those of the LSTM, W_ih (G*H, D), W_hh (G*H, H)
and b_ih, b_hh (G*H,), with blocks as each function says.
"""

import numpy as np

from .activations import sigmoid
from .affine import Params, projections
from .lstm import LSTMState, lstm_gates

#: What `lstm_step_ablated` can change; "full" changes nothing.
ABLATIONS = (
    "full",
    "no_input_gate",
    "no_forget_gate",
    "no_output_gate",
    "no_input_activation",
    "no_output_activation",
    "coupled",
)


def lstm_step_cifg(x: np.ndarray, state: LSTMState, params: Params) -> LSTMState:
    """One step of an LSTM with coupled input and forget gates, i = 1 - f.

    Equation ``eq-lstm-cifg``; blocks in the order f, g, o.
    Takes x (B, D), state (h, c), each (B, H); returns the next (h, c).
    Raises ValueError when a shape does not fit.
    Source: Greff et al., IEEE Trans. Neural Networks and Learning Systems 28(10), 2017.
    """
    h, c = state
    (x_f, x_g, x_o), (h_f, h_g, h_o) = projections(x, h, params, blocks=3)
    f, g, o = sigmoid(x_f + h_f), np.tanh(x_g + h_g), sigmoid(x_o + h_o)
    c_next = f * c + (1 - f) * g
    return o * np.tanh(c_next), c_next


def lstm_step_peepholes(x: np.ndarray, state: LSTMState, params: Params) -> LSTMState:
    """One step of an LSTM whose gates also see their own cell, through diagonal weights.

    Equation ``eq-lstm-peepholes``; blocks in the order i, f, g, o, and ``w_ci``, ``w_cf`` and
    ``w_co`` (H,).
    Takes x (B, D), state (h, c), each (B, H); returns the next (h, c).
    Raises ValueError when a shape does not fit.
    Source: Gers, Schraudolph and Schmidhuber, JMLR 3, 2002.
    """
    h, c = state
    (x_i, x_f, x_g, x_o), (h_i, h_f, h_g, h_o) = projections(x, h, params, blocks=4)
    i = sigmoid(x_i + h_i + params["w_ci"] * c)
    f = sigmoid(x_f + h_f + params["w_cf"] * c)
    c_next = f * c + i * np.tanh(x_g + h_g)
    o = sigmoid(x_o + h_o + params["w_co"] * c_next)
    return o * np.tanh(c_next), c_next


def lstm_step_ablated(x: np.ndarray, state: LSTMState, params: Params, flag: str) -> LSTMState:
    """One step of an LSTM, equation ``eq-lstm-step``, with the one change that ``flag`` names.

    ``no_..._gate`` sets that gate to 1, ``no_..._activation`` puts the identity in place of that
    tanh, and ``coupled`` has i = 1 - f; blocks in the order i, f, g, o, whether used or not.
    Takes x (B, D), state (h, c), each (B, H); returns the next (h, c).
    Raises ValueError for a flag that does not exist, or when a shape does not fit.
    """
    if flag not in ABLATIONS:
        raise ValueError(f"flag must be one of {', '.join(ABLATIONS)}, but got {flag!r}.")
    h, c = state
    i, f, g, o = lstm_gates(x, h, params)
    if flag == "no_input_gate":
        i = np.ones_like(i)
    if flag == "no_forget_gate":
        f = np.ones_like(f)
    if flag == "no_output_gate":
        o = np.ones_like(o)
    if flag == "no_input_activation":
        from_input, from_state = projections(x, h, params, blocks=4)
        g = from_input[2] + from_state[2]
    if flag == "coupled":
        i = 1 - f
    c_next = f * c + i * g
    return o * (c_next if flag == "no_output_activation" else np.tanh(c_next)), c_next
