"""Checks of the unit on the plain recurrent network."""

from __future__ import annotations

import numpy as np

from gatedrnn.equations import rnn_step
from grader.compare import assert_like, assert_matches, assert_true, assert_unchanged
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student

Rng = np.random.Generator

EXERCISES = (
    Exercise(
        "rnn_step",
        "One step",
        see="rnn.html#one-step",
        hints=(
            "Two matrix products meet inside one tanh. Which array does each of them read?",
            "With x of shape (B, D) and W_ih of shape (H, D), the product is `x @ W_ih.T`.",
            "`np.tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh)`, with all four taken from `params`.",
        ),
    ),
)


def _step_inputs(rng: Rng) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    batch, inputs, hidden = 4, 3, 5
    return (
        rng.normal(size=(batch, inputs)),
        rng.normal(size=(batch, hidden)),
        parameters(rng, 1, inputs, hidden),
    )


@points("rnn_step", 2)
def test_rnn_step_values(student: Student, rng: Rng) -> None:
    """The new state is right for random weights, biases and state."""
    x, h, params = _step_inputs(rng)
    assert_matches(student.rnn_step(x, h, params), rnn_step(x, h, params), "the new state")


@points("rnn_step", 1)
def test_rnn_step_is_bounded(student: Student, rng: Rng) -> None:
    """The new state stays between -1 and 1, however large the input."""
    x, h, params = _step_inputs(rng)
    got = student.rnn_step(30 * x, h, params)
    assert_matches(got, rnn_step(30 * x, h, params), "the new state")
    assert_true(np.abs(got).max() <= 1, "A tanh never leaves [-1, 1].")


@points("rnn_step", 1)
def test_rnn_step_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, params = _step_inputs(rng)
    assert_like(student.rnn_step(x, h, params), h, "the new state")
    assert_unchanged(student.calls[-1].outcome, (x, h, params), ("x", "h", "params"))
