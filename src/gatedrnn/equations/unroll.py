"""The two loops over time that every cell shares; the step is an argument."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

State = TypeVar("State")


def unroll(step: Callable[[np.ndarray, State], State], x: np.ndarray, state: State) -> list[State]:
    """States after each step: state_t = step(x_t, state_{t-1}) for t = 1, ..., T.

    Takes x (B, T, D) and the state before the first step; returns a list of T states.
    Raises ValueError when x is not (B, T, D) with T > 0.
    """
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(
            f"x must have shape (B, T, D) with at least one time step, but it has {x.shape}."
        )
    states = []
    for t in range(x.shape[1]):
        state = step(x[:, t], state)
        states.append(state)
    return states


def unroll_backward(
    step_backward: Callable[..., tuple[State, tuple[np.ndarray, ...]]],
    sequences: Sequence[np.ndarray],
    dstate: State,
) -> tuple[State, list[np.ndarray]]:
    """Backpropagation through time: the gradient walks from the last step to the first.

    ``step_backward(dstate, *values_t)`` takes the gradient of the loss with respect to the state
    after step t, through all later steps, and what each of ``sequences`` (B, T, ...) holds at
    step t; it returns the gradient for the state before step t, and a tuple of arrays to keep.
    Returns the gradient for the initial state, and what was kept, as arrays (B, T, ...).
    """
    kept = []
    for t in reversed(range(sequences[0].shape[1])):
        dstate, keep = step_backward(dstate, *(values[:, t] for values in sequences))
        kept.append(keep)
    kept.reverse()
    return dstate, [np.stack(arrays, axis=1) for arrays in zip(*kept, strict=True)]


def states_before(first: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The state that each step starts from: (B, H) and outputs (B, T, H) give (B, T, H)."""
    return np.concatenate([first[:, None], outputs[:, :-1]], axis=1)


def check_gradient(name: str, gradient: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError when a gradient has not the shape of what it is a gradient of."""
    if gradient.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, but it has {gradient.shape}.")
