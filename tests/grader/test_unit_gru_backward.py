"""What the kill matrix does not say about the unit `gru_backward`: judges and costs."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest

from grader import notebooks, units
from grader.checks import gru_backward as checks
from grader.compare import agrees
from grader.engine import list_checks, run_checks
from grader.student import LocalStudent

SLUG = "gru_backward"
WRONG = {(m.exercise, m.name): m for m in units.misconceptions(SLUG)}


def wrong_answers(exercise: str) -> list[Any]:
    return [m for m in WRONG.values() if m.exercise == exercise]


# The values of an answer that writes into its argument are right; another check finds it.
STEP = [m for m in wrong_answers("gru_step_backward") if "writes into" not in m.name]
SEQUENCE = [m for m in wrong_answers("gru_backward") if "writes into" not in m.name]


@functools.cache
def solution() -> dict[str, Any]:
    return notebooks.solution_namespace(SLUG)


def run(exercise: str, seed: int = 7, **functions: Any) -> dict[str, Any]:
    student = LocalStudent({**solution(), **functions})
    return {
        r.check.removeprefix("test_"): r for r in run_checks(SLUG, student, seed, only=[exercise])
    }


def failed(exercise: str, name: str) -> set[str]:
    wrong = WRONG[exercise, name]
    results = run(exercise, **{wrong.replaces: wrong.function})
    return {check for check, r in results.items() if r.status == "failed"}


@pytest.mark.parametrize("seed", range(5))
def test_slopes_agree_with_the_expected_gradients_far_within_the_tolerance(seed: int) -> None:
    inputs = checks._step(np.random.default_rng(seed), batch=2, inputs=2, hidden=3)
    by_hand, slopes = checks._right_step(*inputs), checks.step_slopes(*inputs)
    assert len(slopes) == 14
    assert all(agrees(by_hand[k], slopes[k], rtol=1e-8, atol=1e-9) for k in slopes)


@pytest.mark.parametrize("wrong", STEP, ids=[m.name for m in STEP])
@pytest.mark.parametrize("seed", range(3))
def test_slopes_alone_reject_every_wrong_step(wrong: Any, seed: int) -> None:
    dh_next, x, h, params = checks._step(np.random.default_rng(seed), batch=2, inputs=2, hidden=3)
    slopes = checks.step_slopes(dh_next, x, h, params)
    got = wrong.function(dh_next, x, h, checks.by_gate(params))
    assert max(np.abs(got[k] - slopes[k]).max() for k in slopes) > 1e-4


@pytest.mark.parametrize("wrong", SEQUENCE, ids=[m.name for m in SEQUENCE])
@pytest.mark.parametrize("seed", range(3))
def test_autograd_alone_rejects_every_wrong_walk(wrong: Any, seed: int) -> None:
    inputs = checks._sequence(np.random.default_rng(seed))
    expected, got = checks.autograd_gradients(*inputs), wrong.function(*inputs)
    assert max(np.abs(got[k] - expected[k]).max() for k in checks.TENSORS) > 1e-3


@pytest.mark.parametrize("at", range(6))
def test_gradcheck_finds_a_fault_of_one_part_in_a_hundred(at: int) -> None:
    def nearly(*arguments: Any) -> Any:
        grads = list(solution()["gru_function_backward"](*arguments))
        grads[at] = grads[at] * 1.01
        return tuple(grads)

    results = run("gru_function", gru_function_backward=nearly)
    result = results["gru_function_passes_gradcheck"]
    assert result.status == "failed"
    assert f"gradient of {checks.TENSORS[at]} says" in result.message


def test_a_backward_pass_that_raises_in_gradcheck_is_the_students_fault() -> None:
    calls = []

    def breaks(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError("by chance")
        return solution()["gru_function_backward"](*arguments)

    results = run("gru_function", gru_function_backward=breaks)
    assert {r.status for r in results.values()} <= {"passed", "failed"}
    assert results["gru_function_passes_gradcheck"].status == "failed"


@pytest.mark.parametrize(
    ("exercise", "name", "cost"),
    [
        (
            "gru_step_backward",
            "route through r missing",
            {"gru_step_backward_gradient[h]", "gru_step_backward_is_the_slope_of_the_loss"},
        ),
        (
            "gru_step_backward",
            "b_hn as b_in",
            {
                "gru_step_backward_gradient[b_hn]",
                "gru_step_backward_is_the_slope_of_the_loss",
                "gru_step_backward_one_sequence",
            },
        ),
        (
            "gru_step_backward",
            "direct path forgotten",
            {
                "gru_step_backward_gradient[h]",
                "gru_step_backward_is_the_slope_of_the_loss",
                "gru_step_backward_where_z_is_one",
            },
        ),
        (
            "gru_step_backward",
            "writes into dh_next",
            {"gru_step_backward_leaves_its_arguments_alone"},
        ),
        (
            "gru_backward",
            "gradient of h0 one step short",
            {"gru_backward_gradient[h0]", "gru_backward_is_torch_autograd"},
        ),
        (
            "gru_function",
            "dh_T ignored",
            {"gru_function_last_state_counts", "gru_function_passes_gradcheck"},
        ),
        (
            "gru_function",
            "saved h_n without its bias",
            {"gru_function_saves_what_is_needed", "gru_function_passes_gradcheck"},
        ),
        (
            "route_norms",
            "sign of the route through z",
            {"route_norms_part[z]", "route_norms_parts_add_up"},
        ),
        ("route_norms", "total as the sum of the norms", {"route_norms_total"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_costs_what_it_breaks(exercise: str, name: str, cost: set[str]) -> None:
    assert failed(exercise, name) == cost


@pytest.mark.parametrize("exercise", [item.name for item in units.exercises(SLUG)])
def test_the_notebook_promises_the_points_that_the_checks_give(exercise: str) -> None:
    functions = units.exercise(SLUG, exercise).asked
    cells = notebooks.source_notebook(SLUG).cells
    text = next(
        c.source for c in cells if f"`{functions[0]}(" in c.source and "| points |" in c.source
    )
    promised = sum(
        int(points) for points in re.findall(r"\| (\d+)(?:, one (?:half )?each)? \|$", text, re.M)
    )
    assert promised == sum(c.worth for c in list_checks(SLUG) if c.exercise == exercise)
