"""Checks of the unit on what gates can compute."""

from __future__ import annotations

from itertools import product

import numpy as np

from gatedrnn.analysis.automata import (
    MARGIN,
    all_strings,
    code,
    gru_states,
    latched,
    lstm_states,
    sides,
    toggled,
)
from grader.compare import assert_like, assert_true
from grader.exercise import Exercise, points
from grader.student import Student

Array = np.ndarray
Params = dict[str, Array]
Rng = np.random.Generator

EXERCISES = (
    Exercise(
        "latch_weights",
        "A latch",
        see="automata.html#a-latch",
        hints=(
            "Decide what each gate should be for each of the three symbols before you choose a "
            "number. On which symbols should z be near 1, and on which near 0?",
            "A bias of k and an input weight of -2k give a sum of k without the symbol and of -k "
            "with it. The candidate must win against the old state on set and reset; on hold it "
            "should agree with the old state.",
            "Let r be open (a bias of k). For z take b = k and weights (-2k, -2k). For n take "
            "weights (2k, -2k), the recurrent weight k and no bias: on hold n = tanh(k h), which "
            "has the sign of h.",
        ),
    ),
    Exercise(
        "toggle_weights",
        "A toggle",
        see="automata.html#a-toggle",
        hints=(
            "On a 1 the new state must be minus the old one. Which of the two, candidate or old "
            "state, can bring a minus sign, and what must z be then?",
            "With r open, no input weight and no bias in the candidate, n = tanh(W_hn h). Choose "
            "the sign of W_hn for the 1, and let z keep the candidate out on a 0.",
            "r: bias k. n: W_hn = -2k, the rest 0. z: bias 3k and input weight -4k, so that its "
            "sum is 3k on a 0, which lasts, and -k on a 1.",
        ),
    ),
    Exercise(
        "toggle_search",
        "A plain unit cannot toggle",
        see="automata.html#one-plain-unit-cannot-toggle",
        functions=("toggles", "search"),
        hints=(
            "tanh(u h + c) is a monotone function of h. Where on an interval does such a function "
            "take its smallest and its largest value?",
            "So four numbers for each input decide: the images of m, 1, -m and -1. On a 0 the "
            "first two must stay at m or above; where must they be on a 1?",
            "`even = np.array([m, 1.0])`; keeps: `tanh(u[0] * even + c[0]).min() >= m` and "
            "`tanh(-u[0] * even + c[0]).max() <= -m`; flips: the same with u[1], c[1] and the "
            "sides exchanged. `search` tries every (u0, u1, c0, c1) from "
            "`itertools.product(values, repeat=4)`, and skips u0 != u1 when tied.",
        ),
    ),
    Exercise(
        "counter_weights",
        "A counter",
        see="automata.html#the-lstm-counts",
        hints=(
            "The new cell state is f c + i g. What must f, i and g be on an a, and on a b, so that "
            "c goes up and down by one?",
            "A gate is never negative, so the sign of a step must come from g. And f stands "
            "before c at every one of 400 steps: ask how near to 1 it has to be.",
            "i: bias 2k. f: bias 4k. g: input weights (k, -k). o: bias 2k. All recurrent weights "
            "are zero, so that nothing but the symbol decides.",
        ),
    ),
)

#: The least state, on either side, that a machine may be started from.
START = 0.6
#: No weight and no bias may be larger than this many times k.
LARGEST = 4


def _gru_shape(inputs: int) -> Params:
    return _shape(3, inputs)


def _shape(blocks: int, inputs: int) -> Params:
    sizes = {"W_ih": (blocks, inputs), "W_hh": (blocks, 1), "b_ih": (blocks,), "b_hh": (blocks,)}
    return {name: np.zeros(size) for name, size in sizes.items()}


def _saturation(rng: Rng, low: float = 6.0, high: float = 12.0) -> float:
    return float(np.round(rng.uniform(low, high), 3))


def _small_enough(got: Params, k: float) -> None:
    name = max(got, key=lambda key: np.abs(got[key]).max())
    largest = float(np.abs(got[name]).max())
    assert_true(
        largest <= LARGEST * k + 1e-9,
        f"With k = {k:g} no number may be larger than {LARGEST}k = {LARGEST * k:g}; "
        f"the largest in `{name}` is {largest:g}.",
        expected=f"at most {LARGEST * k:g}",
        got=f"{largest:g}",
    )


def _right_sides(states: Array, want: Array, strings: Array, h0: Array, names: str) -> None:
    """Every state is on the side that is wanted; the message names the first string that fails."""
    wrong = sides(states) != want
    if not wrong.any():
        return
    # The shortest story: among all strings the one that goes wrong first.
    row, t = divmod(int(wrong.T.argmax()), len(wrong))[::-1]
    story = _spelled(strings[row, : t + 1], names)
    side = f"above {MARGIN}" if want[row, t] > 0 else f"below -{MARGIN}"
    assert_true(
        False,
        f"From h0 = {h0[row]:.3g}, after {story}, the state is {states[row, t]:.3g}; "
        f"it should be {side}. {int(wrong.any(axis=1).sum())} of {len(wrong)} strings go wrong.",
        expected=side,
        got=f"{states[row, t]:.3g}",
    )


def _spelled(symbols: Array, names: str) -> str:
    words = names.split()
    if len(symbols) > 14:
        return f"{len(symbols)} times {words[symbols[-1]]!r}"
    return "the string " + " ".join(words[s] for s in symbols)


# ---------------------------------------------------------------- latch_weights

LATCH = "set reset hold"


def _latch(student: Student, k: float) -> Params:
    got = student.latch_weights(k)
    assert_like(got, _gru_shape(2), f"the weights for k = {k:g}")
    return got


def _latch_runs(got: Params, strings: Array, h0: Array) -> None:
    strings, h0 = np.repeat(strings, len(h0), axis=0), np.tile(h0, len(strings))
    states = gru_states(code(strings, 2), h0, got)
    _right_sides(states, latched(strings, np.sign(h0)), strings, h0, LATCH)


def _writes(got: Params, h0: Array) -> None:
    """One set, and one reset, from each h0."""
    strings, h0 = np.repeat([[0], [1]], len(h0), axis=0), np.tile(h0, 2)
    states = gru_states(code(strings, 2), h0, got)
    _right_sides(states, latched(strings, h0), strings, h0, LATCH)


@points("latch_weights", 2)
def test_latch_weights_write(student: Student, rng: Rng) -> None:
    """After set the state is above 0.5 and after reset below -0.5, whatever it was before."""
    got = _latch(student, _saturation(rng))
    _writes(got, np.append(np.linspace(-1, 1, 11), rng.uniform(-1, 1, 10)))


@points("latch_weights", 2)
def test_latch_weights_hold(student: Student, rng: Rng) -> None:
    """The state is right after every symbol of every string of up to eight, from any side."""
    got = _latch(student, _saturation(rng))
    _latch_runs(got, all_strings(3, 8), np.array([-1.0, -START, START, 1.0]))


@points("latch_weights", 1)
def test_latch_weights_last(student: Student, rng: Rng) -> None:
    """What was written is still there after 2000 times hold, at a k between 5 and 7."""
    got = _latch(student, _saturation(rng, 5, 7))
    strings = np.full((2, 2001), 2)
    strings[:, 0] = [0, 1]
    _latch_runs(got, strings, np.array([-1.0, 1.0]))


@points("latch_weights", 1)
def test_latch_weights_sharpen(student: Student, rng: Rng) -> None:
    """A larger k brings the written state nearer to 1 or -1: within 4 exp(-k)."""
    for k in (_saturation(rng, 4, 6), _saturation(rng, 10, 14)):
        got = _latch(student, k)
        states = gru_states(
            code(np.repeat([[0], [1]], 2, axis=0), 2), np.array([-1, 1, -1, 1]), got
        )
        _sharp(states[:, 0], np.array([1, 1, -1, -1]), k)


def _sharp(states: Array, want: Array, k: float) -> None:
    off = float(np.abs(states - want).max())
    near = 4 * float(np.exp(-k))
    assert_true(
        off <= near,
        f"With k = {k:g} a state that was just written is {off:.2g} away from where it should be; "
        f"4 exp(-k) = {near:.2g} can be reached.",
        expected=f"at most {near:.2g}",
        got=f"{off:.2g}",
    )


@points("latch_weights", 1)
def test_latch_weights_size(student: Student, rng: Rng) -> None:
    """No weight and no bias is larger than 4k, for small and for large k."""
    for k in (_saturation(rng, 8, 12), _saturation(rng, 2, 4)):
        got = _latch(student, k)
        if k > 5:  # weights that do nothing are small too
            _writes(got, np.zeros(1))
        _small_enough(got, k)


# ---------------------------------------------------------------- toggle_weights

BITS = "0 1"


def _toggle(student: Student, k: float) -> Params:
    got = student.toggle_weights(k)
    assert_like(got, _gru_shape(1), f"the weights for k = {k:g}")
    return got


def _toggle_runs(got: Params, bits: Array, h0: Array) -> None:
    bits, h0 = np.repeat(bits, len(h0), axis=0), np.tile(h0, len(bits))
    states = gru_states(bits[..., None].astype(float), h0, got)
    _right_sides(states, toggled(bits, np.sign(h0)), bits, h0, BITS)


def _allowed(rng: Rng) -> Array:
    """Both sides: their ends, and states between."""
    up = np.concatenate([[START, 1.0], rng.uniform(START, 1, 8)])
    return np.concatenate([up, -up])


@points("toggle_weights", 2)
def test_toggle_weights_flip(student: Student, rng: Rng) -> None:
    """After a single 1 the state has changed sides, from any allowed state."""
    _toggle_runs(_toggle(student, _saturation(rng)), np.array([[1]]), _allowed(rng))


@points("toggle_weights", 1)
def test_toggle_weights_keep(student: Student, rng: Rng) -> None:
    """After ten times 0 the state is on the side where it was, from any allowed state."""
    got = _toggle(student, _saturation(rng))
    _toggle_runs(got, np.zeros((1, 10), dtype=int), _allowed(rng))
    # Keeping alone is easy: weights that flip nothing keep everything.
    _toggle_runs(got, np.array([[1, 0, 0]]), np.array([-1.0, 1.0]))


@points("toggle_weights", 3)
def test_toggle_weights_parity(student: Student, rng: Rng) -> None:
    """The state is right after every bit of all strings of up to twelve, from any allowed state."""
    got = _toggle(student, _saturation(rng))
    inner = float(rng.uniform(START, 1))
    _toggle_runs(got, all_strings(2, 12), np.array([1.0, -1.0, START, -START, inner, -inner]))


@points("toggle_weights", 1)
def test_toggle_weights_last(student: Student, rng: Rng) -> None:
    """After a 1 and 2000 times 0 the state is still right, at a k between 5 and 7."""
    got = _toggle(student, _saturation(rng, 5, 7))
    _toggle_runs(got, np.array([[1] + [0] * 2000]), np.array([-1.0, 1.0]))


@points("toggle_weights", 1)
def test_toggle_weights_sharpen(student: Student, rng: Rng) -> None:
    """A larger k brings the state after a 1 nearer to 1 or -1: within 4 exp(-k)."""
    for k in (_saturation(rng, 4, 6), _saturation(rng, 10, 14)):
        states = gru_states(np.ones((2, 1, 1)), np.array([-1, 1]), _toggle(student, k))
        _sharp(states[:, 0], np.array([1, -1]), k)


@points("toggle_weights", 1)
def test_toggle_weights_size(student: Student, rng: Rng) -> None:
    """No weight and no bias is larger than 4k, for small and for large k."""
    for k in (_saturation(rng, 8, 12), _saturation(rng, 2, 4)):
        got = _toggle(student, k)
        if k > 5:  # weights that do nothing are small too
            _toggle_runs(got, np.array([[1]]), np.array([-1.0, 1.0]))
        _small_enough(got, k)


# ---------------------------------------------------------------- toggle_search

Pair = tuple[float, float]


def toggles_exactly(u: Pair, c: Pair, m: float) -> bool:
    """Whether 0 keeps the two sides and 1 exchanges them: by the ends, tanh being monotone."""
    return slack(u, c, m) >= 0


def slack(u: Pair, c: Pair, m: float) -> float:
    """By how much the worst state of the two sides passes, or, below zero, fails."""
    even = np.array([m, 1.0])
    kept = [np.tanh(u[0] * even + c[0]), -np.tanh(-u[0] * even + c[0])]
    flipped = [-np.tanh(u[1] * even + c[1]), np.tanh(-u[1] * even + c[1])]
    return float(min(np.min(kept), np.min(flipped))) - m


Case = tuple[Pair, Pair, float]


def _planted(student: Student, cases: list[Case]) -> None:
    """Ask about all cases before judging one, so that a wrong rule shows on all of them."""
    answers = [student.toggles(*case) for case in cases]
    for (u, c, m), got in zip(cases, answers, strict=True):
        assert_like(got, got is True or got is np.True_, "the answer")
        want = toggles_exactly(u, c, m)
        why = (
            "every state of each side is kept by a 0 and taken across by a 1"
            if want
            else "some state of a side ends outside the side where it should be"
        )
        numbers = f"u={_pair(u)}, c={_pair(c)}, m={m:.3g}"
        assert_true(
            bool(got) == want,
            f"toggles({numbers}) should be {want}: {why}.",
            expected=str(want),
            got=str(got),
        )


def _pair(pair: Pair) -> str:
    return f"({pair[0]:.4g}, {pair[1]:.4g})"


def _case(rng: Rng, want: bool | None, symmetric: bool = False) -> Case:
    """Draw until the answer is as wanted, and not a close call."""
    while True:
        u = (float(rng.uniform(0.9, 5)), float(-rng.uniform(0.9, 5)))
        shift = np.zeros(2) if symmetric else rng.uniform(-1.5, 1.5, 2)
        c, m = (float(shift[0]), float(shift[1])), float(rng.uniform(0.3, 0.8))
        margin = slack(u, c, m)
        if abs(margin) > 1e-3 and (want is None or (margin > 0) == want):
            return u, c, m


@points("toggle_search", 2)
def test_toggles_accepts(student: Student, rng: Rng) -> None:
    """toggles is True of units that toggle, False of the same with one u or 0 and 1 exchanged."""
    cases: list[Case] = []
    for symmetric in (True, False) * 4:
        u, c, m = _case(rng, True, symmetric)
        cases += [(u, c, m), (u[::-1], c[::-1], m), ((u[0], u[0]), c, m), ((u[1], u[1]), c, m)]
    _planted(student, cases)


@points("toggle_search", 2)
def test_toggles_looks_at_whole_sides(student: Student, rng: Rng) -> None:
    """toggles says False where only some states of a side go wrong, the inner or the outer ones."""
    m, cases = 0.5, [_case(rng, True)]
    # From 1 and -1 all strings are right; m lies below a fixed point that pushes away.
    u0 = float(rng.uniform(3.5, 5))
    for sign in (1, -1):
        away = -sign * float(rng.uniform(0.47, 0.55)) * u0
        cases += [((u0, -6.0), (away, 0.0), m), ((6.0, -u0), (0.0, away), m)]
    # The signs of u are right, and a bias is too large, for all states or for most.
    for share in (rng.uniform(0.75, 0.9), rng.uniform(1.2, 1.5)):
        u0 = float(rng.uniform(1.2, 2))
        cases.append(((u0, -6.0), (float(-share * u0), 0.0), m))
    # One step is right from the ends, the second is not.
    for fast in (0, 1):
        u = [3.0, -3.0]
        u[fast] = (1 - 2 * fast) * float(rng.uniform(1.02, 1.1))
        cases.append(((u[0], u[1]), (0.0, 0.0), 0.7))
    _planted(student, cases)


@points("toggle_search", 2)
def test_toggles_decides_near_the_margin(student: Student, rng: Rng) -> None:
    """toggles is right for units drawn at random, most of them close to toggling."""
    cases = [_case(rng, want, symmetric=True) for want in (True, False) * 3]
    cases += [_case(rng, want) for want in (True, False) * 14]
    _planted(student, cases)


def _grid(rng: Rng) -> list[float]:
    """Five values, some of which make a toggle, of both signs."""
    big, small = rng.uniform(2.5, 4, 2), rng.uniform(0.1, 0.6, 2)
    return [float(v) for v in np.round([-big[0], -small[0], 0.0, small[1], big[1]], 3)]


def _found(values: list[float], m: float, tied: bool) -> Array:
    rows = [
        (u0, u1, c0, c1)
        for u0, u1, c0, c1 in product(values, repeat=4)
        if (u0 == u1 or not tied) and toggles_exactly((u0, u1), (c0, c1), m)
    ]
    return np.array(rows, dtype=float).reshape(-1, 4)


def _searched(student: Student, values: list[float], m: float, tied: bool) -> None:
    got, want = student.search(values, m, tied), _found(values, m, tied)
    assert_like(got, want, f"the units found with tied={tied}")
    order, wanted = np.lexsort(got.T), np.lexsort(want.T)
    assert_true(
        np.array_equal(got[order], want[wanted]),
        f"With tied={tied}, values {values} and m = {m:g} these are not the rows "
        "(u0, u1, c0, c1) that toggle.",
    )


@points("toggle_search", 1)
def test_search_finds_all(student: Student, rng: Rng) -> None:
    """search finds every unit of the grid that toggles, when each input has weights of its own."""
    for _ in range(2):
        _searched(student, _grid(rng), float(np.round(rng.uniform(0.4, 0.7), 3)), tied=False)


@points("toggle_search", 1)
def test_search_finds_no_plain_unit(student: Student, rng: Rng) -> None:
    """With u0 = u1, the plain unit, search finds none, in a grid where it finds others."""
    values, m = _grid(rng), float(np.round(rng.uniform(0.4, 0.7), 3))
    _searched(student, values, m, tied=False)  # an answer that never finds any proves nothing
    _searched(student, values, m, tied=True)


# ---------------------------------------------------------------- counter_weights

LETTERS = "a b"


def _counter(student: Student, k: float) -> Params:
    got = student.counter_weights(k)
    assert_like(got, _shape(4, 2), f"the weights for k = {k:g}")
    return got


def _counts(strings: Array) -> Array:
    return np.cumsum(np.where(strings == 0, 1, -1), axis=1)


def _right_counts(c: Array, want: Array, strings: Array, near: float) -> None:
    wrong = ~(np.abs(c - want) <= near)
    if not wrong.any():
        return
    row, t = divmod(int(wrong.T.argmax()), len(wrong))[::-1]
    symbols = strings[row, : t + 1]
    ups, downs = int((symbols == 0).sum()), int((symbols == 1).sum())
    story = _spelled(symbols, LETTERS) if t < 14 else f"a^{ups} b^{downs}"
    assert_true(
        False,
        f"After {story} the cell state is {c[row, t]:.4g}; "
        f"it should be {want[row, t]:g}, give or take {near}.",
        expected=f"{want[row, t]:g}",
        got=f"{c[row, t]:.4g}",
    )


@points("counter_weights", 2)
def test_counter_weights_step(student: Student, rng: Rng) -> None:
    """Each a adds 1 to the cell state and each b takes 1 away, whatever h and c were."""
    got = _counter(student, _saturation(rng, 8, 12))
    strings = np.repeat([[0], [1]], 20, axis=0)
    c0 = rng.uniform(-5, 5, 40)
    h0 = rng.uniform(-1, 1, 40)
    h0[[0, 20]], h0[[1, 21]] = 0.98, -0.98  # where it counts most if the candidate hears it
    _, c = lstm_states(code(strings, 2), h0, c0, got)
    _right_counts(c - c0[:, None], _counts(strings), strings, 0.05)


@points("counter_weights", 2)
def test_counter_weights_strings(student: Student, rng: Rng) -> None:
    """The cell state is the a's less the b's after every letter of every string of up to ten."""
    got = _counter(student, _saturation(rng, 8, 12))
    strings = all_strings(2, 10)
    _, c = lstm_states(code(strings, 2), np.zeros(len(strings)), np.zeros(len(strings)), got)
    _right_counts(c, _counts(strings), strings, 0.25)


@points("counter_weights", 3)
def test_counter_weights_anbn(student: Student, rng: Rng) -> None:
    """It is back at 0 after a^n b^n, and right on the way, for every n up to 200."""
    got = _counter(student, _saturation(rng, 8, 10))
    n, t = np.arange(1, 201)[:, None], np.arange(401)[None, :]
    strings = np.where(t < n, 0, 1)
    _, c = lstm_states(code(strings, 2), np.zeros(200), np.zeros(200), got)
    upto = t <= 2 * n  # one b too many is part of it: it must not be accepted
    want = _counts(strings)
    _right_counts(np.where(upto, c, want), want, strings, 0.25)


@points("counter_weights", 1)
def test_counter_weights_read_out(student: Student, rng: Rng) -> None:
    """The state h shows the sign of the count: beyond 0.5 on its side, near 0 at a count of 0."""
    got = _counter(student, _saturation(rng, 8, 12))
    strings = all_strings(2, 8)
    h, _ = lstm_states(code(strings, 2), np.zeros(len(strings)), np.zeros(len(strings)), got)
    want = np.sign(_counts(strings))
    _right_sides(h, want, strings, np.zeros(len(strings)), LETTERS)


@points("counter_weights", 1)
def test_counter_weights_size(student: Student, rng: Rng) -> None:
    """No weight and no bias is larger than 4k, for small and for large k."""
    for k in (_saturation(rng, 8, 12), _saturation(rng, 2, 4)):
        got = _counter(student, k)
        if k > 5:  # weights that do nothing are small too
            _, c = lstm_states(code(np.array([[0], [1]]), 2), np.zeros(2), np.zeros(2), got)
            moved = c[0, 0] > 0.1 > -0.1 > c[1, 0]
            assert_true(moved, "The cell state should go up on an a and down on a b.")
        _small_enough(got, k)
