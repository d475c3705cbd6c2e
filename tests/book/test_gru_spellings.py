"""The code in the tabs of the GRU chapter computes what the libraries it names compute."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from gatedrnn.cells.weights import convert
from gatedrnn.equations import gru_step, gru_step_reset_before
from gatedrnn.equations.activations import sigmoid
from grader.draw import parameters

CHAPTER = Path(__file__).resolve().parents[2] / "book" / "gru.md"
B, D, H = 4, 3, 5


@pytest.fixture(scope="module")
def spellings():
    text = CHAPTER.read_text("utf-8")
    tabs = re.findall(r":::\{tab-item\}[^\n]*\n```python\n(.*?)```", text, re.S)
    assert len(tabs) == 4
    names = {"np": np, "sigmoid": sigmoid}
    for code in tabs:
        exec(code, names)
    return names


@pytest.fixture
def drawn():
    rng = np.random.default_rng(7)
    return rng.normal(size=(B, D)), rng.normal(size=(B, H)), parameters(rng, 3, D, H)


def assert_same(got, want):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_paper(spellings, drawn):
    x, h, params = drawn
    params = params | {"b_ih": np.zeros(3 * H), "b_hh": np.zeros(3 * H)}
    p = convert(params, "pytorch_reset_before", "cho2014")
    got = spellings["paper_step"](x, h, p["W_r"], p["U_r"], p["W_z"], p["U_z"], p["W"], p["U"])
    assert_same(got, gru_step_reset_before(x, h, params))


def test_pytorch(spellings, drawn):
    x, h, params = drawn
    arrays = [params[name] for name in ("W_ih", "W_hh", "b_ih", "b_hh")]
    cell = torch.nn.GRUCell(D, H, dtype=torch.float64)
    with torch.no_grad():
        for theirs, ours in zip(cell.parameters(), arrays, strict=True):
            theirs.copy_(torch.from_numpy(ours))
        want = cell(torch.from_numpy(x), torch.from_numpy(h)).numpy()
    assert_same(spellings["pytorch_step"](x, h, *arrays), want)


@pytest.mark.parametrize("reset_after", [True, False])
def test_keras(spellings, drawn, reset_after):
    x, h, params = drawn
    if not reset_after:  # one bias: Keras has no second
        params = params | {"b_hh": np.zeros(3 * H)}
    form = "" if reset_after else "_reset_before"
    p = convert(params, f"pytorch{form}", f"keras{form}")
    step = spellings["keras_step" if reset_after else "keras_step_before"]
    got = step(x, h, p["kernel"], p["recurrent_kernel"], p["bias"])
    assert_same(got, (gru_step if reset_after else gru_step_reset_before)(x, h, params))

    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="needs the extra 'interop'")
    cell = keras.layers.GRUCell(H, reset_after=reset_after, dtype="float64")
    cell.build((B, D))
    cell.set_weights([p["kernel"], p["recurrent_kernel"], p["bias"]])
    theirs, _ = cell(torch.from_numpy(x), [torch.from_numpy(h)])
    # Keras multiplies matrices in single precision on this backend, whatever the layer's dtype.
    np.testing.assert_allclose(got, theirs.detach().numpy(), rtol=0, atol=1e-6)
