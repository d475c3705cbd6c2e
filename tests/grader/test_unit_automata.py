"""The checks on weights: their authority, their words, and recognition by what weights do."""

from typing import Any

import numpy as np
import pytest

from grader import notebooks, units
from grader.checks import automata as checks
from grader.engine import run_checks
from grader.misconceptions import automata as wrong
from grader.recognise import recognise
from grader.student import LocalStudent

SLUG = "automata"


def marked(names: dict[str, Any], exercise: str, seed: int = 1) -> list[Any]:
    solution = notebooks.solution_namespace(SLUG)
    return run_checks(SLUG, LocalStudent({**solution, **names}), seed, only=[exercise])


def test_the_authority_on_toggling_agrees_with_a_dense_grid() -> None:
    rng, agreed = np.random.default_rng(0), {True: 0, False: 0}
    for _ in range(300):
        u, c, m = checks._case(rng, None)
        on = np.linspace(m, 1, 2001)
        kept = np.tanh(u[0] * on + c[0]).min() >= m and np.tanh(-u[0] * on + c[0]).max() <= -m
        flips = np.tanh(u[1] * on + c[1]).max() <= -m and np.tanh(-u[1] * on + c[1]).min() >= m
        assert checks.toggles_exactly(u, c, m) == (kept and flips)
        agreed[bool(kept and flips)] += 1
    assert min(agreed.values()) > 30


def test_no_plain_unit_in_a_wide_grid_toggles() -> None:
    grid = [float(v) for v in np.linspace(-6, 6, 25)]
    assert len(checks._found(grid[::4], 0.5, tied=False)) > 0
    plain = [checks.toggles_exactly((u, u), (c, d), 0.5) for u in grid for c in grid for d in grid]
    assert not any(plain)


def toggle_by_reset_gate(k: float) -> dict[str, np.ndarray]:
    """Another toggle: no update gate at all; r reads the state, and the 0 restores."""
    return wrong.scalar_cell(
        ([2 * k], k, 0.0, 0.0), ([0.0], 0.0, -3 * k, 0.0), ([-2 * k], -1.5 * k, -k, 3.5 * k)
    )


def test_a_very_different_toggle_earns_every_point() -> None:
    lost = [r.message for r in marked({"toggle_weights": toggle_by_reset_gate}, "toggle_weights")
            if r.status != "passed"]  # fmt: skip
    assert lost == []


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_a_mistake_is_named_whatever_the_numbers_are(factor: float) -> None:
    """The same mistakes with weights that no misconception has."""
    others = {
        "toggle_weights": {
            "never flips": lambda k: wrong._toggle_cell(k, z=(-4, 3), n=(0, 2 * factor, 0, 0)),
            "update gate the other way round": lambda k: wrong._toggle_cell(
                k, r=(0, factor), z=(4, -3), n=(0, -1.5, 0, 0)
            ),
            "flips on every step": lambda k: wrong._toggle_cell(k, r=(0, 2), z=(0, -factor)),
        },
        "counter_weights": {
            "takes away by the input gate": lambda k: wrong._counter_cell(
                k, i=(factor, -factor, 0), g=(0, 0, factor)
            ),
            "counts every letter": lambda k: wrong._counter_cell(k, g=(factor, factor, 0)),
        },
        "latch_weights": {
            "no reset": lambda k: wrong._latch_cell(k, z=(-2.2, 0, 1), n=(2.5 * factor, 0, 1, 0)),
        },
    }
    for exercise, answers in others.items():
        for name, answer in answers.items():
            found = recognise(marked({exercise: answer}, exercise), units.misconceptions(SLUG))
            assert [m.name for m in found.get(exercise, [])] == [name]


def test_the_message_names_the_shortest_string_that_fails() -> None:
    results = marked({"latch_weights": wrong.latch_never_resets.function}, "latch_weights")
    message = next(r.message for r in results if r.check == "test_latch_weights_hold")
    assert "after the string reset, the state is" in message
    assert "it should be below -0.5" in message
    results = marked({"counter_weights": wrong.counter_leaks.function}, "counter_weights")
    message = next(r.message for r in results if r.check == "test_counter_weights_anbn")
    assert "After a^" in message and "give or take 0.25" in message


@pytest.mark.parametrize("value", [None, 3.0, "text", {}, {"W_ih": np.zeros((3, 1))}, [1, 2]])
def test_views_take_any_value(value: Any) -> None:
    for view in (wrong._latch_view, wrong._toggle_view, wrong._counter_view):
        assert view(value, 8.0) is value
