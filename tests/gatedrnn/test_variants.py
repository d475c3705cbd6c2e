"""Relatives and ablations of the cells: as formulas, as limits of the full cell, and side by side.

The authority is torch.nn wherever a variant is a torch cell with some weights forced, and a formula
written out here where it is not.
"""

import numpy as np
import pytest
import torch
from torch import nn

from gatedrnn import equations
from gatedrnn.cells.variants import VARIANTS, VariantLayer, run_variant
from gatedrnn.equations.lstm_variants import ABLATIONS
from gatedrnn.models.side_by_side import VariantModel, run_side_by_side

B, T, D, H = 3, 6, 4, 5
OPEN = 1e3
ABLATED = {
    "LSTM": "full",
    "LSTM, no input gate": "no_input_gate",
    "LSTM, no forget gate": "no_forget_gate",
    "LSTM, no output gate": "no_output_gate",
    "LSTM, no input activation": "no_input_activation",
    "LSTM, no output activation": "no_output_activation",
    "LSTM, coupled gates": "coupled",
}


def drawn(name, seed=0):
    """A layer in float64 with large random weights and biases, and an input."""
    torch.manual_seed(seed)
    layer = VariantLayer(name, D, H).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer, torch.randn(B, T, D, dtype=torch.float64)


def by_torch(kind, blocks, layer, order, changes):
    """Outputs of a torch layer with the variant's blocks, and the missing ones as `changes` say.

    A change is a bias, which drives the gate to 0 or 1, or the letter of a block to be negated.
    """
    module = kind(D, H, batch_first=True, dtype=torch.float64)
    own = {k: dict(zip(blocks, v.chunk(len(blocks)), strict=True)) for k, v in
           layer.named_parameters() if k != "weight_ch"}  # fmt: skip
    with torch.no_grad():
        for key, parts in own.items():
            target = dict(zip(order, getattr(module, f"{key}_l0").chunk(len(order)), strict=True))
            for letter, rows in target.items():
                change = changes.get(letter)
                if isinstance(change, str):
                    rows.copy_(-parts[change])
                elif change is not None:
                    rows.fill_(change if key == "bias_ih" else 0.0)
                else:
                    rows.copy_(parts[letter])
    return module


@pytest.mark.equation("eq-rnn-step", cases=("RNN",))
@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n", "eq-gru-h", cases=("GRU",))
@pytest.mark.equation("eq-lstm-step", cases=("LSTM",))
@pytest.mark.equation("eq-lstm-cifg", cases=("LSTM, coupled gates",))
@pytest.mark.parametrize(
    ("name", "kind", "order", "changes"),
    [
        ("RNN", nn.RNN, "n", {}),
        ("GRU", nn.GRU, "rzn", {}),
        ("GRU, no reset gate", nn.GRU, "rzn", {"r": OPEN}),
        ("GRU, no update gate", nn.GRU, "rzn", {"z": -OPEN}),
        ("LSTM", nn.LSTM, "ifgo", {}),
        ("LSTM, no input gate", nn.LSTM, "ifgo", {"i": OPEN}),
        ("LSTM, no forget gate", nn.LSTM, "ifgo", {"f": OPEN}),
        ("LSTM, no output gate", nn.LSTM, "ifgo", {"o": OPEN}),
        ("LSTM, coupled gates", nn.LSTM, "ifgo", {"i": "f"}),
        ("LSTM, forget bias 1", nn.LSTM, "ifgo", {}),
    ],
)
def test_a_variant_is_torch_s_cell_with_some_weights_forced(name, kind, order, changes):
    layer, x = drawn(name)
    module = by_torch(kind, VARIANTS[name].blocks, layer, order, changes)
    expected, last = module(x)
    outputs, state = layer(x)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    last = last if isinstance(last, tuple) else (last,)
    for got, want in zip(state, last, strict=True):
        torch.testing.assert_close(got, want[0], rtol=0, atol=1e-12)


def sums(layer, x_t, h):
    """The sum inside each block, written out."""
    total = x_t @ layer.weight_ih.T + layer.bias_ih + h @ layer.weight_hh.T + layer.bias_hh
    return dict(zip(layer.variant.blocks, total.chunk(len(layer.variant.blocks), -1), strict=True))


def written_out(name, layer, x):
    """Variants that no torch cell can be forced into, step by step."""
    h = c = torch.zeros(B, H, dtype=torch.float64)
    outputs = []
    for t in range(T):
        a = sums(layer, x[:, t], h)
        s = {k: torch.sigmoid(v) for k, v in a.items()}
        if name == "GRU, reset before":
            rows = slice(2 * H, 3 * H)
            inside = x[:, t] @ layer.weight_ih[rows].T + layer.bias_ih[rows]
            n = torch.tanh(inside + (s["r"] * h) @ layer.weight_hh[rows].T + layer.bias_hh[rows])
            h = (1 - s["z"]) * n + s["z"] * h
        elif name == "GRU, gates uncoupled":
            rows = slice(3 * H, 4 * H)
            inside = x[:, t] @ layer.weight_ih[rows].T + layer.bias_ih[rows]
            heard = h @ layer.weight_hh[rows].T + layer.bias_hh[rows]
            h = s["w"] * torch.tanh(inside + s["r"] * heard) + s["z"] * h
        elif name == "LSTM, peepholes":
            p_i, p_f, p_o = layer.weight_ch
            i, f = torch.sigmoid(a["i"] + p_i * c), torch.sigmoid(a["f"] + p_f * c)
            c = f * c + i * torch.tanh(a["g"])
            h = torch.sigmoid(a["o"] + p_o * c) * torch.tanh(c)
        else:
            g = a["g"] if name.endswith("no input activation") else torch.tanh(a["g"])
            c = s["f"] * c + s["i"] * g
            h = s["o"] * (c if name.endswith("no output activation") else torch.tanh(c))
        outputs.append(h)
    return torch.stack(outputs, dim=1)


@pytest.mark.equation("eq-gru-n-before", cases=("GRU, reset before",))
@pytest.mark.equation("eq-lstm-peepholes", cases=("LSTM, peepholes",))
@pytest.mark.parametrize(
    "name",
    [
        "GRU, reset before",
        "GRU, gates uncoupled",
        "LSTM, peepholes",
        "LSTM, no input activation",
        "LSTM, no output activation",
    ],
)
def test_the_other_variants_are_their_formulas(name):
    layer, x = drawn(name)
    torch.testing.assert_close(layer(x)[0], written_out(name, layer, x), rtol=0, atol=1e-12)


def test_every_variant_was_judged():
    forced = test_a_variant_is_torch_s_cell_with_some_weights_forced.pytestmark[0].args[1]
    formulas = test_the_other_variants_are_their_formulas.pytestmark[0].args[1]
    assert {row[0] for row in forced} | set(formulas) == set(VARIANTS)


def as_numpy(layer, blocks="ifgo"):
    """The layer's parameters under the book's names, missing blocks filled with random numbers."""
    rng = np.random.default_rng(1)
    params = {}
    for key, value in layer.named_parameters():
        if key != "weight_ch":
            parts = dict(
                zip(layer.variant.blocks, np.split(value.detach().numpy(),
                len(layer.variant.blocks)), strict=True)
            )  # fmt: skip
            shape = parts["g"].shape
            name = key.replace("weight", "W").replace("bias", "b")
            params[name] = np.concatenate([parts.get(k, rng.normal(size=shape)) for k in blocks])
    return params


def unrolled(step, x):
    state, outputs = (np.zeros((B, H)), np.zeros((B, H))), []
    for t in range(T):
        state = step(x[:, t].numpy(), state)
        outputs.append(state[0])
    return np.stack(outputs, axis=1)


@pytest.mark.equation("eq-lstm-step", cases=("LSTM",))
@pytest.mark.parametrize("name", ABLATED)
def test_the_ablated_equations_say_the_same(name):
    layer, x = drawn(name)
    params = as_numpy(layer)
    got = unrolled(lambda x_t, s: equations.lstm_step_ablated(x_t, s, params, ABLATED[name]), x)
    np.testing.assert_allclose(got, layer(x)[0].detach().numpy(), rtol=0, atol=1e-12)


def test_every_flag_was_judged_and_others_are_refused():
    assert set(ABLATED.values()) == set(ABLATIONS)
    layer, x = drawn("LSTM")
    state = np.zeros((B, H)), np.zeros((B, H))
    with pytest.raises(ValueError, match="one of full, .* but got 'no_gate'"):
        equations.lstm_step_ablated(x[:, 0].numpy(), state, as_numpy(layer), "no_gate")


@pytest.mark.equation("eq-lstm-cifg", "eq-lstm-peepholes")
def test_the_coupled_and_peephole_equations_say_the_same():
    layer, x = drawn("LSTM, coupled gates")
    params = as_numpy(layer, "fgo")
    got = unrolled(lambda x_t, s: equations.lstm_step_cifg(x_t, s, params), x)
    np.testing.assert_allclose(got, layer(x)[0].detach().numpy(), rtol=0, atol=1e-12)
    layer, x = drawn("LSTM, peepholes")
    holes = dict(zip(("w_ci", "w_cf", "w_co"), layer.weight_ch.detach().numpy(), strict=True))
    params = as_numpy(layer) | holes
    got = unrolled(lambda x_t, s: equations.lstm_step_peepholes(x_t, s, params), x)
    np.testing.assert_allclose(got, layer(x)[0].detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", VARIANTS)
def test_networks_side_by_side_do_not_see_each_other(name):
    layers = [drawn(name, seed)[0] for seed in range(3)]
    x = torch.randn(3, B, T, D, dtype=torch.float64)
    weights = {
        key: torch.stack([dict(layer.named_parameters())[key] for layer in layers])
        for key, _ in layers[0].named_parameters()
    }
    together, state = run_variant(name, x, weights)
    assert together.shape == (3, B, T, H)
    for k, layer in enumerate(layers):
        alone, last = layer(x[k])
        torch.testing.assert_close(together[k], alone, rtol=0, atol=1e-12)
        torch.testing.assert_close(state[0][k], last[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["GRU, reset before", "LSTM, peepholes"])
def test_models_side_by_side_have_the_gradients_that_they_have_alone(name):
    torch.manual_seed(0)
    models = [VariantModel(name, D, H, 2).double() for _ in range(3)]
    x = torch.randn(B, T, D, dtype=torch.float64)
    run_side_by_side(models, x).square().sum().backward()
    for model in models:
        together = [p.grad.clone() for p in model.parameters()]
        model.zero_grad()
        outputs, _ = model.layer(x)
        model.readout(outputs).square().sum().backward()
        for got, p in zip(together, model.parameters(), strict=True):
            torch.testing.assert_close(got, p.grad, rtol=1e-10, atol=1e-10)
    last = run_side_by_side(models, x, last_only=True)
    torch.testing.assert_close(last, run_side_by_side(models, x)[:, :, -1], rtol=0, atol=1e-12)


def test_the_forget_bias_is_counted_once_and_only_in_its_gate():
    torch.manual_seed(3)
    plain = VariantLayer("LSTM", D, H)
    torch.manual_seed(3)
    biased = VariantLayer("LSTM, forget bias 1", D, H)
    total = biased.bias_ih + biased.bias_hh
    torch.testing.assert_close(total[H : 2 * H], torch.ones(H))
    others = [*range(H), *range(2 * H, 4 * H)]
    for key in ("bias_ih", "bias_hh"):
        assert torch.equal(getattr(biased, key)[others], getattr(plain, key)[others])
    assert torch.equal(biased.weight_hh, plain.weight_hh)


def test_a_missing_gate_has_no_weights():
    assert VariantLayer("LSTM, no forget gate", D, H).weight_ih.shape == (3 * H, D)
    assert VariantLayer("GRU, no reset gate", D, H).weight_hh.shape == (2 * H, H)
    assert VariantLayer("LSTM, peepholes", D, H).weight_ch.shape == (3, H)
    with pytest.raises(ValueError, match="'LSTM, no gate'"):
        VariantLayer("LSTM, no gate", D, H)


def test_a_coupled_lstm_without_its_output_gate_and_tanh_is_a_gru_without_its_reset():
    """What the two families share, exactly: one state, one gate, one candidate."""
    layer, x = drawn("LSTM, coupled gates")
    gru = VariantLayer("GRU, no reset gate", D, H).double()
    with torch.no_grad():
        for key, value in layer.named_parameters():
            getattr(gru, key).copy_(value[: 2 * H])
    expected, _ = gru(x)
    h = torch.zeros(B, H, dtype=torch.float64)
    for t in range(T):
        a = sums(layer, x[:, t], h)
        f = torch.sigmoid(a["f"])
        h = f * h + (1 - f) * torch.tanh(a["g"])  # c' of the coupled cell, with h = c
        torch.testing.assert_close(h, expected[:, t], rtol=0, atol=1e-12)
