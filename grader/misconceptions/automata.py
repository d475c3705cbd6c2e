"""Wrong answers that people give in the unit on what gates can compute.

Weights can be chosen in many ways, so they are recognised by what they do: which strings they
carry right, how far they last, how sharp they are, and whether they keep to the largest size.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from gatedrnn.analysis.automata import (
    all_strings,
    code,
    gru_states,
    lstm_states,
    scalar_cell,
    sides,
)
from grader.checks.automata import LARGEST, Pair, toggles_exactly
from grader.compare import agrees
from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]

# ---------------------------------------------------------------- views

#: The smallest k at which the states of different weights with one mistake are alike.
LEAST = 5.0
#: Below this k, a leak of exp(-k) a step shows in 2000 steps; above it they are not worth the time.
LEAKS = 7.5


def _shaped(value: Any, blocks: int, inputs: int) -> bool:
    none = [0.0] * inputs
    return agrees(value, scalar_cell(*[(none, 0.0, 0.0, 0.0)] * blocks), rtol=0.0, atol=np.inf)


def _fits(value: Params, k: float) -> bool:
    return all(float(np.abs(array).max()) <= LARGEST * k + 1e-9 for array in value.values())


def _gru_view(value: Any, k: float, inputs: int, length: int) -> Any:
    """What a GRU with one unit does to all strings of a length, and in a long rest.

    With a small k all weights do badly, and differently: then only their size is looked at.
    """
    if not _shaped(value, 3, inputs) or k < LEAST:
        return _fits(value, k) if _shaped(value, 3, inputs) else value
    strings = all_strings(inputs + 1, length)
    h0 = np.array([-1.0, -0.8, -0.6, 0.6, 0.8, 1.0])
    x = code(np.repeat(strings, len(h0), axis=0), inputs)
    short = np.round(gru_states(x, np.tile(h0, len(strings)), value), 1)
    view = {"short": short, "fits": _fits(value, k)}
    if k < LEAKS:
        ends = np.array([-1.0, 1.0])
        view["rest"] = sides(gru_states(np.zeros((2, 2000, inputs)), ends, value))[:, -1]
    return view


def _latch_view(value: Any, k: float) -> Any:
    return _gru_view(value, k, inputs=2, length=4)


def _toggle_view(value: Any, k: float) -> Any:
    return _gru_view(value, k, inputs=1, length=6)


def _counter_view(value: Any, k: float) -> Any:
    """What an LSTM with one unit counts on all strings of a length, and on a^200 b^200."""
    if not _shaped(value, 4, 2) or k < LEAST:
        return _fits(value, k) if _shaped(value, 4, 2) else value
    strings = all_strings(2, 6)
    zeros = np.zeros(len(strings))
    h, c = lstm_states(code(strings, 2), zeros, zeros, value)
    run = np.repeat([[0, 1]], 200, axis=1)
    _, far = lstm_states(code(run, 2), np.zeros(1), np.zeros(1), value)
    back = bool(np.abs(far[0, -1]) <= 0.25)
    return {"c": np.round(c, 1), "h": sides(h), "back": back, "fits": _fits(value, k)}


# ---------------------------------------------------------------- latch_weights


def _latch_cell(
    k: float,
    r: tuple[float, float, float] = (0, 0, 1),
    z: tuple[float, float, float] = (-2, -2, 1),
    n: tuple[float, float, float, float] = (2, -2, 1, 0),
) -> Params:
    """A latch in units of k: (set, reset, bias) of r and z, (set, reset, W_hn, b_in) of n."""
    blocks = (
        ([k * r[0], k * r[1]], 0.0, k * r[2], 0.0),
        ([k * z[0], k * z[1]], 0.0, k * z[2], 0.0),
        ([k * n[0], k * n[1]], k * n[2], k * n[3], 0.0),
    )
    return scalar_cell(*blocks)


@misconception(
    "latch_weights",
    "leaks while it holds",
    says="Your latch writes well and holds for a while, but each hold step lets a share 1 - z "
    "of the candidate in, and your candidate is 0 then. After 2000 steps little is left. "
    "Either let the candidate agree with the state, n = tanh(k h), which restores it at each "
    "step, or drive z harder.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_latch_view,
)
def latch_leaks(k: float) -> Params:
    return _latch_cell(k, n=(2, -2, 0, 0))


@misconception(
    "latch_weights",
    "update gate the other way round",
    says="Your z is near 1 on set and reset and near 0 on hold. In this book's GRU, as in "
    "PyTorch, z near 1 keeps the old state, so your cell ignores what should be written and "
    "rewrites itself on hold. Turn the signs of the z block.",
    see="gru.html#two-senses-of-the-update-gate",
    view=_latch_view,
)
def latch_z_reversed(k: float) -> Params:
    return _latch_cell(k, z=(2, 2, -1), n=(2, -2, 0, 0))


@misconception(
    "latch_weights",
    "no reset",
    says="Your unit can be set, and then nothing brings it back: on the reset symbol it holds. "
    "That is a latch for 'has a 1 been seen?'. Here the second symbol must write as well, with "
    "a candidate near -1.",
    view=_latch_view,
)
def latch_never_resets(k: float) -> Params:
    return _latch_cell(k, z=(-2, 0, 1), n=(2, 0, 1, 0))


@misconception(
    "latch_weights",
    "for a hard threshold",
    says="Your weights have the right signs and are of size one, whatever k is. With a "
    "threshold that jumps from 0 to 1 they would do; a real sigmoid of one half is 0.62, so "
    "each gate is half open all the time and states blur. Multiply the sums by k.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_latch_view,
)
def latch_hard_threshold(k: float) -> Params:
    return _latch_cell(0.5)


@misconception(
    "latch_weights",
    "old state cancels the write",
    says="From a state near 0 your latch writes, and against the opposite state it does not: "
    "the candidate's sum is then k - k = 0. The weights from the symbols must outweigh the "
    "recurrent weight, so that the symbol wins from any state.",
    view=_latch_view,
)
def latch_cancels(k: float) -> Params:
    return _latch_cell(k, n=(1, -1, 1, 0))


@misconception(
    "latch_weights",
    "blocks in the order z, r, n",
    says="Your numbers are those of a good latch with the first two blocks exchanged. PyTorch "
    "and this book stack r, z, n; Keras stacks z, r, n. As it stands, your update gate never "
    "opens.",
    see="gru.html#one-unit-three-spellings",
    view=_latch_view,
)
def latch_keras_order(k: float) -> Params:
    return _latch_cell(k, r=(-2, -2, 1), z=(0, 0, 1))


@misconception(
    "latch_weights",
    "reset by the reset gate",
    says="On the reset symbol your cell closes r, and expects the state to be gone. The reset "
    "gate only hides the old state from the candidate: what is kept is up to z, and the state "
    "that is asked for here, below -0.5, must be written by the candidate.",
    see="gru.html#what-r-really-does",
    view=_latch_view,
)
def latch_by_reset_gate(k: float) -> Params:
    return _latch_cell(k, r=(0, -2, 1), n=(2, 0, 1, 0))


@misconception(
    "latch_weights",
    "hold writes zero",
    says="Your z is near 0 for every symbol, and the candidate reads only the symbol. So the "
    "state is what the last symbol says, and on hold that is 0. Either z keeps on hold, or the "
    "candidate listens to the old state through W_hn.",
    view=_latch_view,
)
def latch_without_memory(k: float) -> Params:
    return _latch_cell(k, z=(0, 0, -1), n=(2, -2, 0, 0))


@misconception(
    "latch_weights",
    "numbers too large",
    says="Your latch works, with numbers beyond 4k. Anything can be forced with a thousand; "
    "the point of k is to see how much force is needed. Give the sums a size of one or two k.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_latch_view,
)
def latch_too_large(k: float) -> Params:
    return _latch_cell(1000.0)


# ---------------------------------------------------------------- toggle_weights


def _toggle_cell(
    k: float,
    r: tuple[float, float] = (0, 1),
    z: tuple[float, float] = (-4, 3),
    n: tuple[float, float, float, float] = (0, -2, 0, 0),
) -> Params:
    """A toggle in units of k: (input, bias) of r and z, (input, W_hn, b_in, b_hn) of n."""
    blocks = (
        ([k * r[0]], 0.0, k * r[1], 0.0),
        ([k * z[0]], 0.0, k * z[1], 0.0),
        ([k * n[0]], k * n[1], k * n[2], k * n[3]),
    )
    return scalar_cell(*blocks)


@misconception(
    "toggle_weights",
    "leaks through long runs of zeros",
    says="Your toggle is right on short strings. On a 0 the sum of z is only k, so a share "
    "exp(-k) of the candidate comes in at each step, and the candidate points to the other "
    "side. The time it holds grows like exp of that sum: make it 3k.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_toggle_view,
)
def toggle_leaks(k: float) -> Params:
    return _toggle_cell(k, z=(-2, 1))


@misconception(
    "toggle_weights",
    "for a hard threshold",
    says="Your weights have the right signs and are of size one, whatever k is. A jump from 0 "
    "to 1 would make them a toggle; a real sigmoid stands half open, and each step mixes the "
    "two sides until the state is near 0. Multiply the sums by k.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_toggle_view,
)
def toggle_hard_threshold(k: float) -> Params:
    return _toggle_cell(0.5, z=(-2, 1))


@misconception(
    "toggle_weights",
    "made for a start at 0",
    says="Your candidate is tanh(k - k h): made for the two states 0 and 1, as bits are "
    "written. From h0 = 0 it goes 1, 0, 1, nearly, and each flip multiplies the error of the "
    "last by k. From 1 the new state is 0, which is on no side. Here the sides are above 0.5 "
    "and below -0.5, and W_hn alone exchanges them.",
    view=_toggle_view,
)
def toggle_from_zero_only(k: float) -> Params:
    return _toggle_cell(k, n=(0, -1, 0, 1))


@misconception(
    "toggle_weights",
    "never flips",
    says="Your W_hn is positive, so the candidate has the sign of the old state, and a 1 "
    "sharpens the state instead of turning it. To flip, n must be minus the state: W_hn below "
    "zero.",
    view=_toggle_view,
)
def toggle_never_flips(k: float) -> Params:
    return _toggle_cell(k, n=(0, 2, 0, 0))


@misconception(
    "toggle_weights",
    "update gate the other way round",
    says="Your cell flips on every 0 and keeps on every 1: z is near 1 where it should be near "
    "0. In this book's GRU, as in PyTorch, z near 1 keeps the old state. Turn the signs of the "
    "z block.",
    see="gru.html#two-senses-of-the-update-gate",
    view=_toggle_view,
)
def toggle_z_reversed(k: float) -> Params:
    return _toggle_cell(k, z=(4, -3))


@misconception(
    "toggle_weights",
    "sets instead of toggling",
    says="On a 1 your candidate is near 1 whatever the old state was. After the first 1 the "
    "state stays up: that is OR, not parity. The candidate must look at the old state.",
    view=_toggle_view,
)
def toggle_sets(k: float) -> Params:
    return _toggle_cell(k, n=(2, 0, 0, 0))


@misconception(
    "toggle_weights",
    "a flip with slope one",
    says="Your candidate is tanh(-h): the right sign, with a slope of only one. Since "
    "|tanh(h)| is smaller than |h|, the state loses height at each flip, and after a few ones "
    "it is below 0.5. A slope of k or 2k pushes it back to 1.",
    see="automata.html#memory-is-a-fixed-point",
    view=_toggle_view,
)
def toggle_slope_one(k: float) -> Params:
    return _toggle_cell(k, n=(0, -1 / k, 0, 0))


@misconception(
    "toggle_weights",
    "half-way flip",
    says="On a 1 the sum of your z is k - k = 0, so z is one half, and half of the old state "
    "plus half of its opposite is 0. The weight must outdo the bias: a sum of -k on a 1.",
    view=_toggle_view,
)
def toggle_half_way(k: float) -> Params:
    return _toggle_cell(k, z=(-3, 3))


@misconception(
    "toggle_weights",
    "blocks in the order z, r, n",
    says="Your numbers are those of a good toggle with the first two blocks exchanged. PyTorch "
    "and this book stack r, z, n; Keras stacks z, r, n. As it stands your update gate never "
    "opens, and the reset gate moves in its place.",
    see="gru.html#one-unit-three-spellings",
    view=_toggle_view,
)
def toggle_keras_order(k: float) -> Params:
    return _toggle_cell(k, r=(-4, 3), z=(0, 1))


@misconception(
    "toggle_weights",
    "reset gate shut on a 1",
    says="On a 1 your r is near 0. But the flip, n = -h, reaches the candidate through W_hn, "
    "and r stands in that way: with r shut the candidate is 0, and so is the new state. Leave "
    "r open.",
    see="gru.html#what-r-really-does",
    view=_toggle_view,
)
def toggle_reset_shut(k: float) -> Params:
    return _toggle_cell(k, r=(-4, 3))


@misconception(
    "toggle_weights",
    "flips on every step",
    says="Your z is near 0 on a 0 as well, so the candidate is written at every step and the "
    "state turns each time: it tells whether the length of the string is odd. z must tell the "
    "two symbols apart.",
    view=_toggle_view,
)
def toggle_always(k: float) -> Params:
    return _toggle_cell(k, z=(0, -1))


@misconception(
    "toggle_weights",
    "numbers too large",
    says="Your toggle works, with numbers beyond 4k. Anything can be forced with a thousand; "
    "the point of k is to see how much force is needed. Give the sums a size of one to three k.",
    see="automata.html#how-far-a-sigmoid-drifts",
    view=_toggle_view,
)
def toggle_too_large(k: float) -> Params:
    return _toggle_cell(1000.0)


# ---------------------------------------------------------------- toggle_search


def _image(u: float, c: float, states: Array) -> Array:
    return np.tanh(u * states + c)


@misconception(
    "toggle_search",
    "only from 1 and -1",
    says="Your checker follows one step from 1 and from -1. The state need not come back "
    "there: it may be anywhere from m to 1, and some inner states can go wrong. tanh(u h + c) "
    "is monotone, so look at both ends of each side, m and 1.",
    replaces="toggles",
)
def toggles_from_the_ends(u: Pair, c: Pair, m: float) -> bool:
    one = np.array([1.0])
    keeps = _image(u[0], c[0], one) >= m and _image(u[0], c[0], -one) <= -m
    flips = _image(u[1], c[1], one) <= -m and _image(u[1], c[1], -one) >= m
    return bool(keeps and flips)


@misconception(
    "toggle_search",
    "strings from one start",
    says="Your checker runs strings from h0 = 1 and h0 = -1 and looks at the states they "
    "reach. All of those can be right while another allowed start goes wrong, and no finite "
    "set of strings proves anything about longer ones. Ask where the whole of each side goes "
    "in one step.",
    replaces="toggles",
)
def toggles_by_strings(u: Pair, c: Pair, m: float) -> bool:
    bits = all_strings(2, 8)
    for start in (1.0, -1.0):
        h = np.full(len(bits), start)
        for t in range(bits.shape[1]):
            h = np.tanh(np.take(u, bits[:, t]) * h + np.take(c, bits[:, t]))
            side = start * (-1.0) ** bits[:, : t + 1].sum(axis=1)
            if np.any(h * side < m):
                return False
    return True


@misconception(
    "toggle_search",
    "the signs of u alone",
    says="Your checker asks only whether u0 is positive and u1 negative. That is necessary, "
    "and what makes the plain unit fail, but it is not enough: with a small |u|, or a large "
    "|c|, states leave their side all the same.",
    replaces="toggles",
)
def toggles_by_signs(u: Pair, c: Pair, m: float) -> bool:
    return bool(u[0] > 0 > u[1])


@misconception(
    "toggle_search",
    "zero in place of the margin",
    says="Your checker asks on which side of 0 the new state lies. It must come back to m or "
    "beyond: a state that only has the right sign has left its side, and the next step starts "
    "where nothing was promised.",
    replaces="toggles",
)
def toggles_by_sign_of_state(u: Pair, c: Pair, m: float) -> bool:
    even = np.array([m, 1.0])
    keeps = _image(u[0], c[0], even).min() > 0 > _image(u[0], c[0], -even).max()
    flips = _image(u[1], c[1], even).max() < 0 < _image(u[1], c[1], -even).min()
    return bool(keeps and flips)


@misconception(
    "toggle_search",
    "one side only",
    says="Your checker follows the upper side and trusts that the lower one does the same. "
    "That is so without a bias. With one, tanh(u h + c) treats the two sides differently, and "
    "the lower side can fail alone.",
    replaces="toggles",
)
def toggles_upper_side(u: Pair, c: Pair, m: float) -> bool:
    even = np.array([m, 1.0])
    return bool(_image(u[0], c[0], even).min() >= m and _image(u[1], c[1], even).max() <= -m)


@misconception(
    "toggle_search",
    "the zeros not checked",
    says="Your checker looks at the 1 alone. A toggle must also keep its state on a 0; a unit "
    "that flips at every step passes your test.",
    replaces="toggles",
)
def toggles_flips_only(u: Pair, c: Pair, m: float) -> bool:
    even = np.array([m, 1.0])
    flips = _image(u[1], c[1], even).max() <= -m and _image(u[1], c[1], -even).min() >= m
    return bool(flips)


@misconception(
    "toggle_search",
    "0 and 1 exchanged",
    says="Your checker wants the state kept on a 1 and flipped on a 0. The first number of "
    "each pair, u[0] and c[0], belongs to the input 0, which keeps.",
    replaces="toggles",
)
def toggles_exchanged(u: Pair, c: Pair, m: float) -> bool:
    return toggles_exactly(u[::-1], c[::-1], m)


@misconception(
    "toggle_search",
    "a sign in place of tanh",
    says="Your checker has the sign of u h + c where the unit has a tanh, and so it knows the "
    "states 1 and -1 alone. With a hard threshold a small sum does as well as a large one; "
    "with a real tanh it gives a small state, which is below the margin.",
    replaces="toggles",
    see="automata.html#how-far-a-sigmoid-drifts",
)
def toggles_hard_threshold(u: Pair, c: Pair, m: float) -> bool:
    ends = np.sign([u[0] + c[0], -u[0] + c[0], u[1] + c[1], -u[1] + c[1]])
    return bool(np.array_equal(ends, [1, -1, -1, 1]))


def _rows(values: list[float], m: float, keep: Any) -> Array:
    rows = [
        (a, b, c, d)
        for a, b, c, d in product(values, repeat=4)
        if keep(a, b, c, d) and toggles_exactly((a, b), (c, d), m)
    ]
    return np.array(rows, dtype=float).reshape(-1, 4)


@misconception(
    "toggle_search",
    "ties the biases",
    says="With tied=True your search makes c0 = c1 instead of u0 = u1, and finds toggles. The "
    "plain unit has one recurrent weight, and its input adds w to the sum, so it is u that "
    "must be the same for both inputs while c differs by w.",
    replaces="search",
)
def search_ties_c(values: list[float], m: float, tied: bool) -> Array:
    return _rows(values, m, lambda u0, u1, c0, c1: not tied or c0 == c1)


@misconception(
    "toggle_search",
    "tied is ignored",
    says="Your search finds the same rows with tied=True and tied=False. Tied means the plain "
    "unit, u0 = u1; the rows that you return have two different recurrent weights, which a "
    "plain unit cannot have.",
    replaces="search",
)
def search_ignores_tied(values: list[float], m: float, tied: bool) -> Array:
    return _rows(values, m, lambda *row: True)


@misconception(
    "toggle_search",
    "stops at the first",
    says="Your search returns the first unit that toggles. A proof by search has to look at "
    "every point of the grid, so collect all rows before you return.",
    replaces="search",
)
def search_stops(values: list[float], m: float, tied: bool) -> Array:
    return _rows(values, m, lambda u0, u1, c0, c1: not tied or u0 == u1)[:1]


@misconception(
    "toggle_search",
    "always tied",
    says="Your search only looks at u0 = u1, with tied=False too. Then it finds nothing, and "
    "cannot show what the search is for: that the grid holds toggles as soon as the two inputs "
    "may have recurrent weights of their own.",
    replaces="search",
)
def search_always_tied(values: list[float], m: float, tied: bool) -> Array:
    return _rows(values, m, lambda u0, u1, c0, c1: u0 == u1)


# ---------------------------------------------------------------- counter_weights


def _counter_cell(
    k: float,
    i: tuple[float, float, float] = (0, 0, 2),
    f: tuple[float, float, float] = (0, 0, 4),
    g: tuple[float, float, float] = (1, -1, 0),
    o: tuple[float, float, float] = (0, 0, 2),
    feedback: float = 0.0,
) -> Params:
    """A counter in units of k: (a, b, bias) of each block, and the weight from h to g."""
    blocks = [([k * w[0], k * w[1]], 0.0, k * w[2], 0.0) for w in (i, f, g, o)]
    cell = scalar_cell(*blocks)
    cell["W_hh"][2] = k * feedback
    return cell


@misconception(
    "counter_weights",
    "the forget gate leaks",
    says="Your counter is right on short strings and has lost count long before 200. The sum "
    "of f is only k, so a share exp(-k) of the count goes at every step, and that share is "
    "largest when the count is. Drive f harder than the rest: 4k.",
    see="automata.html#the-lstm-counts",
    view=_counter_view,
)
def counter_leaks(k: float) -> Params:
    return _counter_cell(k, f=(0, 0, 1))


@misconception(
    "counter_weights",
    "forget bias of one",
    says="Your forget gate has a bias of 1, as for training. That is sigma(1) = 0.73: a "
    "quarter of the count is lost at each step. To count, f must be so near to 1 that 400 "
    "factors of it still are.",
    see="automata.html#the-lstm-counts",
    view=_counter_view,
)
def counter_forget_one(k: float) -> Params:
    return _counter_cell(k, f=(0, 0, 1 / k))


@misconception(
    "counter_weights",
    "steps smaller than one",
    says="Your candidate is tanh(1) = 0.76 on an a and -0.76 on a b, so c counts in steps of "
    "0.76. a^n b^n still comes back to 0, but c is not the count. Drive g with k, so that its "
    "tanh is near 1.",
    view=_counter_view,
)
def counter_small_steps(k: float) -> Params:
    return _counter_cell(k, g=(1 / k, -1 / k, 0))


@misconception(
    "counter_weights",
    "takes away by the input gate",
    says="Your counter goes up on an a, and stands still on a b: there the input gate is "
    "driven to -k, which makes it 0 and not -1. A gate lies between 0 and 1 and can only let "
    "through or shut. The minus has to come from g.",
    view=_counter_view,
)
def counter_negative_gate(k: float) -> Params:
    return _counter_cell(k, i=(1, -1, 0), g=(0, 0, 1))


@misconception(
    "counter_weights",
    "forgets at the first b",
    says="Your forget gate closes on a b, so the count of the a's is gone when it is needed. "
    "Forgetting and counting down are two things: keep f near 1 on both letters.",
    view=_counter_view,
)
def counter_forgets_on_b(k: float) -> Params:
    return _counter_cell(k, f=(4, -4, 0))


@misconception(
    "counter_weights",
    "counts every letter",
    says="Your c goes up by one on a b too: it is the length of the string. Give g a negative "
    "weight from b.",
    view=_counter_view,
)
def counter_counts_length(k: float) -> Params:
    return _counter_cell(k, g=(1, 1, 0))


@misconception(
    "counter_weights",
    "blocks in the order i, f, o, g",
    says="Your numbers are those of a good counter with the last two blocks exchanged. PyTorch "
    "and this book stack i, f, g, o. As it stands, the candidate is always near 1, and it is "
    "the output gate that follows the letters.",
    see="notation.html",
    view=_counter_view,
)
def counter_gate_order(k: float) -> Params:
    return _counter_cell(k, g=(0, 0, 2), o=(1, -1, 0))


@misconception(
    "counter_weights",
    "listens to its own output",
    says="Your candidate has a recurrent weight, so what a letter adds depends on h as well. "
    "After some a's h is near 1, and k h cancels the -k of a b: the count does not come down. "
    "Set W_hh to zero, and only the letter decides.",
    view=_counter_view,
)
def counter_feedback(k: float) -> Params:
    return _counter_cell(k, feedback=1.0)


@misconception(
    "counter_weights",
    "output gate shut or half open",
    says="Your c counts, and h hardly shows it: the output gate has no bias, so o is one half "
    "and h never passes 0.5. The read-out sees h alone. Open o.",
    view=_counter_view,
)
def counter_half_output(k: float) -> Params:
    return _counter_cell(k, o=(0, 0, 0))


@misconception(
    "counter_weights",
    "half steps",
    says="Your input gate has no bias, so i is one half and each letter moves c by one half. "
    "Open i, so that the whole candidate is added.",
    view=_counter_view,
)
def counter_half_input(k: float) -> Params:
    return _counter_cell(k, i=(0, 0, 0))


@misconception(
    "counter_weights",
    "input gate as one minus forget gate",
    says="Your input gate is near 0 because your forget gate is near 1, as in a GRU, where z "
    "and 1 - z share one gate. So nothing is ever added. The LSTM can keep everything and add "
    "at the same time, and that is why it counts.",
    see="automata.html#the-lstm-counts",
    view=_counter_view,
)
def counter_coupled(k: float) -> Params:
    return _counter_cell(k, i=(0, 0, -4))


@misconception(
    "counter_weights",
    "numbers too large",
    says="Your counter works, with numbers beyond 4k. Anything can be forced with a thousand; "
    "the point of k is to see how much force is needed, and where.",
    view=_counter_view,
)
def counter_too_large(k: float) -> Params:
    return _counter_cell(1000.0)
