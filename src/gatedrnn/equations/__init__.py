"""The recurrent cells as pure functions of NumPy arrays, one for each thing the text names.

x is (B, D) for one step and (B, T, D) for a sequence, a state is (B, H), and ``params`` is a
dictionary with ``W_ih`` (G*H, D), ``W_hh`` (G*H, H) and, unless the cell has no biases, ``b_ih``
and ``b_hh`` (G*H,); G is 1 for the RNN, 3 for the GRU (r, z, n) and 4 for the LSTM (i, f, g, o).
"""

from .activations import sigmoid
from .gru import (
    gru_backward,
    gru_backward_reset_before,
    gru_gate_gradients,
    gru_gate_gradients_reset_before,
    gru_gates,
    gru_gates_reset_before,
    gru_step,
    gru_step_backward,
    gru_step_backward_reset_before,
    gru_step_reset_before,
    gru_unroll,
    gru_unroll_reset_before,
)
from .lstm import (
    lstm_backward,
    lstm_gate_gradients,
    lstm_gates,
    lstm_step,
    lstm_step_backward,
    lstm_unroll,
)
from .lstm_variants import lstm_step_ablated, lstm_step_cifg, lstm_step_peepholes
from .rnn import (
    rnn_backward,
    rnn_preactivation_gradient,
    rnn_step,
    rnn_step_backward,
    rnn_unroll,
)
from .unroll import unroll, unroll_backward

__all__ = [
    "gru_backward",
    "gru_backward_reset_before",
    "gru_gate_gradients",
    "gru_gate_gradients_reset_before",
    "gru_gates",
    "gru_gates_reset_before",
    "gru_step",
    "gru_step_backward",
    "gru_step_backward_reset_before",
    "gru_step_reset_before",
    "gru_unroll",
    "gru_unroll_reset_before",
    "lstm_backward",
    "lstm_gate_gradients",
    "lstm_gates",
    "lstm_step",
    "lstm_step_ablated",
    "lstm_step_backward",
    "lstm_step_cifg",
    "lstm_step_peepholes",
    "lstm_unroll",
    "rnn_backward",
    "rnn_preactivation_gradient",
    "rnn_step",
    "rnn_step_backward",
    "rnn_unroll",
    "sigmoid",
    "unroll",
    "unroll_backward",
]
