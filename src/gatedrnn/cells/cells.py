"""Single cells, one step at a time: RNNCell, GRUCell and LSTMCell, drop-in for ``torch.nn``'s."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import (
    check_cell_sizes,
    check_features,
    check_is_pair,
    check_is_tensor,
    check_same_dtype,
    check_shape,
)
from .steps import (
    NONLINEARITIES,
    State,
    Step,
    gru_step,
    gru_step_reset_before,
    lstm_step,
    rnn_step,
)


class _Cell(nn.Module):
    """Parameters, checks and the step without a batch axis, common to the three cells."""

    input_size: int
    hidden_size: int
    bias: bool
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None
    blocks: int  # affine maps stacked in each weight
    state_names: tuple[str, ...] = ("hx",)

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        check_cell_sizes(input_size, hidden_size)
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.blocks * hidden_size

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, device=device, dtype=dtype))

        self.weight_ih = empty(rows, input_size)
        self.weight_hh = empty(rows, hidden_size)
        self.register_parameter("bias_ih", empty(rows) if bias else None)
        self.register_parameter("bias_hh", empty(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight and bias from U(-1/sqrt(H), 1/sqrt(H)), as ``torch.nn`` does."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the default."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")

    def _step(self) -> Step:
        raise NotImplementedError

    def _next_state(self, input: Tensor, states: State | None) -> State:
        self._check(input, states)
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if states is None:
            zeros = input.new_zeros(input.shape[0], self.hidden_size)
            states = (zeros,) * len(self.state_names)
        elif not batched:
            states = tuple(s.unsqueeze(0) for s in states)
        projected = F.linear(input, self.weight_ih, self.bias_ih)
        following = self._step()(projected, states)
        return following if batched else tuple(s.squeeze(0) for s in following)

    def _check(self, input: Tensor, states: State | None) -> None:
        owner = type(self).__name__
        check_is_tensor(owner, "input", input)
        if input.dim() not in (1, 2):
            raise ValueError(f"{owner}: expected input to be 1D or 2D, got {input.dim()}D")
        check_features("input", input, "input_size", self.input_size)
        check_same_dtype("input", input, self.weight_ih)
        if states is None:
            return
        for name, state in zip(self.state_names, states, strict=True):
            check_is_tensor(owner, name, state)
            if state.dim() not in (1, 2):
                raise ValueError(f"{owner}: expected {name} to be 1D or 2D, got {state.dim()}D")
            check_shape(name, state, (*input.shape[:-1], self.hidden_size))
            check_same_dtype(name, state, self.weight_hh)


class RNNCell(_Cell):
    """One step of the plain recurrent network, drop-in for ``torch.nn.RNNCell``.

    Equation ``eq-rnn-step``.
    Called with input (B, D) or (D,) and the state (B, H) or (H,), zero when left out; returns the
    next state.
    Raises what ``torch.nn.RNNCell`` raises: ValueError for a wrong number of axes, RuntimeError
    for a wrong size.
    Source: Elman, Cognitive Science 14, 1990.
    """

    blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise RuntimeError(f"expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the default."""
        nonlinearity = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The state after one step."""
        return self._next_state(input, None if hx is None else (hx,))[0]

    def _step(self) -> Step:
        return rnn_step(self.weight_hh, self.bias_hh, self.nonlinearity)


class GRUCell(_Cell):
    """One step of a GRU, drop-in for ``torch.nn.GRUCell``; blocks in the order r, z, n.

    Equations ``eq-gru-r``, ``eq-gru-z``, ``eq-gru-n`` and ``eq-gru-h``: reset after the product,
    and z keeps the old state.
    With ``reset_after=False``, equation ``eq-gru-n-before``: the form published in 2014.
    Called with input (B, D) or (D,) and the state (B, H) or (H,), zero when left out; returns the
    next state.
    Raises what ``torch.nn.GRUCell`` raises: ValueError for a wrong number of axes, RuntimeError
    for a wrong size.
    Source: Cho et al. 2014, arXiv 1406.1078, section 2.3.
    """

    blocks = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.reset_after = reset_after

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the default."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The state after one step."""
        return self._next_state(input, None if hx is None else (hx,))[0]

    def _step(self) -> Step:
        step = gru_step if self.reset_after else gru_step_reset_before
        return step(self.weight_hh, self.bias_hh)


class LSTMCell(_Cell):
    """One step of an LSTM, drop-in for ``torch.nn.LSTMCell``; blocks in the order i, f, g, o.

    Equation ``eq-lstm-step``.
    Called with input (B, D) or (D,) and the states (h, c), each (B, H) or (H,), zero when left
    out; returns the next (h, c).
    Raises what ``torch.nn.LSTMCell`` raises: ValueError for a wrong number of axes, RuntimeError
    for a wrong size.
    Source: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; Gers et al. 2000.
    """

    blocks = 4
    state_names = ("hx[0]", "hx[1]")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The states (h, c) after one step."""
        if hx is not None:
            check_is_pair("LSTMCell", hx)
        h, c = self._next_state(input, hx)
        return h, c

    def _step(self) -> Step:
        return lstm_step(self.weight_hh, self.bias_hh)
