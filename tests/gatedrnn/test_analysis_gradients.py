"""Slopes, chunks and lags of the RNN's gradient, against algebra and torch's autograd."""

import numpy as np
import pytest
import torch

from gatedrnn.analysis.gradients import (
    central_differences,
    gradient_by_lag,
    truncated_rnn_backward,
)
from gatedrnn.equations import rnn_backward


def draw(seed: int, B: int = 3, T: int = 7, D: int = 2, H: int = 4):
    rng = np.random.default_rng(seed)
    shapes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": (H,), "b_hh": (H,)}
    params = {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}
    x, h0 = rng.normal(size=(B, T, D)), rng.normal(size=(B, H))
    return rng.normal(size=(B, T, H)), x, h0, params


def torch_step(x, h, p):
    return torch.tanh(x @ p["W_ih"].T + p["b_ih"] + h @ p["W_hh"].T + p["b_hh"])


@pytest.mark.equation("eq-central-difference")
def test_central_differences_of_a_known_function() -> None:
    rng = np.random.default_rng(0)
    A, v = rng.normal(size=(4, 4)), rng.normal(size=4)
    before = v.copy()
    got = central_differences(lambda: float(v @ A @ v), v)
    np.testing.assert_allclose(got, (A + A.T) @ v, rtol=1e-9)
    np.testing.assert_array_equal(v, before)


@pytest.mark.equation("eq-rnn-truncated")
@pytest.mark.parametrize("k", [1, 2, 3, 6, 7, 9])
def test_truncated_is_autograd_with_detach(k: int) -> None:
    doutputs, x, h0, params = draw(1)
    p = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}
    tx, th0 = torch.tensor(x, requires_grad=True), torch.tensor(h0, requires_grad=True)
    h, loss = th0, torch.zeros((), dtype=torch.float64)
    for t in range(x.shape[1]):
        if t % k == 0 and t > 0:
            h = h.detach()
        h = torch_step(tx[:, t], h, p)
        loss = loss + (torch.tensor(doutputs[:, t]) * h).sum()
    loss.backward()
    got = truncated_rnn_backward(doutputs, x, h0, params, k)
    for name, tensor in {"x": tx, "h0": th0, **p}.items():
        np.testing.assert_allclose(got[name], tensor.grad, rtol=1e-10, atol=1e-12, err_msg=name)


def test_truncated_refuses_chunks_of_nothing() -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        truncated_rnn_backward(*draw(1), k=0)


@pytest.mark.equation("eq-rnn-lags")
def test_lags_are_autograd_with_one_matrix_for_each_step() -> None:
    doutputs, x, h0, params = draw(2)
    p = {name: torch.tensor(value) for name, value in params.items()}
    copies = [torch.tensor(params["W_hh"], requires_grad=True) for _ in range(x.shape[1])]
    expected = np.zeros((x.shape[1], *params["W_hh"].shape))
    h = torch.tensor(h0)
    for t in range(x.shape[1]):
        h = torch_step(torch.tensor(x[:, t]), h, {**p, "W_hh": copies[t]})
        loss = (torch.tensor(doutputs[:, t]) * h).sum()
        grads = torch.autograd.grad(loss, copies[: t + 1], retain_graph=True)
        for s, grad in enumerate(grads):
            expected[t - s] += grad.numpy()
    by_lag = gradient_by_lag(doutputs, x, h0, params)
    np.testing.assert_allclose(by_lag, expected, rtol=1e-10, atol=1e-12)
    whole = rnn_backward(doutputs, x, h0, params)["W_hh"]
    np.testing.assert_allclose(by_lag.sum(axis=0), whole, rtol=1e-10)
