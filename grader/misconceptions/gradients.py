"""Wrong answers to the exercises on vanishing and exploding gradients, with words for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatedrnn.analysis.jacobians import (
    EXPLODES,
    GROWS_FIRST,
    VANISHES,
    fit_decay_rate,
    lag_jacobian_norms,
    lag_jacobians,
    orthogonal_blocks,
)
from gatedrnn.equations import rnn_unroll
from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]


# ---------------------------------------------------------------- lag_jacobian_norms


def _steps(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    """The state before and after each step, each (B, T, H)."""
    after, _ = rnn_unroll(x, h0, params)
    return np.concatenate([h0[:, None], after[:, :-1]], axis=1), after


def _products(slopes: Array, W_hh: Array, turned: bool = False) -> Array:
    """Products of diag(slope) W_hh by lag, (B, T + 1, H, H), or in the other order when turned."""
    B, T, H = slopes.shape
    products = [np.broadcast_to(np.eye(H), (B, H, H))]
    for t in reversed(range(T)):
        step = slopes[:, t, :, None] * W_hh
        products.append(step @ products[-1] if turned else products[-1] @ step)
    return np.stack(products, axis=1)


def _spectral(jacobians: Array) -> Array:
    return np.linalg.norm(jacobians, 2, axis=(2, 3))


@misconception(
    "lag_jacobian_norms",
    "norm of the weight gradient",
    says="Your numbers are sizes of the gradient of W_hh, step by step. That gradient also holds "
    "the state that it is paired with, and one particular loss. The Jacobian of a state with "
    "respect to an earlier state has neither: it says what any loss could get through.",
    see="gradients.html#what-a-norm-of-weights-does-not-say",
)
def weight_gradient(x: Array, h0: Array, params: Params) -> Array:
    before, after = _steps(x, h0, params)
    B, T, H = after.shape
    dh = np.ones((B, H))
    norms = [np.linalg.norm(dh, axis=1)]
    for t in reversed(range(T)):
        da = dh * (1 - after[:, t] ** 2)
        norms.append(np.linalg.norm(da, axis=1) * np.linalg.norm(before[:, t], axis=1))
        dh = da @ params["W_hh"]
    return np.stack(norms, axis=1)


@misconception(
    "lag_jacobian_norms",
    "slope of the tanh forgotten",
    says="Your norms are those of powers of W_hh. That is right for a linear network; here each "
    "step also multiplies by the slope of the tanh, `1 - h_t**2`, which depends on the inputs and "
    "can only make the Jacobian smaller.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def no_slope(x: Array, h0: Array, params: Params) -> Array:
    slopes = np.ones((*x.shape[:2], h0.shape[1]))
    return _spectral(_products(slopes, params["W_hh"]))


@misconception(
    "lag_jacobian_norms",
    "Frobenius norm instead of spectral",
    says="Your norm is the root of the sum of all squared entries, which is what "
    "`np.linalg.norm` gives unless it is told otherwise. It adds up all directions; asked was the "
    "largest factor for any one direction, `np.linalg.norm(J, 2)`. At lag 0 yours is the root of "
    "H, and it should be 1.",
)
def frobenius(x: Array, h0: Array, params: Params) -> Array:
    return np.linalg.norm(lag_jacobians(x, h0, params), axis=(2, 3))


@misconception(
    "lag_jacobian_norms",
    "spectral radius instead of spectral norm",
    says="Your number is the largest eigenvalue of each Jacobian, in size. Eigenvalues say what "
    "happens when one matrix is used again and again; how much one Jacobian can stretch a vector "
    "is its largest singular value, which is never smaller.",
    see="gradients.html#eigenvalues-and-singular-values",
)
def spectral_radius(x: Array, h0: Array, params: Params) -> Array:
    return np.abs(np.linalg.eigvals(lag_jacobians(x, h0, params))).max(axis=2)


@misconception(
    "lag_jacobian_norms",
    "product in the wrong order",
    says="Your product puts the earlier step on the left. The change passes through the earlier "
    "step first, so its Jacobian stands on the right: `J = J @ step` while you walk back. Matrices "
    "do not commute, and from two steps on the norms differ.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def wrong_order(x: Array, h0: Array, params: Params) -> Array:
    _, after = _steps(x, h0, params)
    return _spectral(_products(1 - after**2, params["W_hh"], turned=True))


@misconception(
    "lag_jacobian_norms",
    "lag 0 left out",
    says="Your norms begin at lag 1, and there are T of them. T + 1 were asked for: over no step "
    "at all the Jacobian is the identity, with norm 1. Every later norm stands one place too "
    "early without it.",
)
def lag_zero_missing(x: Array, h0: Array, params: Params) -> Array:
    return lag_jacobian_norms(x, h0, params)[:, 1:]


@misconception(
    "lag_jacobian_norms",
    "slope at the state before the step",
    says="Your slope is `1 - h**2` at the state before each step. The tanh makes the state after "
    "it, so the slope of step t is `1 - h_t**2` with the new state: one place off in the list of "
    "states.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def slope_before(x: Array, h0: Array, params: Params) -> Array:
    before, _ = _steps(x, h0, params)
    return _spectral(_products(1 - before**2, params["W_hh"]))


@misconception(
    "lag_jacobian_norms",
    "walked forward from h_0",
    says="Your entry k is the norm of d h_k / d h_0: it starts at the first state and walks "
    "forward. Asked was how much of the *last* state comes from k steps before it, so the end is "
    "held and the walk goes back. Only lags 0 and T agree.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def from_the_start(x: Array, h0: Array, params: Params) -> Array:
    T = x.shape[1]
    ends = [lag_jacobian_norms(x[:, :k], h0, params)[:, -1] for k in range(1, T + 1)]
    return np.stack([np.ones(len(x)), *ends], axis=1)


@misconception(
    "lag_jacobian_norms",
    "product of the norms",
    says="Your code multiplies the norms of the single steps. That is an upper bound: the "
    "direction that one step stretches most is rarely the one that the next step stretches most. "
    "Multiply the matrices first, and take one norm of the product.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def product_of_norms(x: Array, h0: Array, params: Params) -> Array:
    _, after = _steps(x, h0, params)
    steps = (1 - after[:, ::-1, :, None] ** 2) * params["W_hh"]
    one = np.ones((len(x), 1))
    return np.cumprod(np.concatenate([one, _spectral(steps)], axis=1), axis=1)


@misconception(
    "lag_jacobian_norms",
    "W_hh transposed",
    says="Your step is `diag(1 - h_t**2) @ W_hh.T`. In the Jacobian row i belongs to unit i of the "
    "new state, and its weights are row i of W_hh, so no transpose is needed; the gradient's "
    "transpose belongs to the whole product, slope and all.",
    see="gradients.html#the-jacobian-over-k-steps",
)
def transposed(x: Array, h0: Array, params: Params) -> Array:
    _, after = _steps(x, h0, params)
    return _spectral(_products(1 - after**2, params["W_hh"].T))


@misconception(
    "lag_jacobian_norms",
    "ordered by time, not by lag",
    says="Your first entry is the longest lag and your last is lag 0. The values are right, in the "
    "reverse order: entry k belongs to the state k steps before the end.",
)
def by_time(x: Array, h0: Array, params: Params) -> Array:
    return lag_jacobian_norms(x, h0, params)[:, ::-1].copy()


@misconception(
    "lag_jacobian_norms",
    "one vector pulled back",
    says="Your code sends one vector of ones back and measures its length. Another vector would "
    "shrink at another rate; the spectral norm is the largest factor over all of them, and needs "
    "the whole matrix.",
)
def one_vector(x: Array, h0: Array, params: Params) -> Array:
    row = np.ones(h0.shape[1]) / np.sqrt(h0.shape[1])
    return np.linalg.norm(row @ lag_jacobians(x, h0, params), axis=2)


# ---------------------------------------------------------------- fit_decay_rate


def _positive(norms: Array) -> Array:
    """The lags of the norms above zero; ValueError when there are fewer than two."""
    lags = np.flatnonzero(norms > 0)
    if len(lags) < 2:
        raise ValueError("too few norms above zero")
    return lags


@misconception(
    "fit_decay_rate",
    "line through the norms themselves",
    says="Your line goes through the norms and not through their logarithms. Norms that change by "
    "a factor a lag lie on a straight line only on a logarithmic scale; on the raw one the first "
    "few decide everything.",
)
def raw_scale(norms: Array) -> float:
    lags = _positive(norms)
    return float(np.exp(np.polyfit(lags, norms[lags], 1)[0]))


@misconception(
    "fit_decay_rate",
    "zeros lifted by a small number",
    says="Your code adds a small number to every norm so that the logarithm exists. A norm that "
    "has underflowed then counts as that number, and the line bends towards a value that you have "
    "chosen. A zero carries no information about the rate beyond `too small`: leave it out.",
)
def lifted_zeros(norms: Array) -> float:
    _positive(norms)
    return float(np.exp(np.polyfit(np.arange(len(norms)), np.log(norms + 1e-12), 1)[0]))


@misconception(
    "fit_decay_rate",
    "the slope instead of the rate",
    says="You return the slope of the logarithms, which is the logarithm of the rate: 0 when "
    "nothing changes, negative for decay. Asked was the factor for one more lag, `np.exp(slope)`.",
)
def log_rate(norms: Array) -> float:
    return float(np.log(fit_decay_rate(norms)))


@misconception(
    "fit_decay_rate",
    "base 10 in, base e out",
    says="You take `log10` and come back with `exp`. A logarithm and its inverse must have the "
    "same base: either `log` and `exp`, or `log10` and `10**slope`. Yours gives the rate to the "
    "power 0.43.",
)
def mixed_bases(norms: Array) -> float:
    return float(np.exp(np.log10(fit_decay_rate(norms))))


@misconception(
    "fit_decay_rate",
    "first and last norm only",
    says="Your rate comes from the first and the last norm above zero. On a curve without noise "
    "that is enough; on a measured one, two points decide, and the last is the least certain of "
    "all. A line fitted to all logarithms uses everything.",
)
def end_points(norms: Array) -> float:
    lags = _positive(norms)
    first, last = lags[0], lags[-1]
    return float((norms[last] / norms[first]) ** (1 / (last - first)))


@misconception(
    "fit_decay_rate",
    "line forced through 1 at lag 0",
    says="Your line has no intercept, so it must pass through norm 1 at lag 0. Measured norms "
    "start with a factor of their own, and your slope has to make up for it. Fit the intercept, "
    "and throw it away.",
)
def no_intercept(norms: Array) -> float:
    lags = _positive(norms)
    return float(np.exp(lags @ np.log(norms[lags]) / (lags @ lags)))


@misconception(
    "fit_decay_rate",
    "intercept instead of slope",
    says="You return the factor in front, which is the norm that the line has at lag 0. "
    "`np.polyfit` gives the highest power first, so the slope is entry 0 of its result and the "
    "intercept is entry 1.",
)
def intercept(norms: Array) -> float:
    lags = _positive(norms)
    return float(np.exp(np.polyfit(lags, np.log(norms[lags]), 1)[1]))


@misconception(
    "fit_decay_rate",
    "lags renumbered after the zeros",
    says="You drop the zeros and then number the remaining norms 0, 1, 2 and so on. A norm keeps "
    "its lag, whatever stands before it: fit against the places where the norms were, not where "
    "they are now.",
)
def renumbered(norms: Array) -> float:
    return fit_decay_rate(norms[norms > 0])


@misconception(
    "fit_decay_rate",
    "half-life instead of rate",
    says="You return how many lags it takes to halve the norm. That is a fine number to quote, "
    "and one can be had from the other, but the factor for one lag was asked; a half-life also "
    "makes no sense when norms grow.",
)
def half_life(norms: Array) -> float:
    return float(np.log(0.5) / np.log(fit_decay_rate(norms)))


# ---------------------------------------------------------------- orthogonal_blocks


@misconception(
    "orthogonal_blocks",
    "one decomposition for the whole stack",
    says="You make the whole stack (G*H, H) orthogonal at once, as "
    "`torch.nn.init.orthogonal_(weight_hh)` does. Its columns are then orthogonal, but each gate "
    "gets only a slice of them, and a slice shrinks every vector. Cut first, then decompose each "
    "block.",
)
def stacked(draw: Array, gates: int) -> Array:
    Q, R = np.linalg.qr(draw)
    return Q * np.sign(np.diag(R))


@misconception(
    "orthogonal_blocks",
    "only the first block",
    says="Only your first block is orthogonal, and the others are the draw as it came. All the "
    "gates act on the same state, and each of them needs a block that keeps lengths.",
)
def only_the_first(draw: Array, gates: int) -> Array:
    H = draw.shape[1]
    return np.concatenate([orthogonal_blocks(draw[:H], 1), draw[H:]])


@misconception(
    "orthogonal_blocks",
    "the same block for every gate",
    says="Your blocks are orthogonal, and all the same: the first one, repeated. Gates that start "
    "with the same weights start with the same opinion of the state. Every block has H rows of "
    "the draw to itself.",
)
def repeated(draw: Array, gates: int) -> Array:
    return np.tile(orthogonal_blocks(draw[: draw.shape[1]], 1), (gates, 1))


@misconception(
    "orthogonal_blocks",
    "rows scaled to length 1",
    says="Your rows have length 1, but they are not perpendicular to each other. Such a matrix "
    "has singular values on both sides of 1, so it stretches some states and shrinks others; "
    "both conditions together make it orthogonal.",
)
def unit_rows(draw: Array, gates: int) -> Array:
    return draw / np.linalg.norm(draw, axis=1, keepdims=True)


@misconception(
    "orthogonal_blocks",
    "divided by the spectral norm",
    says="You divide each block by its largest singular value. The largest is then 1 and all "
    "others are smaller: the block stretches nothing, and still shrinks nearly everything. "
    "Orthogonal means that *all* singular values are 1.",
    see="gradients.html#orthogonal-weights",
)
def spectral_scaling(draw: Array, gates: int) -> Array:
    blocks = np.split(draw, gates)
    return np.concatenate([block / np.linalg.norm(block, 2) for block in blocks])


@misconception(
    "orthogonal_blocks",
    "signs left to the library",
    says="Your blocks are orthogonal, but you took Q as the library returns it. A library is free "
    "to flip the sign of any column, and usual ones do so by a rule; without the correction by "
    "the signs of R's diagonal, Q is not uniformly distributed and differs between libraries.",
)
def signs_not_fixed(draw: Array, gates: int) -> Array:
    return np.concatenate([np.linalg.qr(block)[0] for block in np.split(draw, gates)])


@misconception(
    "orthogonal_blocks",
    "signs on rows instead of columns",
    says="You multiply the rows of Q by the signs of R's diagonal. Column j of Q goes with row j "
    "of R, so it is the columns that must be flipped: `Q * signs`, and not `signs[:, None] * Q`. "
    "Both results are orthogonal, so only the values show it.",
)
def signs_on_rows(draw: Array, gates: int) -> Array:
    blocks = []
    for block in np.split(draw, gates):
        Q, R = np.linalg.qr(block)
        blocks.append(np.sign(np.diag(R))[:, None] * Q)
    return np.concatenate(blocks)


@misconception(
    "orthogonal_blocks",
    "blocks transposed",
    says="Each of your blocks is the transpose of the right one. The transpose of an orthogonal "
    "matrix is orthogonal, so every length is kept and nothing seems wrong; but it is the inverse "
    "of what the draw gives, and a draw shared with another program would not match.",
)
def blocks_transposed(draw: Array, gates: int) -> Array:
    return np.concatenate([block.T for block in np.split(orthogonal_blocks(draw, gates), gates)])


@misconception(
    "orthogonal_blocks",
    "scaled down by the number of gates",
    says="Your blocks are orthogonal up to a factor: you divide by the root of the number of "
    "gates, which gives the whole stack orthonormal columns. The gates do not add up to one "
    "product; each uses its block alone, and the factor shrinks the state at each step.",
)
def scaled_by_gates(draw: Array, gates: int) -> Array:
    return orthogonal_blocks(draw, gates) / np.sqrt(gates)


@misconception(
    "orthogonal_blocks",
    "gates interleaved",
    says="You take every G-th row for a block. In PyTorch's layout a gate's H rows stand "
    "together, first all of the first gate and then all of the second, so that `np.split` cuts "
    "them apart.",
)
def interleaved(draw: Array, gates: int) -> Array:
    result = np.empty_like(draw)
    for gate in range(gates):
        result[gate::gates] = orthogonal_blocks(draw[gate::gates], 1)
    return result


# ---------------------------------------------------------------- fate


def _decide(measure: Callable[[Array], float], W: Array) -> str:
    """The right answer, but for what stands in the place of the spectral radius."""
    if measure(W) > 1:
        return EXPLODES
    return GROWS_FIRST if np.linalg.norm(W, 2) > 1 else VANISHES


@misconception(
    "fate",
    "a singular value above 1 taken for explosion",
    says="You call it an explosion when the spectral norm is above 1. That is only the largest "
    "factor of *one* step: the direction that comes out is often one that the next step shrinks. "
    "In the end the largest eigenvalue decides, and the growth may be over after a few steps.",
)
def spectral_norm(W: Array) -> str:
    return EXPLODES if np.linalg.norm(W, 2) > 1 else VANISHES


@misconception(
    "fate",
    "determinant",
    says="You look at the determinant, which is the product of all eigenvalues. One of them can "
    "be far above 1 while the others make the product small. A volume may shrink while the "
    "vectors in it grow.",
)
def determinant(W: Array) -> str:
    return _decide(lambda W: abs(np.linalg.det(W)), W)


@misconception(
    "fate",
    "Frobenius norm",
    says="You compare the Frobenius norm with 1. It grows with the number of units: even the "
    "identity, which changes nothing, has the root of H. It is an upper bound for the spectral "
    "radius, and far too high a one.",
)
def frobenius_norm(W: Array) -> str:
    return _decide(lambda W: float(np.linalg.norm(W)), W)


@misconception(
    "fate",
    "largest entry",
    says="You look for an entry above 1. Many small entries can explode together, and one large "
    "entry can be harmless: it depends on whether a path leads back to where it started. Entries "
    "also change with the coordinates, and the fate does not.",
)
def largest_entry(W: Array) -> str:
    return _decide(lambda W: float(np.abs(W).max()), W)


@misconception(
    "fate",
    "real parts only",
    says="You take the real part of each eigenvalue before its size. A complex pair turns the "
    "state and stretches it at the same time; its real part can be zero while every step makes "
    "the state longer. `np.abs` of the complex number is its size.",
)
def size_of_real_part(W: Array) -> str:
    return _decide(lambda W: float(np.abs(np.linalg.eigvals(W).real).max()), W)


@misconception(
    "fate",
    "largest eigenvalue with its sign",
    says="You take the largest eigenvalue with its sign. An eigenvalue of -1.1 explodes as surely "
    "as one of 1.1; it flips the sign at each step while it grows. Take the size first, and the "
    "largest of those.",
)
def signed_maximum(W: Array) -> str:
    return _decide(lambda W: float(np.linalg.eigvals(W).real.max()), W)


@misconception(
    "fate",
    "eigenvalues alone",
    says="Your answer uses eigenvalues alone, so it never sees that a gradient grows before it "
    "vanishes. Where the weights are far from normal the first steps can multiply it many times, "
    "and a network of some ten steps lives in just that part.",
)
def eigenvalues_alone(W: Array) -> str:
    return EXPLODES if np.abs(np.linalg.eigvals(W)).max() > 1 else VANISHES


@misconception(
    "fate",
    "a routine for symmetric matrices",
    says="You use `eigvalsh`, which reads one triangle and assumes that the other is its mirror "
    "image. Recurrent weights are not symmetric, and for them it gives the eigenvalues of another "
    "matrix without a word of warning. The general routine is `eigvals`.",
)
def symmetric_routine(W: Array) -> str:
    return _decide(lambda W: float(np.abs(np.linalg.eigvalsh(W)).max()), W)
