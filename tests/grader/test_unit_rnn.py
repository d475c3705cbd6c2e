"""What the kill matrix does not say about the unit `rnn`: who judges, and what a slip costs."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest

from gatedrnn.equations import rnn_backward
from grader import notebooks, units
from grader.checks import rnn as checks
from grader.compare import agrees
from grader.engine import list_checks, run_checks
from grader.recognise import recognise
from grader.student import LocalStudent

WRONG = {(m.exercise, m.name): m for m in units.misconceptions("rnn")}
BACKWARD = [m for m in WRONG.values() if m.exercise == "rnn_backward"]


def inputs(seed: int, **sizes: int) -> Any:
    return checks._backward_inputs(np.random.default_rng(seed), **sizes)


@functools.cache
def solution() -> dict[str, Any]:
    return notebooks.solution_namespace("rnn")


def run(exercise: str, function: Any, seed: int = 7) -> Any:
    names = {**solution(), exercise: function}
    return run_checks("rnn", LocalStudent(names), seed, only=[exercise])


def failed(exercise: str, name: str) -> set[str]:
    results = run(exercise, WRONG[exercise, name].function)
    return {r.check.removeprefix("test_") for r in results if r.status == "failed"}


@pytest.mark.parametrize("seed", range(5))
def test_slopes_agree_with_the_gradients_by_hand_far_within_the_tolerance(seed: int) -> None:
    drawn = inputs(seed, batch=2, steps=4, inputs=2, hidden=3)
    by_hand = rnn_backward(*drawn)
    slopes = checks.numerical_gradients(*drawn)
    assert all(agrees(by_hand[k], slopes[k], rtol=1e-8, atol=1e-9) for k in checks.TENSORS)


@pytest.mark.parametrize("wrong", BACKWARD, ids=[m.name for m in BACKWARD])
@pytest.mark.parametrize("seed", range(3))
def test_slopes_alone_reject_every_wrong_gradient(wrong: Any, seed: int) -> None:
    drawn = inputs(seed, batch=2, steps=4, inputs=2, hidden=3)
    slopes, got = checks.numerical_gradients(*drawn), wrong.function(*drawn)
    worst = max(np.abs(got[k] - slopes[k]).max() for k in checks.TENSORS)
    assert worst > 1e-3, "a fault this small would be a matter of the tolerance"


@pytest.mark.parametrize("tensor", checks.TENSORS)
def test_slopes_find_a_fault_of_one_part_in_ten_thousand(tensor: str) -> None:
    def nearly(*drawn: Any) -> Any:
        grads = rnn_backward(*drawn)
        return {**grads, tensor: grads[tensor] * (1 + 1e-4)}

    results = {r.check: r for r in run("rnn_backward", nearly)}
    assert results["test_rnn_backward_is_the_slope_of_the_loss"].status == "failed"


@pytest.mark.parametrize(
    ("exercise", "name", "cost"),
    [
        ("rnn_step", "writes into h", {"rnn_step_leaves_its_arguments_alone"}),
        ("rnn_step", "W_hh transposed", {"rnn_step_values", "rnn_step_from_the_state"}),
        (
            "rnn_step",
            "W_ih reshaped, not transposed",
            {"rnn_step_values", "rnn_step_from_the_input"},
        ),
        (
            "rnn_backward",
            "gradient of h0 one step short",
            {"rnn_backward_gradient[h0]", "rnn_backward_is_the_slope_of_the_loss"},
        ),
        (
            "rnn_backward",
            "one bias gradient only",
            {
                "rnn_backward_gradient[b_hh]",
                "rnn_backward_is_the_slope_of_the_loss",
                "rnn_backward_one_step",
            },
        ),
        (
            "rnn_backward",
            "= instead of += over time",
            {
                *(f"rnn_backward_gradient[{k}]" for k in checks.PARAMETERS),
                "rnn_backward_is_the_slope_of_the_loss",
            },
        ),
        (
            "truncated_bptt_grads",
            "last short chunk dropped",
            {"truncated_short_last_chunk", "truncated_whole_sequence"},
        ),
        ("clip_by_global_norm", "scales in place", {"clip_leaves_its_arguments_alone"}),
        ("clip_by_global_norm", "drops the None entries", {"clip_none"}),
        (
            "clip_by_global_norm",
            "an infinite norm let through",
            {"clip_refuses_what_is_not_finite"},
        ),
        (
            "clip_by_global_norm",
            "returns the norm after clipping",
            {"clip_returns_the_norm_before"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_costs_what_it_breaks(exercise: str, name: str, cost: set[str]) -> None:
    assert failed(exercise, name) == cost


def test_an_error_of_another_kind_is_not_called_looping_over_the_batch() -> None:
    def transpose_forgotten(x: Any, h0: Any, params: Any) -> Any:
        return x[:, 0] @ params["W_ih"], h0  # raises ValueError, as the misconception does

    results = run("rnn_forward", transpose_forgotten)
    assert all(r.status == "failed" for r in results)
    assert recognise(results, units.misconceptions("rnn")) == {}


@pytest.mark.parametrize("exercise", [item.name for item in units.exercises("rnn")])
def test_the_notebook_promises_the_points_that_the_checks_give(exercise: str) -> None:
    cells = notebooks.source_notebook("rnn").cells
    text = next(c.source for c in cells if f"`{exercise}(" in c.source and "| points |" in c.source)
    promised = sum(int(points) for points in re.findall(r"\| (\d+)(?:, one each)? \|$", text, re.M))
    given = [c.worth for c in list_checks("rnn") if c.exercise == exercise]
    assert promised == sum(given)
