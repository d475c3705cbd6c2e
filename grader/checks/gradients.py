"""Checks of the unit on vanishing and exploding gradients."""

from __future__ import annotations

import numpy as np
import pytest

from gatedrnn.analysis.jacobians import (
    EXPLODES,
    GROWS_FIRST,
    VANISHES,
    fit_decay_rate,
    lag_jacobian_norms,
    orthogonal_blocks,
)
from grader.compare import assert_like, assert_matches, assert_raises, assert_unchanged
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student, StudentFault

Rng = np.random.Generator
Array = np.ndarray
Params = dict[str, Array]

EXERCISES = (
    Exercise(
        "lag_jacobian_norms",
        "How much arrives from k steps before",
        see="gradients.html#the-jacobian-over-k-steps",
        hints=(
            "One step has a Jacobian, and k steps have a product of k of them. What does the "
            "product over k + 1 steps have that the one over k steps lacks, and on which side?",
            "The Jacobian of step t is `diag(1 - h_t**2) @ W_hh`: each row of W_hh times the slope "
            "of its unit, at the state *after* the step. Start with the identity, walk from the "
            "last step to the first, and multiply on the right.",
            "For a batch: `J = J @ ((1 - h_t**2)[:, :, None] * W_hh)`, with J of shape (B, H, H). "
            "Before the loop and after each step append `np.linalg.norm(J, 2, axis=(1, 2))`; at "
            "the end stack the T + 1 rows along axis 1.",
        ),
    ),
    Exercise(
        "fit_decay_rate",
        "The rate of decay",
        see="gradients.html#one-number-for-a-curve",
        hints=(
            "If norms follow c * rate**k, which transformation makes a straight line of them, and "
            "what is its slope?",
            "Take logarithms of the norms that are above zero, keep the lag of each, and fit a "
            "line with an intercept. The slope is the logarithm of the rate.",
            "`lags = np.flatnonzero(norms > 0)`, then `slope = np.polyfit(lags, "
            "np.log(norms[lags]), 1)[0]`, and return `np.exp(slope)`. Before that, raise "
            "ValueError when `len(lags) < 2`.",
        ),
    ),
    Exercise(
        "orthogonal_blocks",
        "Orthogonal in every block",
        see="gradients.html#the-stacked-orthogonal-trap",
        hints=(
            "How many square matrices stand one above the other in the recurrent weights of a GRU? "
            "Each of them acts on the state by itself.",
            "Cut the draw into blocks of H rows, and take the QR decomposition of each. Q is "
            "orthogonal; the sign of each of its columns is still free.",
            "For each block: `Q, R = np.linalg.qr(block)`, then `Q * np.sign(np.diag(R))`, which "
            "flips whole columns. `np.split(draw, gates)` cuts, `np.concatenate` puts together.",
        ),
    ),
    Exercise(
        "fate",
        "Which of these explode?",
        see="gradients.html#eigenvalues-and-singular-values",
        hints=(
            "Two questions, one after the other: what happens in the end, and what happens in the "
            "first step? They are not answered by the same numbers.",
            "In the end the eigenvalue that is largest in size decides, and eigenvalues may be "
            "negative or complex. In one step the largest singular value decides.",
            "`rho = np.abs(np.linalg.eigvals(W)).max()` and `sigma = np.linalg.norm(W, 2)`. With "
            "rho > 1 it explodes; with rho < 1 and sigma > 1 it grows, then vanishes; otherwise "
            "it vanishes.",
        ),
    ),
)


# ---------------------------------------------------------------- lag_jacobian_norms


def _sequence(
    rng: Rng, batch: int = 3, steps: int = 6, inputs: int = 2, hidden: int = 4
) -> tuple[Array, Array, Params]:
    return (
        rng.normal(size=(batch, steps, inputs)),
        rng.normal(size=(batch, hidden)),
        parameters(rng, 1, inputs, hidden),
    )


def norms_by_autograd(x: Array, h0: Array, params: Params) -> Array:
    """The same norms from `torch.nn.RNNCell` and automatic differentiation alone."""
    import torch

    cell = torch.nn.RNNCell(x.shape[2], h0.shape[1], dtype=torch.float64)
    names = {"W_ih": "weight_ih", "W_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    cell.load_state_dict({names[key]: torch.from_numpy(params[key]) for key in names})
    norms = []
    for inputs, start in zip(torch.from_numpy(x), torch.from_numpy(h0), strict=True):
        states = [start.clone().requires_grad_()]
        for x_t in inputs:
            states.append(cell(x_t, states[-1]))
        rows = [
            torch.autograd.grad(unit, states, retain_graph=True, materialize_grads=True)
            for unit in states[-1]
        ]
        jacobians = torch.stack([torch.stack(row) for row in rows], dim=1)
        norms.append(torch.linalg.svdvals(jacobians.flip(0))[:, 0].numpy())
    return np.stack(norms)


@points("lag_jacobian_norms", 2)
def test_lag_norms_values(student: Student, rng: Rng) -> None:
    """The norms are right for random weights, biases, inputs and initial states."""
    inputs = _sequence(rng)
    assert_matches(student.lag_jacobian_norms(*inputs), lag_jacobian_norms(*inputs), "the norms")


@points("lag_jacobian_norms", 2)
def test_lag_norms_are_those_of_autograd(student: Student, rng: Rng) -> None:
    """They are the spectral norms of the Jacobians that automatic differentiation gives."""
    inputs = _sequence(rng, batch=2, steps=4, inputs=3, hidden=5)
    assert_matches(student.lag_jacobian_norms(*inputs), norms_by_autograd(*inputs), "the norms")


@points("lag_jacobian_norms", 1)
def test_lag_norms_begin_with_the_last_step(student: Student, rng: Rng) -> None:
    """Lag 0 is 1, for no step at all, and lag 1 is the norm of the last step's Jacobian."""
    x, h0, params = _sequence(rng, steps=5)
    expected = lag_jacobian_norms(x, h0, params)
    got = student.lag_jacobian_norms(x, h0, params)
    assert_like(got, expected, "the norms")
    assert_matches(got[:, :2], expected[:, :2], "the norms at lags 0 and 1")


@points("lag_jacobian_norms", 1)
def test_lag_norms_of_a_linear_network(student: Student, rng: Rng) -> None:
    """Near the state 0 the tanh is a straight line, and the norms are those of powers of W_hh."""
    x, h0, params = _sequence(rng, steps=5)
    for name in ("b_ih", "b_hh"):
        params[name] = np.zeros_like(params[name])
    powers = [np.linalg.matrix_power(params["W_hh"], k) for k in range(6)]
    expected = np.array([[np.linalg.norm(power, 2) for power in powers]] * len(x))
    got = student.lag_jacobian_norms(np.zeros_like(x), 1e-7 * h0, params)
    assert_matches(got, expected, "the norms", rtol=1e-6)


@points("lag_jacobian_norms", 1)
def test_lag_norms_saturate(student: Student, rng: Rng) -> None:
    """Inputs that saturate the tanh make the norms smaller, by as much as they should."""
    x, h0, params = _sequence(rng, steps=5)
    # Biases push every unit far out; large inputs alone would leave one near zero now and then.
    params["b_ih"] = 2.5 * np.sign(params["b_ih"])
    expected = lag_jacobian_norms(x, h0, params)
    assert_matches(student.lag_jacobian_norms(x, h0, params), expected, "the norms")


@points("lag_jacobian_norms", 1)
def test_lag_norms_leave_their_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    inputs = _sequence(rng)
    got = student.lag_jacobian_norms(*inputs)
    assert_like(got, lag_jacobian_norms(*inputs), "the norms")
    assert_unchanged(student.calls[-1].outcome, inputs, ("x", "h0", "params"))


# ---------------------------------------------------------------- fit_decay_rate


def _noisy(rng: Rng, lags: int = 30) -> tuple[Array, float]:
    """Norms that fall at a known rate, with a factor in front and noise in the logarithm."""
    rate = rng.uniform(0.6, 0.9)
    noise = rng.normal(scale=0.3, size=lags)
    return np.exp(rng.uniform(0.5, 1.5) + np.log(rate) * np.arange(lags) + noise), rate


@points("fit_decay_rate", 2)
def test_rate_of_a_linear_network(student: Student, rng: Rng) -> None:
    """On linear networks whose weights are a number times a rotation, it finds that number."""
    for low, high in ((0.5, 0.9), (1.05, 1.4)):
        known = rng.uniform(low, high)
        W = known * np.linalg.qr(rng.normal(size=(5, 5)))[0]
        norms = np.array([np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in range(20)])
        got = student.fit_decay_rate(norms)
        assert_matches(got, known, "the rate")


@points("fit_decay_rate", 2)
def test_rate_is_least_squares_of_the_logarithms(student: Student, rng: Rng) -> None:
    """With noise it is the rate of the line that fits the logarithms best, all lags counted."""
    norms, _ = _noisy(rng)
    assert_matches(student.fit_decay_rate(norms), fit_decay_rate(norms), "the rate")


@points("fit_decay_rate", 1)
def test_rate_does_not_depend_on_the_unit(student: Student, rng: Rng) -> None:
    """All norms times one number have the same rate."""
    norms, _ = _noisy(rng)
    for factor in (1e-6, 1e3):
        got = student.fit_decay_rate(factor * norms)
        assert_matches(got, fit_decay_rate(norms), f"the rate of {factor:g} times the norms")


@points("fit_decay_rate", 2)
def test_rate_with_underflow(student: Student, rng: Rng) -> None:
    """Norms that have underflowed to zero are left out, and do not change the rate."""
    norms, _ = _noisy(rng, 20)
    expected = fit_decay_rate(norms)
    underflowed = np.concatenate([norms, np.zeros(15)])
    assert_matches(student.fit_decay_rate(underflowed), expected, "the rate")


@points("fit_decay_rate", 1)
def test_rate_keeps_each_lag(student: Student, rng: Rng) -> None:
    """A zero in the middle is left out, and the norms after it keep their lags."""
    norms, _ = _noisy(rng, 25)
    norms[4:11] = 0
    assert_matches(student.fit_decay_rate(norms), fit_decay_rate(norms), "the rate")


@points("fit_decay_rate", 1)
def test_rate_needs_two_norms(student: Student, rng: Rng) -> None:
    """With fewer than two norms above zero there is no line: ValueError; with two there is."""
    a, b = rng.uniform(0.5, 2, size=2)
    two = np.array([a, b, 0, 0])
    assert_matches(student.fit_decay_rate(two), b / a, "the rate from two norms")
    for norms in (np.array([a, 0, 0]), np.zeros(4)):
        assert_raises(
            student.observe("fit_decay_rate", norms),
            ("ValueError",),
            f"{int((norms > 0).sum())} of the norms were above zero, and a line needs two.",
        )


# ---------------------------------------------------------------- orthogonal_blocks


def _normal_draw(rng: Rng, gates: int, hidden: int) -> Array:
    return rng.normal(size=(gates * hidden, hidden))


def _blocks(got: Array, draw: Array, gates: int) -> list[Array]:
    assert_like(got, draw, "the weights")
    return np.split(got, gates)


@points("orthogonal_blocks", 2)
@pytest.mark.parametrize("name", ["3 blocks (GRU)", "4 blocks (LSTM)"])
def test_every_block_is_orthogonal(student: Student, rng: Rng, name: str) -> None:
    """With {name}, every block times its transpose is the identity, to 1e-5."""
    gates = int(name[0])
    draw = _normal_draw(rng, gates, 6)
    blocks = _blocks(student.orthogonal_blocks(draw, gates), draw, gates)
    for number, block in enumerate(blocks):
        assert_matches(
            block @ block.T,
            np.eye(6),
            f"block {number} times its transpose",
            rtol=0.0,
            atol=1e-5,
        )


@points("orthogonal_blocks", 1)
def test_one_block(student: Student, rng: Rng) -> None:
    """With one block, as for an RNN, the weights are an orthogonal matrix."""
    draw = _normal_draw(rng, 1, 5)
    got = student.orthogonal_blocks(draw, 1)
    assert_like(got, draw, "the weights")
    assert_matches(got.T @ got, np.eye(5), "the transpose times the weights", rtol=0.0, atol=1e-5)


@points("orthogonal_blocks", 1)
def test_blocks_come_from_their_own_rows(student: Student, rng: Rng) -> None:
    """Each block is made from its own H rows of the draw, in their order, up to signs."""
    draw = _normal_draw(rng, 3, 5)
    expected = orthogonal_blocks(draw, 3)
    got = student.orthogonal_blocks(draw, 3)
    assert_like(got, expected, "the weights")
    assert_matches(np.abs(got), np.abs(expected), "the weights, without their signs")


@points("orthogonal_blocks", 1)
def test_signs_of_the_blocks(student: Student, rng: Rng) -> None:
    """The signs are those for which the diagonal of R is positive, so Q depends on nothing else."""
    draw = _normal_draw(rng, 4, 5)
    got = student.orthogonal_blocks(draw, 4)
    assert_matches(got, orthogonal_blocks(draw, 4), "the weights")


@points("orthogonal_blocks", 1)
def test_blocks_leave_the_draw_alone(student: Student, rng: Rng) -> None:
    """The draw is left as it was."""
    draw = _normal_draw(rng, 3, 4)
    assert_like(student.orthogonal_blocks(draw, 3), draw, "the weights")
    assert_unchanged(student.calls[-1].outcome, (draw,), ("draw",))


# ---------------------------------------------------------------- fate


def _rotated(rng: Rng, core: Array) -> Array:
    """The same matrix in other coordinates: eigenvalues, singular values and norms are kept."""
    Q = np.linalg.qr(rng.normal(size=core.shape))[0]
    return Q @ core @ Q.T


def _hidden(rng: Rng, core: Array, triangle_above: float = 0.0) -> Array:
    """The same, in coordinates in which no entry is near 1, whatever the eigenvalues are.

    One triangle, taken for the whole, shows an eigenvalue larger than `triangle_above`.
    """
    while True:
        W = _rotated(rng, core)
        if np.abs(W).max() < 0.97 and np.abs(np.linalg.eigvalsh(W)).max() > triangle_above:
            return W


def _turn(size: float, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return size * np.array([[c, -s], [s, c]])


def _with_turn(size: float, angle: float, rest: list[float]) -> Array:
    core = np.diag([0.0, 0.0, *rest])
    core[:2, :2] = _turn(size, angle)
    return core


def _sheared(diagonal: list[float], shear: float) -> Array:
    """Eigenvalues on the diagonal and one large entry above it: far from normal."""
    core = np.diag(diagonal)
    core[0, -1] = shear
    return core


def _judge(student: Student, cases: list[tuple[Array, str]]) -> None:
    """Ask about every matrix before judging the first answer."""
    tried = [student.observe("fate", W) for W, _ in cases]
    for (_, expected), outcome in zip(cases, tried, strict=True):
        if outcome.kind != "value":
            raise StudentFault(outcome)
        assert_matches(outcome.value, expected, "the answer")


@points("fate", 1)
def test_fate_of_a_symmetric_matrix(student: Student, rng: Rng) -> None:
    """For symmetric weights, where eigenvalues and singular values agree in size."""
    small, large = rng.uniform(0.6, 0.9), rng.uniform(1.05, 1.3)
    _judge(
        student,
        [
            (_hidden(rng, np.diag([small, 0.58, 0.55, 0.5, -0.5])), VANISHES),
            (_hidden(rng, np.diag([large, 0.5, 0.4, 0.2, -0.1])), EXPLODES),
        ],
    )


@points("fate", 1)
def test_fate_with_a_negative_eigenvalue(student: Student, rng: Rng) -> None:
    """The largest eigenvalue may be negative: its size counts."""
    # The small one is large enough for the Frobenius norm to exceed 1.
    small, large = rng.uniform(0.8, 0.95), rng.uniform(1.05, 1.3)
    _judge(
        student,
        [
            (_hidden(rng, np.diag([-small, 0.5, 0.4, 0.2])), VANISHES),
            (_hidden(rng, np.diag([-large, 0.5, 0.4, 0.2])), EXPLODES),
        ],
    )


@points("fate", 1)
def test_fate_with_complex_eigenvalues(student: Student, rng: Rng) -> None:
    """Eigenvalues may be complex: their size counts, and not their real part."""
    angle = rng.uniform(1.2, 1.9)
    small, large = rng.uniform(0.85, 0.95), rng.uniform(1.05, 1.2)
    _judge(
        student,
        [
            (_hidden(rng, _with_turn(small, angle, [0.4, 0.3]), 1.02), VANISHES),
            (_hidden(rng, _with_turn(large, angle, [0.4, 0.3])), EXPLODES),
        ],
    )


@points("fate", 2)
def test_fate_of_a_matrix_far_from_normal(student: Student, rng: Rng) -> None:
    """A singular value above 1 means growth at first; only an eigenvalue decides the end."""
    shear = rng.uniform(2, 4)
    rest = [0.4, 0.3, 0.2]
    _judge(
        student,
        [
            (_rotated(rng, _sheared([rng.uniform(0.5, 0.9), *rest], shear)), GROWS_FIRST),
            (_rotated(rng, _sheared([rng.uniform(1.05, 1.2), *rest], shear)), EXPLODES),
            (_sheared([0.0, 0.0, 0.0], shear), GROWS_FIRST),
            (_rotated(rng, _sheared([rng.uniform(0.5, 0.8), *rest], 0.1)), VANISHES),
        ],
    )


@points("fate", 1)
def test_fate_of_five_at_once(student: Student, rng: Rng) -> None:
    """Five kinds of weights in a row, as in the notebook's table, in a random order."""
    cases = [
        (_rotated(rng, np.diag(rng.uniform(0.7, 0.9, size=6))), VANISHES),
        (_rotated(rng, np.diag([*rng.uniform(0.05, 0.3, size=5), -1.1])), EXPLODES),
        (_rotated(rng, _with_turn(1.1, 1.5, [0.2, 0.2, 0.1])), EXPLODES),
        (_rotated(rng, _sheared([0.9, 0.8, 0.8, 0.7], rng.uniform(3, 5))), GROWS_FIRST),
        (_rotated(rng, 1.04 * np.linalg.qr(rng.normal(size=(6, 6)))[0]), EXPLODES),
    ]
    _judge(student, [cases[i] for i in rng.permutation(len(cases))])
