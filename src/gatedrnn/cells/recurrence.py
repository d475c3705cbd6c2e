"""The one loop over time that every layer runs; only the step differs."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .steps import State, Step


def run_over_time(
    step: Step, projected: Sequence[Tensor], initial: State
) -> tuple[list[Tensor], State]:
    """Apply ``step`` once for each time step and collect the outputs.

    ``projected`` holds one tensor (B_t, G*H) for each time step, in the order in which the
    direction reads them; row b always belongs to sequence b.
    ``initial`` holds tensors (B, H), B being the largest B_t.
    Where B_t shrinks, the last sequences have ended, and their states are kept as they are.
    Where B_t grows (the reverse direction of a packed batch), further sequences begin, each from
    its own initial state.
    Returns the outputs, one (B_t, H) for each time step, and the final state of all B sequences.
    """
    active = projected[0].shape[0]
    state = tuple(s[:active] for s in initial)
    ended: list[State] = []
    outputs = []
    for projected_t in projected:
        rows = projected_t.shape[0]
        if rows < active:
            ended.append(tuple(s[rows:] for s in state))
            state = tuple(s[:rows] for s in state)
        elif rows > active:
            begin = (s[active:rows] for s in initial)
            state = tuple(torch.cat(parts) for parts in zip(state, begin, strict=True))
        active = rows
        state = step(projected_t, state)
        outputs.append(state[0])
    if ended:
        # The sequences that ended last are the longest, and so come first.
        state = tuple(torch.cat(parts) for parts in zip(state, *reversed(ended), strict=True))
    return outputs, state
