"""Checks of the unit on the LSTM, its relatives, and what each part does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gatedrnn.analysis.counts import parameter_count
from gatedrnn.analysis.gradients import central_differences
from gatedrnn.equations import (
    lstm_step,
    lstm_step_ablated,
    lstm_step_backward,
    lstm_step_cifg,
    lstm_step_peepholes,
)
from gatedrnn.equations.lstm_variants import ABLATIONS
from grader.compare import (
    assert_like,
    assert_matches,
    assert_raises,
    assert_true,
    assert_unchanged,
)
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student

Array = np.ndarray
Params = dict[str, Array]
Rng = np.random.Generator
Pair = tuple[Array, Array]

EXERCISES = (
    Exercise(
        "lstm_cell",
        "One step of the LSTM",
        see="lstm.html#the-unit-in-code",
        hints=(
            "All four blocks have the same form: one sum from x, one from h, two biases. Which "
            "three go through the sigmoid, and which one through the tanh?",
            "`np.split(x @ params['W_ih'].T + params['b_ih'] + h @ params['W_hh'].T + "
            "params['b_hh'], 4, axis=1)` gives the sums of i, f, g and o, in that order.",
            "With the gates and `g` in hand: `c_next = f * c + i * g`, then "
            "`h_next = o * np.tanh(c_next)`. Return `h_next, c_next`.",
        ),
    ),
    Exercise(
        "lstm_step_backward",
        "Backward through one step",
        see="lstm.html#the-road-of-the-cell-state",
        hints=(
            "Two gradients arrive, one for h' and one for c'. h' was made from c', so the whole "
            "gradient of c' has two parts. Find it first; all else follows from it.",
            "`dc_all = dc_next + dh_next * o * (1 - np.tanh(c_next)**2)`. From it come those of "
            "i, f, g and of the old c; the gradient of o comes from `dh_next` alone.",
            "`di = dc_all * g * i * (1 - i)`, `df = dc_all * c * f * (1 - f)`, "
            "`dg = dc_all * i * (1 - g**2)`, `do = dh_next * np.tanh(c_next) * o * (1 - o)`. "
            "Join them to `da`, (B, 4H): x gets `da @ W_ih`, h gets `da @ W_hh`, c gets "
            "`dc_all * f`, W_ih gets `da.T @ x`, W_hh gets `da.T @ h`, both biases the sum over "
            "rows.",
        ),
    ),
    Exercise(
        "cifg_cell",
        "Coupled input and forget gates",
        see="lstm.html#one-gate-for-two-the-cifg",
        hints=(
            "What one gate keeps, the other writes. How many blocks are left, and which has gone?",
            "The three blocks are f, g and o. Split into three, and put `1 - f` wherever the LSTM "
            "has i.",
            "`c_next = f * c + (1 - f) * g` and `h_next = o * np.tanh(c_next)`, with "
            "`f = sigmoid(...)`, `g = np.tanh(...)`, `o = sigmoid(...)` from the three blocks.",
        ),
    ),
    Exercise(
        "peephole_cell",
        "Peepholes",
        see="lstm.html#gates-that-see-the-cell",
        hints=(
            "Each gate gets one more term: its own unit's cell state, times one weight. When is "
            "the output gate computed, and which cell state is there to be seen by then?",
            "A diagonal matrix times a vector is a product element by element: "
            "`params['w_ci'] * c`, inside the sigmoid, beside the other sums.",
            "i and f see the old `c`; then `c_next = f * c + i * g`; then "
            "`o = sigmoid(a_o + params['w_co'] * c_next)`. The candidate g has no peephole.",
        ),
    ),
    Exercise(
        "ablate",
        "Take one part away",
        see="lstm.html#take-one-part-away",
        hints=(
            "Compute all parts as in the full cell first. Then change the one that the flag names, "
            "and only then put c' and h' together.",
            "Without its gate a value passes in full, so a missing gate is 1, not 0 and not one "
            "half. Without its activation a sum passes as it is.",
            "`if flag == 'no_forget_gate': f = np.ones_like(f)`, and so on; for `'coupled'`, "
            "`i = 1 - f`. For the activations, choose between `np.tanh(a)` and `a`. Any other flag "
            "raises a ValueError.",
        ),
    ),
    Exercise(
        "match_params",
        "Equal parameters",
        see="lstm.html#at-equal-parameters",
        hints=(
            "Write the number of parameters as a function of the hidden size alone: recurrent "
            "layer and readout. What does that function do as h grows?",
            "`blocks * (h * d + h * h + 2 * h)` for the layer, and `outputs * h + outputs` for a "
            "linear readout with its bias.",
            "Go up from h = 1 while `count(h + 1)` is not above the target; then compare the "
            "distances of `count(h)` and `count(h + 1)`, and return the nearer; of two that are "
            "equally near, the smaller.",
        ),
    ),
)

BATCH, INPUTS, HIDDEN = 4, 3, 5
#: A bias that drives a sigmoid to exactly 0 or 1 in float64.
SHUT = 1e3
TENSORS = ("x", "h", "c", "W_ih", "W_hh", "b_ih", "b_hh")
I, F, G, O = (slice(k * HIDDEN, (k + 1) * HIDDEN) for k in range(4))  # noqa: E741


def _inputs(rng: Rng, blocks: int = 4) -> tuple[Array, Array, Array, Params]:
    """x, h, c and the parameters; the cell state is larger than a tanh could be."""
    return (
        rng.normal(size=(BATCH, INPUTS)),
        rng.uniform(-1, 1, size=(BATCH, HIDDEN)),
        2 * rng.normal(size=(BATCH, HIDDEN)),
        parameters(rng, blocks, INPUTS, HIDDEN),
    )


def _both(got: Any, name: str) -> tuple[Any, Any]:
    """The two results of a cell, each of which is then judged by itself."""
    assert_true(
        isinstance(got, tuple | list) and len(got) == 2,
        f"`{name}` returns two things: `return h_next, c_next`.",
    )
    return got[0], got[1]


def _moved(got: Any, h: Array, c: Array, name: str) -> Pair:
    """A function that hands back its state, or zeros, has no property of a cell."""
    h_next, c_next = _both(got, name)
    assert_like((h_next, c_next), (h, c), "(the new h, the new c)")
    moved = np.abs(h_next - h).max() > 1e-6 and np.ptp(c_next) > 1e-6 and np.ptp(h_next) > 1e-6
    assert_true(moved, "The new states should depend on x, h, c and the parameters.")
    return h_next, c_next


# ---------------------------------------------------------------- lstm_cell


@points("lstm_cell", 3)
def test_lstm_cell_values(student: Student, rng: Rng) -> None:
    """Both new states are right for random weights, biases and states."""
    for x, h, c, params in (_inputs(rng), _other_sizes(rng)):
        got = student.lstm_cell(x, h, c, params)
        assert_matches(got, lstm_step(x, (h, c), params), "(the new h, the new c)")


def _other_sizes(rng: Rng) -> tuple[Array, Array, Array, Params]:
    return (
        rng.normal(size=(3, 6)),
        rng.normal(size=(3, 2)),
        rng.normal(size=(3, 2)),
        parameters(rng, 4, 6, 2),
    )


@points("lstm_cell", 2)
def test_lstm_cell_cell_state(student: Student, rng: Rng) -> None:
    """The new cell state, c', is right; it comes second."""
    x, h, c, params = _inputs(rng)
    _, c_next = _both(student.lstm_cell(x, h, c, params), "lstm_cell")
    assert_matches(c_next, lstm_step(x, (h, c), params)[1], "the new c")


@points("lstm_cell", 1)
def test_lstm_cell_keeps_the_cell(student: Student, rng: Rng) -> None:
    """With f = 1 and i = 0 the cell state is kept to the last bit, whatever its size."""
    x, h, c, params = _inputs(rng)
    params["b_ih"][I], params["b_ih"][F] = -SHUT, SHUT
    _, c_next = _both(student.lstm_cell(x, h, 50 * c, params), "lstm_cell")
    assert_matches(c_next, 50 * c, "the new c", rtol=0.0, atol=0.0)


@points("lstm_cell", 1)
def test_lstm_cell_output_is_bounded(student: Student, rng: Rng) -> None:
    """The cell state may grow beyond 1, but the output h' may not."""
    x, h, c, params = _inputs(rng)
    params["b_ih"][F] = SHUT
    h_next, c_next = _moved(student.lstm_cell(x, h, 20 * c, params), h, c, "lstm_cell")
    assert_true(np.abs(h_next).max() <= 1, "h' is a gate times a tanh, so it stays within 1.")
    grown = np.abs(c_next).max()
    assert_true(grown > 5, "c' should not be squashed: f = 1 keeps all of a large c.")


@points("lstm_cell", 1)
def test_lstm_cell_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, c, params = _inputs(rng)
    _moved(student.lstm_cell(x, h, c, params), h, c, "lstm_cell")
    arguments = (x, h, c, params)
    assert_unchanged(student.calls[-1].outcome, arguments, ("x", "h", "c", "params"))


# ---------------------------------------------------------------- lstm_step_backward


def _backward_inputs(rng: Rng) -> tuple[Array, Array, Array, Array, Array, Params]:
    x, h, c, params = _inputs(rng)
    return rng.normal(size=h.shape), rng.normal(size=c.shape), x, h, c, params


def _expected(
    dh_next: Array, dc_next: Array, x: Array, h: Array, c: Array, params: Params
) -> dict[str, Array]:
    return lstm_step_backward(dh_next, dc_next, x, (h, c), params)


def _entry(got: Any, name: str) -> Any:
    """One gradient of a dictionary of them; the others are not looked at."""
    assert_true(
        isinstance(got, Mapping) and name in got,
        f"The result is a dictionary of gradients, and it needs the key {name!r}.",
    )
    return got[name]


@points("lstm_step_backward", 1)
@pytest.mark.parametrize("name", TENSORS)
def test_lstm_step_backward_gradient(student: Student, rng: Rng, name: str) -> None:
    """The gradient of {name} is right, with gradients arriving at h' and at c'."""
    inputs = _backward_inputs(rng)
    got = _entry(student.lstm_step_backward(*inputs), name)
    assert_matches(got, _expected(*inputs)[name], f"the gradient of {name}")


@points("lstm_step_backward", 2)
def test_lstm_step_backward_is_the_slope(student: Student, rng: Rng) -> None:
    """All seven gradients agree with central differences of the loss."""
    dh_next, dc_next, x, h, c, params = _backward_inputs(rng)
    tensors = {"x": x, "h": h, "c": c, **params}

    def loss() -> float:
        h_next, c_next = lstm_step(x, (h, c), params)
        return float((dh_next * h_next + dc_next * c_next).sum())

    expected = {name: central_differences(loss, tensors[name]) for name in TENSORS}
    got = student.lstm_step_backward(dh_next, dc_next, x, h, c, params)
    for name in TENSORS:
        value = _entry(got, name)
        assert_matches(value, expected[name], f"the gradient of {name}", rtol=1e-6, atol=1e-8)


@points("lstm_step_backward", 1)
def test_lstm_step_backward_from_c_alone(student: Student, rng: Rng) -> None:
    """A gradient that arrives at c' alone goes back along the cell state, and never through o."""
    _, dc_next, x, h, c, params = _backward_inputs(rng)
    inputs = np.zeros_like(h), dc_next, x, h, c, params
    got, expected = student.lstm_step_backward(*inputs), _expected(*inputs)
    for name in ("c", "b_hh"):
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("lstm_step_backward", 1)
def test_lstm_step_backward_from_h_alone(student: Student, rng: Rng) -> None:
    """A gradient that arrives at h' alone reaches the cell state through o and the tanh."""
    dh_next, _, x, h, c, params = _backward_inputs(rng)
    inputs = dh_next, np.zeros_like(c), x, h, c, params
    got, expected = student.lstm_step_backward(*inputs), _expected(*inputs)
    for name in ("c", "b_hh"):
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("lstm_step_backward", 1)
def test_lstm_step_backward_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    inputs = _backward_inputs(rng)
    got = _entry(student.lstm_step_backward(*inputs), "c")
    assert_like(got, inputs[4], "the gradient of c")
    assert_true(np.ptp(got) > 1e-6, "The gradient of c should depend on what arrives.")
    names = ("dh_next", "dc_next", "x", "h", "c", "params")
    assert_unchanged(student.calls[-1].outcome, inputs, names)


# ---------------------------------------------------------------- cifg_cell


@points("cifg_cell", 3)
def test_cifg_cell_values(student: Student, rng: Rng) -> None:
    """Both new states are right for random weights, biases and states."""
    x, h, c, params = _inputs(rng, blocks=3)
    got = student.cifg_cell(x, h, c, params)
    assert_matches(got, lstm_step_cifg(x, (h, c), params), "(the new h, the new c)")


@points("cifg_cell", 1)
def test_cifg_cell_is_an_lstm(student: Student, rng: Rng) -> None:
    """It is the LSTM whose input gate has the forget gate's weights with their signs turned."""
    x, h, c, params = _inputs(rng, blocks=3)
    full = {name: np.concatenate([-array[:HIDDEN], array]) for name, array in params.items()}
    got = student.cifg_cell(x, h, c, params)
    assert_matches(got, lstm_step(x, (h, c), full), "(the new h, the new c)")


@points("cifg_cell", 1)
def test_cifg_cell_keeps_or_writes(student: Student, rng: Rng) -> None:
    """Where f is 1 the cell state is kept, and where f is 0 it is the candidate."""
    x, h, c, params = _inputs(rng, blocks=3)
    keeps = np.arange(HIDDEN) % 2 == 0
    params["b_ih"][:HIDDEN] = np.where(keeps, SHUT, -SHUT)
    _, c_next = _moved(student.cifg_cell(x, h, c, params), h, c, "cifg_cell")
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    want = np.where(keeps, c, np.tanh(sums[:, HIDDEN : 2 * HIDDEN]))
    assert_matches(c_next, want, "the new c")


@points("cifg_cell", 1)
def test_cifg_cell_is_bounded(student: Student, rng: Rng) -> None:
    """What is kept and what is written sum to one, so c' never leaves [-1, 1] once it is there."""
    x, h, c, params = _inputs(rng, blocks=3)
    x, c = 20 * x, np.tanh(c)
    params["b_ih"][:HIDDEN] = rng.normal(size=HIDDEN)
    _, c_next = _moved(student.cifg_cell(x, h, c, params), h, c, "cifg_cell")
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    g = np.tanh(sums[:, HIDDEN : 2 * HIDDEN])
    low, high = np.minimum(c, g) - 1e-12, np.maximum(c, g) + 1e-12
    between = ((low <= c_next) & (c_next <= high)).all()
    assert_true(between, "The new c is a weighted mean of the old c and g, so it lies between.")


@points("cifg_cell", 1)
def test_cifg_cell_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, c, params = _inputs(rng, blocks=3)
    _moved(student.cifg_cell(x, h, c, params), h, c, "cifg_cell")
    arguments = (x, h, c, params)
    assert_unchanged(student.calls[-1].outcome, arguments, ("x", "h", "c", "params"))


# ---------------------------------------------------------------- peephole_cell


def _peephole_inputs(rng: Rng) -> tuple[Array, Array, Array, Params]:
    x, h, c, params = _inputs(rng)
    holes = {name: rng.normal(size=HIDDEN) for name in ("w_ci", "w_cf", "w_co")}
    return x, h, c, params | holes


@points("peephole_cell", 3)
def test_peephole_cell_values(student: Student, rng: Rng) -> None:
    """Both new states are right for random weights, biases, peepholes and states."""
    x, h, c, params = _peephole_inputs(rng)
    got = student.peephole_cell(x, h, c, params)
    assert_matches(got, lstm_step_peepholes(x, (h, c), params), "(the new h, the new c)")


@points("peephole_cell", 2)
def test_peephole_cell_cell_state(student: Student, rng: Rng) -> None:
    """The new cell state is right: the input gate and the forget gate see the old c."""
    x, h, c, params = _peephole_inputs(rng)
    _, c_next = _both(student.peephole_cell(x, h, c, params), "peephole_cell")
    assert_matches(c_next, lstm_step_peepholes(x, (h, c), params)[1], "the new c")


@points("peephole_cell", 1)
def test_peephole_cell_without_peepholes(student: Student, rng: Rng) -> None:
    """With all three peephole vectors at zero it is the LSTM."""
    x, h, c, params = _inputs(rng)
    shut = {name: np.zeros(HIDDEN) for name in ("w_ci", "w_cf", "w_co")}
    got = student.peephole_cell(x, h, c, params | shut)
    assert_matches(got, lstm_step(x, (h, c), params), "(the new h, the new c)")


@points("peephole_cell", 1)
def test_peephole_cell_output_sees_the_new_cell(student: Student, rng: Rng) -> None:
    """The output gate sees the new c: one that has just gone to zero can't open or close it."""
    x, h, c, params = _peephole_inputs(rng)
    params["b_ih"][I] = params["b_ih"][F] = -SHUT
    params["w_ci"], params["w_cf"] = np.zeros(HIDDEN), np.zeros(HIDDEN)
    params["b_ih"][: HIDDEN // 2] = SHUT
    got = student.peephole_cell(x, h, c, params)
    h_next, _ = _moved(got, h, c, "peephole_cell")
    assert_matches(h_next, lstm_step_peepholes(x, (h, c), params)[0], "the new h")


@points("peephole_cell", 1)
def test_peephole_cell_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, c, params = _peephole_inputs(rng)
    _moved(student.peephole_cell(x, h, c, params), h, c, "peephole_cell")
    arguments = (x, h, c, params)
    assert_unchanged(student.calls[-1].outcome, arguments, ("x", "h", "c", "params"))


# ---------------------------------------------------------------- ablate


@points("ablate", 1)
@pytest.mark.parametrize("flag", ABLATIONS)
def test_ablate_values(student: Student, rng: Rng, flag: str) -> None:
    """With the flag {flag} both new states are right."""
    x, h, c, params = _inputs(rng)
    got = student.ablate(x, h, c, params, flag)
    expected = lstm_step_ablated(x, (h, c), params, flag)
    assert_matches(got, expected, f"(the new h, the new c) with {flag!r}")


@points("ablate", 2)
def test_ablate_changes_one_thing(student: Student, rng: Rng) -> None:
    """Where a gate is open anyway, or i is 1 - f anyway, the flag changes nothing else."""
    for flag, block in (("no_input_gate", I), ("no_forget_gate", F), ("no_output_gate", O)):
        x, h, c, params = _inputs(rng)
        params["b_ih"][block] = SHUT
        got = student.ablate(x, h, c, params, flag)
        assert_matches(got, lstm_step(x, (h, c), params), f"(the new h, the new c) with {flag!r}")
    x, h, c, params = _inputs(rng)
    for array in params.values():
        array[I] = -array[F]
    got = student.ablate(x, h, c, params, "coupled")
    assert_matches(got, lstm_step(x, (h, c), params), "(the new h, the new c) with 'coupled'")


@points("ablate", 1)
def test_ablate_refuses_an_unknown_flag(student: Student, rng: Rng) -> None:
    """A flag that does not exist raises a ValueError, so that a typing error is not a result."""
    x, h, c, params = _inputs(rng)
    _moved(student.ablate(x, h, c, params, "full"), h, c, "ablate")
    outcome = student.observe("ablate", x, h, c, params, "no_memory_gate")
    assert_raises(outcome, ("ValueError",), "There is no such part to take away.")


@points("ablate", 1)
def test_ablate_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The parameters and states are left as they were, whatever the flag."""
    for flag in ABLATIONS:
        x, h, c, params = _inputs(rng)
        _moved(student.ablate(x, h, c, params, flag), h, c, "ablate")
        arguments = (x, h, c, params)
        assert_unchanged(student.calls[-1].outcome, arguments, ("x", "h", "c", "params"))


# ---------------------------------------------------------------- match_params


def _real_count(cell: str, d: int, h: int, outputs: int) -> int:
    """The parameters of real modules, a recurrent layer and a linear readout, one by one."""
    from torch import nn

    kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    modules = kind(d, h, device="meta"), nn.Linear(h, outputs, device="meta")
    return sum(p.numel() for module in modules for p in module.parameters())


def _sizes(rng: Rng) -> tuple[int, int, int]:
    """Inputs, hidden units and outputs, all different."""
    return int(rng.integers(6, 20)), int(rng.integers(21, 70)), int(rng.integers(80, 120))


def _assert_matched(student: Student, target: int, cell: str, d: int, outputs: int, h: int) -> None:
    got = student.match_params(target, cell, d, outputs)
    assert_matches(got, h, f"match_params({target}, {cell!r}, {d}, {outputs})")


@points("match_params", 1)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_match_params_exact(student: Student, rng: Rng, cell: str) -> None:
    """Given the size of a real {cell} with its readout, it finds that network's hidden size."""
    d, h, outputs = _sizes(rng)
    _assert_matched(student, _real_count(cell, d, h, outputs), cell, d, outputs, h)


@points("match_params", 2)
def test_match_params_nearest(student: Student, rng: Rng) -> None:
    """It finds the nearest size, whether that has a few parameters more or fewer."""
    for cell in ("rnn", "gru", "lstm"):
        for side in (-1, 1):
            d, h, outputs = _sizes(rng)
            here = _real_count(cell, d, h, outputs)
            gap = abs(_real_count(cell, d, h + side, outputs) - here)
            # A little off, and nearly half way to the next size.
            for away in (1, gap // 2 - 1):
                _assert_matched(student, here + side * away, cell, d, outputs, h)


@points("match_params", 1)
def test_match_params_between_two(student: Student, rng: Rng) -> None:
    """Of two sizes that are equally near, it takes the smaller; and never less than one unit."""
    found = 0
    while found < 3:
        d, h, outputs = _sizes(rng)
        total = _real_count("gru", d, h, outputs) + _real_count("gru", d, h + 1, outputs)
        if total % 2 == 0:
            _assert_matched(student, total // 2, "gru", d, outputs, h)
            found += 1
    _assert_matched(student, 1, "lstm", 3, 2, 1)


@points("match_params", 2)
def test_match_params_across_cells(student: Student, rng: Rng) -> None:
    """For an LSTM's parameters it finds the GRU and the RNN that stand nearest."""
    # One lies below the target and one above, so that rounding one way is found out.
    for cell, above in zip(("gru", "rnn"), rng.permutation([False, True]), strict=True):
        _assert_matched(student, *_to_match(rng, cell, bool(above)))


def _to_match(rng: Rng, cell: str, above: bool) -> tuple[int, str, int, int, int]:
    """An LSTM's parameters, and the hidden size of the network of another cell that is nearest.

    That network is larger than the LSTM if `above`. If not, one with a single bias vector would
    have more units.
    """
    while True:
        d, h, outputs = _sizes(rng)
        target = _real_count("lstm", d, h, outputs)
        counts = {k: parameter_count(cell, d, k) + (k + 1) * outputs for k in range(h, 3 * h)}
        nearest = min(counts, key=lambda k: abs(counts[k] - target))
        blocks = {"rnn": 1, "gru": 3}[cell]
        one_bias = min(counts, key=lambda k: abs(counts[k] - blocks * k - target))
        on_that_side = counts[nearest] != target and (counts[nearest] > target) == above
        if on_that_side and (above or one_bias != nearest):
            return target, cell, d, outputs, nearest
