"""One step of each cell, in torch, after the input has been projected.

A step is a function (projected, state) -> next state.
``projected`` is W_ih x + b_ih, (B, G*H): it does not depend on the state, so that the layers make
it for all time steps in one product before the loop.
``state`` is a tuple of tensors (B, H): (h,) for the RNN and the GRU, (h, c) for the LSTM; its
first element is the cell's output.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], State]

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}


def rnn_step(W_hh: Tensor, b_hh: Tensor | None, nonlinearity: str = "tanh") -> Step:
    """Step of the plain recurrent network; equation ``eq-rnn-step``."""
    activation = NONLINEARITIES[nonlinearity]

    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        return (activation(projected + F.linear(h, W_hh, b_hh)),)

    return step


def gru_step(W_hh: Tensor, b_hh: Tensor | None) -> Step:
    """Step of the GRU, reset after the product; equations ``eq-gru-n`` and ``eq-gru-h``."""

    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, dim=-1)
        h_r, h_z, h_n = F.linear(h, W_hh, b_hh).chunk(3, dim=-1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return ((1 - z) * n + z * h,)

    return step


def gru_step_reset_before(W_hh: Tensor, b_hh: Tensor | None) -> Step:
    """Step of the GRU, reset before the product; equations ``eq-gru-n-before``, ``eq-gru-h``."""
    H = W_hh.shape[1]
    W_rz, W_n = W_hh.split([2 * H, H])
    b_rz, b_n = (None, None) if b_hh is None else b_hh.split([2 * H, H])

    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_n = projected.chunk(3, dim=-1)
        h_r, h_z = F.linear(h, W_rz, b_rz).chunk(2, dim=-1)
        r = torch.sigmoid(x_r + h_r)
        z = torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + F.linear(r * h, W_n, b_n))
        return ((1 - z) * n + z * h,)

    return step


def lstm_step(W_hh: Tensor, b_hh: Tensor | None) -> Step:
    """Step of the LSTM; equation ``eq-lstm-step``."""

    def step(projected: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (projected + F.linear(h, W_hh, b_hh)).chunk(4, dim=-1)
        c_next = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c_next), c_next

    return step
