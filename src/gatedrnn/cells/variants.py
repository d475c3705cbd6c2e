"""Relatives and ablations of the GRU and the LSTM: one layer each, told apart by its step alone.

A variant has only the blocks that its step reads, so that none carries weights it does not use,
and a comparison at equal parameters gives a cell with fewer blocks more units.
The tensors of a layer may have leading axes: S networks of one variant, with weights (S, G*H, D),
run side by side on inputs (B, T, D) or (S, B, T, D), none seeing another.
Shapes: S networks, B batch, T time, D input, H hidden, G blocks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from .recurrence import run_over_time
from .steps import State, Step

Weights = Mapping[str, Tensor]

#: The rows of the peephole weights.
PEEPHOLES = "ifo"


@dataclass(frozen=True)
class Variant:
    """A cell by its blocks and its step.

    ``blocks`` names the affine maps, one letter each, in the order in which they are stacked;
    ``make_step(weights, blocks)`` returns the step; ``states`` is 2 for a cell with a cell state.
    ``forget_bias``, where given, is what b_ih + b_hh of the forget gate is set to at the start.
    """

    blocks: str
    make_step: Callable[[Weights, str], Step]
    states: int = 1
    peepholes: bool = False
    forget_bias: float | None = None


def _affine(v: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """W v + b for each row of v (..., B, D), with W (..., R, D) and b (..., R)."""
    return v @ W.mT + b.unsqueeze(-2)


def _named(stacked: Tensor, blocks: str) -> dict[str, Tensor]:
    return dict(zip(blocks, stacked.chunk(len(blocks), dim=-1), strict=True))


def _rnn(weights: Weights, blocks: str) -> Step:
    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(projected + _affine(h, weights["weight_hh"], weights["bias_hh"])),)

    return step


def _gru(weights: Weights, blocks: str) -> Step:
    """GRU without the gates that have no block: r is then 1, z is 0; ``w`` writes in place of 1-z.

    Equations ``eq-gru-n`` and ``eq-gru-h``.
    """

    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        from_input = _named(projected, blocks)
        from_state = _named(_affine(h, weights["weight_hh"], weights["bias_hh"]), blocks)
        gates = {k: torch.sigmoid(from_input[k] + from_state[k]) for k in blocks if k != "n"}
        heard = from_state["n"] if "r" not in gates else gates["r"] * from_state["n"]
        n = torch.tanh(from_input["n"] + heard)
        if "z" not in gates:
            return (n,)
        z = gates["z"]
        return (gates.get("w", 1 - z) * n + z * h,)

    return step


def _gru_reset_before(weights: Weights, blocks: str) -> Step:
    """Equation ``eq-gru-n-before``; blocks r, z, n."""
    H = weights["weight_hh"].shape[-1]
    W_rz, W_n = weights["weight_hh"].split([2 * H, H], dim=-2)
    b_rz, b_n = weights["bias_hh"].split([2 * H, H], dim=-1)

    def step(projected: Tensor, state: State) -> State:
        (h,) = state
        x_rz, x_n = projected.split([2 * H, H], dim=-1)
        r, z = torch.sigmoid(x_rz + _affine(h, W_rz, b_rz)).chunk(2, dim=-1)
        n = torch.tanh(x_n + _affine(r * h, W_n, b_n))
        return ((1 - z) * n + z * h,)

    return step


def _lstm(
    weights: Weights,
    blocks: str,
    *,
    coupled: bool = False,
    activate_input: bool = True,
    activate_output: bool = True,
) -> Step:
    """LSTM in which a gate without a block is 1; ``coupled`` has i = 1 - f.

    Equations ``eq-lstm-step``, ``eq-lstm-cifg`` and, where there are weights for them, the
    peepholes of ``eq-lstm-peepholes``: i and f read the old c, o reads the new one.
    """
    peepholes = {}
    if "weight_ch" in weights:
        rows = weights["weight_ch"].unsqueeze(-2).unbind(-3)
        peepholes = dict(zip(PEEPHOLES, rows, strict=True))

    def step(projected: Tensor, state: State) -> State:
        h, c = state
        sums = _named(projected + _affine(h, weights["weight_hh"], weights["bias_hh"]), blocks)

        def gate(name: str, seen: Tensor) -> Tensor | float:
            if name not in sums:
                return 1.0
            return torch.sigmoid(
                sums[name] + peepholes[name] * seen if name in peepholes else sums[name]
            )

        f = gate("f", c)
        i = 1 - f if coupled else gate("i", c)
        g = torch.tanh(sums["g"]) if activate_input else sums["g"]
        c_next = f * c + i * g
        return gate("o", c_next) * (torch.tanh(c_next) if activate_output else c_next), c_next

    return step


VARIANTS: dict[str, Variant] = {
    "RNN": Variant("n", _rnn),
    "GRU": Variant("rzn", _gru),
    "GRU, no reset gate": Variant("zn", _gru),
    "GRU, no update gate": Variant("rn", _gru),
    "GRU, reset before": Variant("rzn", _gru_reset_before),
    "GRU, gates uncoupled": Variant("rzwn", _gru),
    "LSTM": Variant("ifgo", _lstm, 2),
    "LSTM, no input gate": Variant("fgo", _lstm, 2),
    "LSTM, no forget gate": Variant("igo", _lstm, 2),
    "LSTM, no output gate": Variant("ifg", _lstm, 2),
    "LSTM, no input activation": Variant("ifgo", partial(_lstm, activate_input=False), 2),
    "LSTM, no output activation": Variant("ifgo", partial(_lstm, activate_output=False), 2),
    "LSTM, coupled gates": Variant("fgo", partial(_lstm, coupled=True), 2),
    "LSTM, peepholes": Variant("ifgo", _lstm, 2, peepholes=True),
    "LSTM, forget bias 1": Variant("ifgo", _lstm, 2, forget_bias=1.0),
}


def run_variant(name: str, x: Tensor, weights: Weights) -> tuple[Tensor, State]:
    """One layer of a variant over sequences, from a state of zeros.

    Takes x (..., B, T, D), and ``weight_ih`` (..., G*H, D), ``weight_hh`` (..., G*H, H),
    ``bias_ih`` and ``bias_hh`` (..., G*H), and ``weight_ch`` (..., 3, H), the peepholes of i, f
    and o, where the variant has them.
    Returns outputs (..., B, T, H) and the last state, (h,) or (h, c), each (..., B, H).
    Raises ValueError for a variant that does not exist.
    """
    variant = _variant(name)
    projected = x @ weights["weight_ih"].unsqueeze(-3).mT + weights["bias_ih"][..., None, None, :]
    *leading, B, _, rows = projected.shape
    zero = x.new_zeros(*leading, B, rows // len(variant.blocks))
    step = variant.make_step(weights, variant.blocks)
    outputs, state = run_over_time(step, projected.unbind(-2), (zero,) * variant.states)
    return torch.stack(outputs, dim=-2), state


class VariantLayer(nn.Module):
    """One layer of a variant of the GRU or the LSTM, from a state of zeros.

    Called with x (B, T, D); returns outputs (B, T, H) and the last state, (h,) or (h, c).
    The weights are named and drawn as in a cell of ``torch.nn``, one block for each letter of the
    variant's blocks; ``weight_ch`` (3, H) are peepholes.
    Raises ValueError for a variant that does not exist.
    """

    def __init__(self, name: str, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.name, self.variant = name, _variant(name)
        self.hidden_size = hidden_size
        rows = len(self.variant.blocks) * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, hidden_size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        if self.variant.peepholes:
            shapes["weight_ch"] = (len(PEEPHOLES), hidden_size)
        for key, shape in shapes.items():
            self.register_parameter(key, nn.Parameter(torch.empty(shape)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw from U(-1/sqrt(H), 1/sqrt(H)), as ``torch.nn`` does, then set the forget bias."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        if self.variant.forget_bias is not None:
            first = self.variant.blocks.index("f") * self.hidden_size
            rows = slice(first, first + self.hidden_size)
            with torch.no_grad():
                self.get_parameter("bias_ih")[rows] = self.variant.forget_bias
                self.get_parameter("bias_hh")[rows] = 0.0

    def forward(self, x: Tensor) -> tuple[Tensor, State]:
        """The outputs and the last state."""
        return run_variant(self.name, x, dict(self.named_parameters()))


def _variant(name: str) -> Variant:
    if name not in VARIANTS:
        raise ValueError(f"expected one of {', '.join(map(repr, VARIANTS))}, got {name!r}")
    return VARIANTS[name]
