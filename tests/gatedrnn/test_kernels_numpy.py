"""The fused GRU in NumPy against the equations and against torch."""

import numpy as np
import pytest
import torch
from torch import nn

from gatedrnn import equations
from gatedrnn.kernels.gru_numpy import gru_backward, gru_forward


def case(T, B, D, H, bias, dtype=np.float64):
    rng = np.random.default_rng(0)
    params = {"W_ih": rng.normal(size=(3 * H, D)), "W_hh": rng.normal(size=(3 * H, H))}
    if bias:
        params |= {"b_ih": rng.normal(size=3 * H), "b_hh": rng.normal(size=3 * H)}
    params = {name: (value * 0.4).astype(dtype) for name, value in params.items()}
    x, h0, doutputs = (rng.normal(size=s).astype(dtype) for s in ((B, T, D), (B, H), (B, T, H)))
    return x, h0, params, doutputs


@pytest.mark.equation("eq-gru-h")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("T", [1, 2, 7])
def test_equals_the_equations(T, bias):
    x, h0, params, doutputs = case(T, 3, 5, 4, bias)
    given = {name: value.copy() for name, value in params.items()}
    outputs, kept = gru_forward(x, h0, params)
    np.testing.assert_allclose(outputs, equations.gru_unroll(x, h0, params)[0], rtol=0, atol=1e-13)
    ours = gru_backward(doutputs, kept, params)
    theirs = equations.gru_backward(doutputs, x, h0, params)
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=1e-12, err_msg=name)
    without = gru_backward(doutputs, kept, params, with_x=False)
    assert without.keys() == theirs.keys() - {"x"}
    for name, value in given.items():
        assert np.array_equal(params[name], value), name


@pytest.mark.equation("eq-gru-h")
def test_equals_torch_in_float32():
    x, h0, params, doutputs = case(40, 8, 5, 32, bias=True, dtype=np.float32)
    layer = nn.GRU(5, 32, batch_first=True)
    layer.load_state_dict(
        {
            f"{'weight' if name[0] == 'W' else 'bias'}{name[1:]}_l0": torch.from_numpy(value)
            for name, value in params.items()
        }
    )
    expected = layer(torch.from_numpy(x), torch.from_numpy(h0)[None])[0]
    expected.backward(torch.from_numpy(doutputs))
    outputs, kept = gru_forward(x, h0, params)
    gradients = gru_backward(doutputs, kept, params)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, expected.detach(), rtol=0, atol=1e-5)
    for name, parameter in layer.named_parameters():
        ours = gradients[name.replace("weight", "W").replace("bias", "b").removesuffix("_l0")]
        assert ours.dtype == np.float32
        scale = float(parameter.grad.abs().max())
        np.testing.assert_allclose(ours / scale, parameter.grad / scale, rtol=0, atol=1e-5)
