"""Outputs, final states and every gradient of the layers and cells against ``torch.nn``, float64.

``python -m pytest tests/gatedrnn/test_cells_agree.py -s`` prints the largest differences.
"""

import itertools

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import gatedrnn

TOLERANCE = 1e-10
B, T, D, H = 3, 6, 4, 5
LAYERS = {
    "RNN": ("RNN", {}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}),
    "GRU": ("GRU", {}),
    "LSTM": ("LSTM", {}),
}
INPUTS = {
    "time first": {},
    "batch first": {"batch_first": True},
    "no batch": {},
    "no batch, batch_first set": {"batch_first": True},
    "packed, sorted": {"lengths": [6, 4, 1]},
    "packed, unsorted": {"lengths": [2, 6, 3], "batch_first": True},
    "packed, equal": {"lengths": [6, 6, 6]},
}
GRID = list(itertools.product(LAYERS, INPUTS, (1, 2), (False, True), (True, False), (True, False)))


@pytest.fixture(scope="module")
def largest():
    """Largest differences over the grid, printed at the end."""
    record = {"outputs": 0.0, "gradients": 0.0, "cases": 0}
    yield record
    print(
        f"\nlargest difference over {record['cases']} cases: "
        f"outputs {record['outputs']:.1e}, gradients {record['gradients']:.1e}"
    )


def pair(name, *sizes, **options):
    """torch.nn's module and ours with the same parameters, drawn at random."""
    theirs = getattr(torch.nn, name)(*sizes, dtype=torch.float64, **options)
    ours = getattr(gatedrnn, name)(*sizes, dtype=torch.float64, **options)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def run(module, input, states, pack):
    """Results by name, and the gradient of a random linear loss for every tensor by name."""
    input = input.clone().requires_grad_()
    states = [s.clone().requires_grad_() for s in states]
    hx = tuple(states) if len(states) == 2 else (states[0] if states else None)
    outputs, last = module(pack(input), hx)
    last = last if isinstance(last, tuple) else (last,)
    results = {f"last state {k}": s for k, s in enumerate(last)}
    if isinstance(outputs, PackedSequence):
        results["outputs"] = outputs.data
    else:
        results["outputs"] = outputs
    generator = torch.Generator().manual_seed(5)
    weights = {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in results.items()
    }
    sum((value * weights[name]).sum() for name, value in results.items()).backward()
    gradients = {"input": input.grad} | {f"state {k}": s.grad for k, s in enumerate(states)}
    gradients |= {name: parameter.grad for name, parameter in module.named_parameters()}
    return outputs, results, gradients


def largest_difference(got, expected):
    """The largest difference of two dictionaries of tensors, after comparing names and shapes."""
    assert set(got) == set(expected)
    differences = {}
    for name, value in expected.items():
        assert got[name].shape == value.shape, name
        assert got[name].dtype == value.dtype, name
        differences[name] = (got[name] - value).abs().max().item()
    worst = max(differences, key=lambda name: differences[name])
    assert differences[worst] <= TOLERANCE, f"{worst} differs by {differences[worst]:.3g}"
    return differences[worst]


@pytest.mark.equation("eq-rnn-step", cases=("RNN",))
@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n", "eq-gru-h", cases=("GRU",))
@pytest.mark.equation("eq-lstm-step", cases=("LSTM",))
@pytest.mark.parametrize(("layer", "form", "num_layers", "bidirectional", "bias", "hx"), GRID)
def test_layers_agree_with_torch(layer, form, num_layers, bidirectional, bias, hx, largest):
    torch.manual_seed(0)
    name, options = LAYERS[layer]
    form_options = dict(INPUTS[form])
    lengths = form_options.pop("lengths", None)
    batch_first = form_options.get("batch_first", False)
    theirs, ours = pair(
        name,
        D,
        H,
        num_layers=num_layers,
        bidirectional=bidirectional,
        bias=bias,
        **options,
        **form_options,
    )
    batched = not form.startswith("no batch")
    shape = (B, T, D) if batch_first else (T, B, D)
    input = torch.randn(shape if batched else (T, D), dtype=torch.float64)
    rows = num_layers * (2 if bidirectional else 1)
    state_shape = (rows, B, H) if batched else (rows, H)
    count = (2 if name == "LSTM" else 1) if hx else 0
    states = [torch.randn(state_shape, dtype=torch.float64) for _ in range(count)]

    def pack(x):
        if lengths is None:
            return x
        in_order = lengths == sorted(lengths, reverse=True)
        return pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted=in_order)

    expected, expected_results, expected_gradients = run(theirs, input, states, pack)
    got, results, gradients = run(ours, input, states, pack)
    assert type(got) is type(expected)
    if isinstance(expected, PackedSequence):
        for mine, torchs in zip(got[1:], expected[1:], strict=True):
            assert (mine is None and torchs is None) or torch.equal(mine, torchs)
    outputs = largest_difference(results, expected_results)
    gradient = largest_difference(gradients, expected_gradients)
    largest["outputs"] = max(largest["outputs"], outputs)
    largest["gradients"] = max(largest["gradients"], gradient)
    largest["cases"] += 1


@pytest.mark.equation("eq-rnn-step", cases=("RNNCell",))
@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n", "eq-gru-h", cases=("GRUCell",))
@pytest.mark.equation("eq-lstm-step", cases=("LSTMCell",))
@pytest.mark.parametrize("hx", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("cell", ["RNNCell", "RNNCell relu", "GRUCell", "LSTMCell"])
def test_cells_agree_with_torch(cell, batched, bias, hx, largest):
    torch.manual_seed(1)
    name, *nonlinearity = cell.split()
    options = {"nonlinearity": nonlinearity[0]} if nonlinearity else {}
    theirs, ours = pair(name, D, H, bias=bias, **options)
    input = torch.randn((B, D) if batched else (D,), dtype=torch.float64)
    count = (2 if name == "LSTMCell" else 1) if hx else 0
    shape = (B, H) if batched else (H,)
    states = [torch.randn(shape, dtype=torch.float64) for _ in range(count)]

    class AsLayer(torch.nn.Module):
        """A cell that returns outputs and last state as a layer does."""

        def __init__(self, cell):
            super().__init__()
            self.cell = cell

        def forward(self, input, hx):
            last = self.cell(input, hx)
            return (last[0] if isinstance(last, tuple) else last), last

    _, expected_results, expected_gradients = run(AsLayer(theirs), input, states, lambda x: x)
    _, results, gradients = run(AsLayer(ours), input, states, lambda x: x)
    outputs = largest_difference(results, expected_results)
    gradient = largest_difference(gradients, expected_gradients)
    largest["outputs"] = max(largest["outputs"], outputs)
    largest["gradients"] = max(largest["gradients"], gradient)
    largest["cases"] += 1


def test_second_derivatives_agree_with_torch():
    theirs, ours = pair("GRU", D, H)
    torch.manual_seed(2)
    input = torch.randn(T, B, D, dtype=torch.float64)

    def gradient_norm_gradient(module):
        x = input.clone().requires_grad_()
        (first,) = torch.autograd.grad(module(x)[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), tuple(module.parameters()))

    expected, got = gradient_norm_gradient(theirs), gradient_norm_gradient(ours)
    for mine, torchs in zip(got, expected, strict=True):
        assert (mine - torchs).abs().max() <= TOLERANCE


@pytest.mark.equation("eq-gru-n-before", "eq-gru-h")
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_reset_before_layers_run_the_equations(num_layers, bidirectional):
    """``GRU(reset_after=False)`` against the NumPy equations, layer by layer."""
    from gatedrnn import equations
    from gatedrnn.cells.weights import from_state_dict

    torch.manual_seed(3)
    gru = gatedrnn.GRU(
        D,
        H,
        num_layers,
        batch_first=True,
        bidirectional=bidirectional,
        reset_after=False,
        dtype=torch.float64,
    )
    directions = 2 if bidirectional else 1
    x = torch.randn(B, T, D, dtype=torch.float64)
    h0 = torch.randn(num_layers * directions, B, H, dtype=torch.float64)
    outputs, last = gru(x, h0)
    expected = x.numpy()
    for layer in range(num_layers):
        of_directions = []
        for direction in range(directions):
            params = from_state_dict(gru.state_dict(), layer, reverse=direction == 1)
            arrays = {name: value.numpy() for name, value in params.items()}
            row = layer * directions + direction
            order = slice(None, None, -1 if direction else 1)
            out, h = equations.gru_unroll_reset_before(expected[:, order], h0[row].numpy(), arrays)
            assert abs(last[row].detach().numpy() - h).max() <= TOLERANCE
            of_directions.append(torch.tensor(out[:, order].copy()))
        expected = torch.cat(of_directions, dim=-1).numpy()
    assert abs(outputs.detach().numpy() - expected).max() <= TOLERANCE


def test_reset_before_differs_from_torch():
    theirs = torch.nn.GRU(D, H, dtype=torch.float64)
    ours = gatedrnn.GRU(D, H, dtype=torch.float64, reset_after=False)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours.load_state_dict(theirs.state_dict())
    torch.manual_seed(4)
    x = torch.randn(T, B, D, dtype=torch.float64)
    assert (theirs(x)[0] - ours(x)[0]).abs().max() > 0.05


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_layer_of_one_is_its_cell_in_a_loop(reset_after):
    layer = gatedrnn.GRU(D, H, dtype=torch.float64, reset_after=reset_after)
    cell = gatedrnn.GRUCell(D, H, dtype=torch.float64, reset_after=reset_after)
    cell.load_state_dict(
        {name.removesuffix("_l0"): value for name, value in layer.state_dict().items()}
    )
    torch.manual_seed(6)
    x, h = torch.randn(T, B, D, dtype=torch.float64), torch.randn(B, H, dtype=torch.float64)
    outputs, _ = layer(x, h[None])
    for t in range(T):
        h = cell(x[t], h)
        assert (outputs[t] - h).abs().max() <= 1e-14
