"""Jacobians by lag, rates, orthogonal blocks and fates, against torch, algebra and powers."""

import numpy as np
import pytest
import torch

from gatedrnn.analysis.jacobians import (
    EXPLODES,
    GROWS_FIRST,
    VANISHES,
    fate,
    fit_decay_rate,
    lag_jacobian_norms,
    lag_jacobians,
    orthogonal_blocks,
)


def draw(seed: int, B: int = 3, T: int = 6, D: int = 2, H: int = 4):
    rng = np.random.default_rng(seed)
    shapes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": (H,), "b_hh": (H,)}
    params = {name: 0.6 * rng.normal(size=shape) for name, shape in shapes.items()}
    return rng.normal(size=(B, T, D)), rng.normal(size=(B, H)), params


def torch_last(x, h, p):
    for x_t in x:
        h = torch.tanh(p["W_ih"] @ x_t + p["b_ih"] + p["W_hh"] @ h + p["b_hh"])
    return h


@pytest.mark.equation("eq-lag-jacobian")
@pytest.mark.parametrize("seed", range(3))
def test_jacobians_are_those_of_autograd(seed: int) -> None:
    x, h0, params = draw(seed)
    got = lag_jacobians(x, h0, params)
    p = {name: torch.tensor(value) for name, value in params.items()}
    for b in range(3):
        for k in range(7):
            inputs, start = (
                torch.tensor(x[b]),
                torch_last(torch.tensor(x[b, : 6 - k]), torch.tensor(h0[b]), p),
            )
            rest = inputs[6 - k :]
            expected = torch.autograd.functional.jacobian(
                lambda h, rest=rest: torch_last(rest, h, p), start
            )
            np.testing.assert_allclose(got[b, k], expected, rtol=1e-10, atol=1e-13)
    norms = lag_jacobian_norms(x, h0, params)
    expected = torch.linalg.svdvals(torch.tensor(got))[..., 0]
    np.testing.assert_allclose(norms, expected, rtol=1e-12)


@pytest.mark.equation("eq-decay-rate")
def test_the_rate_of_known_curves() -> None:
    lags = np.arange(40)
    for rate in (0.3, 0.95, 1.2):
        assert fit_decay_rate(7.5 * rate**lags) == pytest.approx(rate, rel=1e-12)
    underflowing = 0.5 ** (30.0 * lags)
    assert (underflowing == 0).sum() > 2
    # The last numbers before zero are rounded to a few bits, so only the normal ones are exact.
    underflowing[underflowing < 1e-300] = 0
    assert fit_decay_rate(underflowing) == pytest.approx(0.5**30, rel=1e-12)


@pytest.mark.equation("eq-decay-rate")
def test_the_rate_minimises_squares_of_logarithms() -> None:
    rng = np.random.default_rng(0)
    norms = np.exp(rng.normal(size=20) - 0.2 * np.arange(20))
    norms[[3, 11]] = 0
    kept = np.flatnonzero(norms)
    design = torch.tensor(np.stack([np.ones(18), kept], axis=1))
    solution = torch.linalg.lstsq(design, torch.tensor(np.log(norms[kept]))[:, None]).solution
    assert fit_decay_rate(norms) == pytest.approx(float(solution[1].exp()), rel=1e-10)


@pytest.mark.parametrize("norms", [[0.0, 0.0], [0.0, 2.0, 0.0], []])
def test_a_rate_needs_two_norms(norms: list[float]) -> None:
    with pytest.raises(ValueError, match="at least two norms above zero"):
        fit_decay_rate(np.array(norms))


def test_one_block_is_what_torch_makes_of_the_same_draw() -> None:
    torch.manual_seed(3)
    made = torch.nn.init.orthogonal_(torch.empty(7, 7, dtype=torch.float64)).numpy()
    torch.manual_seed(3)
    normal = torch.empty(7, 7, dtype=torch.float64).normal_(0, 1).numpy()
    np.testing.assert_allclose(orthogonal_blocks(normal, 1), made, atol=1e-13)


@pytest.mark.parametrize("gates", [1, 3, 4])
def test_blocks_are_orthogonal_and_differ(gates: int) -> None:
    drawn = np.random.default_rng(gates).normal(size=(gates * 5, 5))
    blocks = orthogonal_blocks(drawn, gates).reshape(gates, 5, 5)
    for block, source in zip(blocks, drawn.reshape(gates, 5, 5), strict=True):
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-13)
        R = block.T @ source
        np.testing.assert_allclose(np.tril(R, -1), 0, atol=1e-13)
        assert (np.diag(R) > 0).all()


def test_a_draw_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3 gates need a draw of shape \(3 \* H, H\)"):
        orthogonal_blocks(np.ones((8, 4)), 3)


@pytest.mark.equation("eq-fate")
@pytest.mark.parametrize("seed", range(20))
def test_fate_is_what_the_powers_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(5, 5)) * rng.uniform(0.1, 0.7)
    radius = np.abs(np.linalg.eigvals(W)).max()
    if abs(radius - 1) < 0.03:
        W *= 0.9
    norms = [np.linalg.norm(np.linalg.matrix_power(W, k), 2) for k in (*range(1, 60), 400)]
    if norms[-1] > 1e3:
        expected = EXPLODES
    else:
        assert norms[-1] < 1e-3
        expected = GROWS_FIRST if max(norms) > 1 else VANISHES
    assert fate(W) == expected


def test_every_fate_occurs_in_that_test() -> None:
    found = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found.add(fate(rng.normal(size=(5, 5)) * rng.uniform(0.1, 0.7)))
    assert found == {EXPLODES, GROWS_FIRST, VANISHES}
