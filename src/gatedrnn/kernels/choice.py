"""When a layer runs the fused form of a direction, and that form over rows of steps."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .gru import gru_fused
from .lstm import lstm_fused

BACKENDS = ("plain", "fused", "auto")

State = tuple[Tensor, ...]
Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]


def check_backend(backend: str) -> None:
    """Raise ValueError for a backend that does not exist."""
    if backend not in BACKENDS:
        raise ValueError(f"expected backend to be one of {', '.join(BACKENDS)}, got {backend!r}")


def why_plain(data: Tensor, batch_sizes: Sequence[int], reset_after: bool = True) -> str | None:
    """Why these steps cannot run in the fused form, or None when they can.

    Takes the rows of steps, data (N, D), and the number of rows of each step.
    """
    if not reset_after:
        return "the fused GRU has the reset after the product only"
    if data.dtype not in (torch.float32, torch.float64):
        return f"the fused forms are for float32 and float64, not {data.dtype}"
    if torch.is_autocast_enabled(data.device.type):
        return "autocast chooses the precision of each call, and a fused form is one call"
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return "a compiler should see the single operations"
    if batch_sizes[0] != batch_sizes[-1]:
        return "the packed sequences have different lengths"
    return None


def run_fused(
    mode: str,
    data: Tensor,
    batch_sizes: Sequence[int],
    initial: State,
    weights: Weights,
    reverse: bool,
    recompute: bool,
) -> tuple[Tensor, State]:
    """One layer of a GRU or an LSTM in one direction, as one call.

    Takes the rows of steps, data (N, D), equally many in each step, and the initial state; returns
    the rows of the outputs (N, H) and the final state.
    """
    x = data.unflatten(0, (len(batch_sizes), batch_sizes[0]))
    outputs, final = _KERNELS[mode](x.flip(0) if reverse else x, initial, weights, recompute)
    return (outputs.flip(0) if reverse else outputs).flatten(0, 1), final


def _gru(x: Tensor, initial: State, weights: Weights, recompute: bool) -> tuple[Tensor, State]:
    outputs, h_T = gru_fused(x, initial[0], *weights, recompute=recompute)
    return outputs, (h_T,)


def _lstm(x: Tensor, initial: State, weights: Weights, recompute: bool) -> tuple[Tensor, State]:
    h0, c0 = initial
    return lstm_fused(x, (h0, c0), *weights, recompute=recompute)


_Kernel = Callable[[Tensor, State, Weights, bool], tuple[Tensor, State]]
_KERNELS: dict[str, _Kernel] = {"GRU": _gru, "LSTM": _lstm}
