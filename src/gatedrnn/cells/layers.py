"""Layers over whole sequences: RNN, GRU and LSTM, drop-in for ``torch.nn``'s.

Shapes: L number of layers, S 2 when bidirectional and else 1, B batch, T time, D input, H hidden.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

from ..kernels.choice import check_backend, run_fused, why_plain
from .checks import (
    check_features,
    check_is_pair,
    check_is_tensor,
    check_layer_options,
    check_same_dtype,
    check_shape,
)
from .recurrence import run_over_time
from .steps import (
    NONLINEARITIES,
    State,
    Step,
    gru_step,
    gru_step_reset_before,
    lstm_step,
    rnn_step,
)


class _Steps(NamedTuple):
    """A batch of sequences with the time steps one below the other.

    ``data`` (N, features) holds the rows of step 1, then those of step 2, and so on;
    ``batch_sizes`` says how many rows each step has.
    This is how a packed sequence is stored; a batch of equal lengths is the case of B rows for
    every step, so that both run through the same code.
    """

    data: Tensor
    batch_sizes: list[int]


class _Layers(nn.Module):
    """What the three share: parameters, checks, layers, directions, dropout, packing."""

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool
    mode: str
    blocks: int  # affine maps stacked in each weight
    state_names: tuple[str, ...] = ("hx",)
    proj_size = 0
    reset_after = True
    backend = "plain"
    recompute = False

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        check_layer_options(input_size, hidden_size, num_layers, bias, batch_first, dropout)
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bool(bidirectional)
        rows = self.blocks * hidden_size
        for layer, suffix in self._directions():
            features = input_size if layer == 0 else hidden_size * len(self._suffixes)
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, features),
                "weight_hh": (rows, hidden_size),
            }
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            for name, shape in shapes.items():
                empty = torch.empty(shape, device=device, dtype=dtype)
                self.register_parameter(f"{name}_l{layer}{suffix}", nn.Parameter(empty))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight and bias from U(-1/sqrt(H), 1/sqrt(H)), as ``torch.nn`` does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: the parameters are never copied into one block, as cuDNN would have them."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each layer and direction, in the order of ``torch.nn``."""
        of_directions = (
            self._weights(f"_l{layer}{suffix}") for layer, suffix in self._directions()
        )
        return [[w for w in weights if w is not None] for weights in of_directions]

    def _weights(self, suffix: str) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """W_ih, W_hh, b_ih and b_hh of one layer and direction."""
        weights = getattr(self, f"weight_ih{suffix}"), getattr(self, f"weight_hh{suffix}")
        if not self.bias:
            return *weights, None, None
        return *weights, getattr(self, f"bias_ih{suffix}"), getattr(self, f"bias_hh{suffix}")

    def extra_repr(self) -> str:
        """The sizes, and the options that are not the default."""
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            "reset_after": True,
            "backend": "plain",
            "recompute": False,
        }
        chosen = [
            f"{name}={getattr(self, name)}"
            for name, default in defaults.items()
            if getattr(self, name) != default
        ]
        return ", ".join([str(self.input_size), str(self.hidden_size), *chosen])

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """Run the layers over a batch of sequences, one sequence, or a packed sequence.

        Takes input (T, B, D), with ``batch_first`` (B, T, D), without a batch axis (T, D), or a
        PackedSequence; and the initial state (L*S, B, H), or (L*S, H) without a batch axis,
        zero when left out; the LSTM takes a pair (h, c) of them.
        Returns the outputs of the last layer, like the input with S*H features, and the final
        state, like the initial one.
        """
        states = self._as_states(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, states)
        self._check_axes(input, states)
        if input.dim() == 2:
            outputs, final = self._forward_time_major(
                input.unsqueeze(1), states and tuple(s.unsqueeze(1) for s in states)
            )
            return outputs.squeeze(1), self._as_hx(tuple(s.squeeze(1) for s in final))
        if self.batch_first:
            outputs, final = self._forward_time_major(input.transpose(0, 1), states)
            return outputs.transpose(0, 1), self._as_hx(final)
        outputs, final = self._forward_time_major(input, states)
        return outputs, self._as_hx(final)

    # ------------------------------------------------------------ from any input to rows of steps

    def _forward_time_major(self, input: Tensor, states: State | None) -> tuple[Tensor, State]:
        """A batch (T, B, D) of sequences of equal length."""
        T, B, _ = input.shape
        self._check_values(input, states, batch=B)
        if T == 0:
            raise RuntimeError(
                f"expected a sequence length larger than 0, got input of shape {tuple(input.shape)}"
            )
        outputs, final = self._run(_Steps(input.flatten(0, 1), [B] * T), states)
        return outputs.unflatten(0, (T, B)), final

    def _forward_packed(
        self, input: PackedSequence, states: State | None
    ) -> tuple[PackedSequence, Any]:
        """Sequences of several lengths, longest first; the states return in the caller's order."""
        data, batch_sizes, sorted_indices, unsorted_indices = input
        self._check_values(data, states, batch=int(batch_sizes[0]))
        if states is not None and sorted_indices is not None:
            states = tuple(s.index_select(1, sorted_indices) for s in states)
        outputs, final = self._run(_Steps(data, batch_sizes.tolist()), states)
        if unsorted_indices is not None:
            final = tuple(s.index_select(1, unsorted_indices) for s in final)
        packed = PackedSequence(outputs, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self._as_hx(final)

    # ------------------------------------------------------------ layers and directions

    def _run(self, steps: _Steps, states: State | None) -> tuple[Tensor, State]:
        """All layers: rows of steps (N, D), states (L*S, B, H) to rows (N, S*H), final states."""
        if states is None:
            shape = (self.num_layers * len(self._suffixes), steps.batch_sizes[0], self.hidden_size)
            states = (steps.data.new_zeros(shape),) * len(self.state_names)
        initial = zip(*(s.unbind(0) for s in states), strict=True)
        finals = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self._suffixes:
                output, final = self._run_direction(steps, next(initial), f"_l{layer}{suffix}")
                outputs.append(output)
                finals.append(final)
            data = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
            if layer < self.num_layers - 1:
                data = F.dropout(data, self.dropout, self.training)
            steps = steps._replace(data=data)
        return steps.data, tuple(torch.stack(s) for s in zip(*finals, strict=True))

    def _run_direction(self, steps: _Steps, initial: State, suffix: str) -> tuple[Tensor, State]:
        """One layer in one direction, by the plain loop or as one call."""
        weights = self._weights(suffix)
        reverse = suffix.endswith("_reverse")
        if self.backend != "plain" and not why_plain(*steps, self.reset_after):
            return run_fused(self.mode, *steps, initial, weights, reverse, self.recompute)
        W_ih, W_hh, b_ih, b_hh = weights
        # The input side of all time steps is one product.  It is split once: indexing it in the
        # loop would make the backward pass quadratic in T, each index a gradient of full length.
        projected = F.linear(steps.data, W_ih, b_ih).split(steps.batch_sizes)
        outputs, final = run_over_time(
            self._step(W_hh, b_hh), projected[::-1] if reverse else projected, initial
        )
        return torch.cat(outputs[::-1] if reverse else outputs), final

    def _step(self, W_hh: Tensor, b_hh: Tensor | None) -> Step:
        raise NotImplementedError

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _directions(self) -> Iterator[tuple[int, str]]:
        for layer in range(self.num_layers):
            for suffix in self._suffixes:
                yield layer, suffix

    # ------------------------------------------------------------ states in and out

    def _as_states(self, hx: Any) -> State | None:
        return None if hx is None else (hx,)

    def _as_hx(self, states: State) -> Any:
        return states[0]

    # ------------------------------------------------------------ checks

    def _check_axes(self, input: Any, states: State | None) -> None:
        owner = type(self).__name__
        check_is_tensor(owner, "input", input)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{owner}: expected input to be 2D or 3D, got {input.dim()}D "
                f"of shape {tuple(input.shape)}"
            )
        for name, state in zip(self.state_names, states or (), strict=states is not None):
            check_is_tensor(owner, name, state)
            if state.dim() != input.dim():
                batched = "batched 3-D" if input.dim() == 3 else "unbatched 2-D"
                raise RuntimeError(
                    f"for {batched} input, {name} should also be {input.dim()}-D, "
                    f"got a {state.dim()}-D tensor of shape {tuple(state.shape)}"
                )

    def _check_values(self, input: Tensor, states: State | None, batch: int) -> None:
        weight = self._weights("_l0")[0]
        check_same_dtype("input", input, weight, ValueError)
        check_features("input", input, "input_size", self.input_size)
        expected = (self.num_layers * len(self._suffixes), batch, self.hidden_size)
        for name, state in zip(self.state_names, states or (), strict=states is not None):
            check_is_tensor(type(self).__name__, name, state)
            check_shape(name, state, expected)
            check_same_dtype(name, state, weight)


class RNN(_Layers):
    """Plain recurrent layers over sequences, drop-in for ``torch.nn.RNN``.

    Equation ``eq-rnn-step``, in ``num_layers`` layers, in both directions when ``bidirectional``.
    Arguments, parameter names, shapes, results and errors are those of ``torch.nn.RNN``.
    Raises ValueError, TypeError or RuntimeError as ``torch.nn.RNN`` does.
    Source: Elman, Cognitive Science 14, 1990.
    """

    blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size, "RNN")
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )
        self.nonlinearity = nonlinearity
        self.mode = f"RNN_{nonlinearity.upper()}"

    def _step(self, W_hh: Tensor, b_hh: Tensor | None) -> Step:
        return rnn_step(W_hh, b_hh, self.nonlinearity)


class GRU(_Layers):
    """GRU layers over sequences, drop-in for ``torch.nn.GRU``; blocks in the order r, z, n.

    Equations ``eq-gru-r``, ``eq-gru-z``, ``eq-gru-n`` and ``eq-gru-h``: reset after the product,
    and z keeps the old state.
    With ``reset_after=False``, equation ``eq-gru-n-before``: the form published in 2014, which
    ``torch.nn`` does not have; the numbers are those of Keras' ``reset_after=False``.
    With ``backend="fused"`` or ``"auto"`` each direction is one call with a hand-derived backward
    pass (``gatedrnn.kernels``) where there is a fused form for the input, and the plain loop where
    there is none; ``recompute`` has it keep the outputs alone and make the gates again.
    Other arguments, parameter names, shapes, results and errors are those of ``torch.nn.GRU``.
    Raises ValueError, TypeError or RuntimeError as ``torch.nn.GRU`` does.
    Source: Cho et al. 2014, arXiv 1406.1078, section 2.3.
    """

    blocks = 3
    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        reset_after: bool = True,
        backend: str = "plain",
        recompute: bool = False,
        proj_size: int | None = None,
    ) -> None:
        _refuse_projection(proj_size, "GRU")
        check_backend(backend)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )
        self.reset_after = reset_after
        self.backend = backend
        self.recompute = recompute

    def _step(self, W_hh: Tensor, b_hh: Tensor | None) -> Step:
        return (gru_step if self.reset_after else gru_step_reset_before)(W_hh, b_hh)


class LSTM(_Layers):
    """LSTM layers over sequences, drop-in for ``torch.nn.LSTM``; blocks in the order i, f, g, o.

    Equation ``eq-lstm-step``; the initial and the final state are pairs (h, c).
    Arguments, parameter names, shapes, results and errors are those of ``torch.nn.LSTM``, except
    that there is no ``proj_size``; ``backend`` and ``recompute`` are those of the GRU here.
    Raises ValueError, TypeError or RuntimeError as ``torch.nn.LSTM`` does, and
    NotImplementedError for a projection.
    Source: Hochreiter and Schmidhuber, Neural Computation 9(8), 1997; Gers et al. 2000.
    """

    blocks = 4
    mode = "LSTM"
    state_names = ("hx[0]", "hx[1]")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
        *,
        backend: str = "plain",
        recompute: bool = False,
    ) -> None:
        check_backend(backend)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )
        if not 0 <= proj_size < hidden_size:
            raise ValueError(
                "proj_size must be 0 (no projection) or positive and smaller than hidden_size, "
                f"got proj_size={proj_size} and hidden_size={hidden_size}"
            )
        if proj_size > 0:
            raise NotImplementedError(
                f"this LSTM has no projection: expected proj_size=0, got proj_size={proj_size}; "
                "use torch.nn.LSTM for one"
            )
        self.backend = backend
        self.recompute = recompute

    def _step(self, W_hh: Tensor, b_hh: Tensor | None) -> Step:
        return lstm_step(W_hh, b_hh)

    def _as_states(self, hx: Any) -> State | None:
        if hx is None:
            return None
        check_is_pair("LSTM", hx)
        return tuple(hx)

    def _as_hx(self, states: State) -> Any:
        return states


def _refuse_projection(proj_size: int | None, owner: str) -> None:
    if proj_size is not None:
        raise ValueError(f"proj_size is for LSTM only, got {owner}(..., proj_size={proj_size})")
