"""Layers with ``backend="fused"``: the library's results with every feature, or the plain loop."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

from gatedrnn import GRU, LSTM
from gatedrnn.cells import layers as plain_layers
from gatedrnn.kernels.choice import why_plain

PAIRS = {"gru": (GRU, nn.GRU), "lstm": (LSTM, nn.LSTM)}


@pytest.fixture
def fused_calls(monkeypatch):
    """A list that grows by one for each direction that runs in its fused form."""
    calls = []

    def counted(*arguments):
        calls.append(arguments[0])
        return run_fused(*arguments)

    run_fused = plain_layers.run_fused
    monkeypatch.setattr(plain_layers, "run_fused", counted)
    return calls


def pair(kind, *sizes, backend="fused", **options):
    """Our layer and the library's with the same random parameters, in float64."""
    ours, theirs = PAIRS[kind]
    torch.manual_seed(0)
    library = theirs(*sizes, **options).double()
    layer = ours(*sizes, backend=backend, **options).double()
    layer.load_state_dict(library.state_dict(), strict=True)
    return layer, library


def state(kind, layers, B, H):
    generator = torch.Generator().manual_seed(1)
    draws = [torch.randn(layers, B, H, generator=generator, dtype=torch.float64) for _ in range(2)]
    return tuple(draws) if kind == "lstm" else draws[0]


def as_tuple(states):
    return states if isinstance(states, tuple) else (states,)


def assert_same(layer, library, x, hx):
    """Outputs, final states and all gradients agree to 1e-10."""
    found = []
    for module in (layer, library):
        module.zero_grad()
        x_own = x.clone().requires_grad_()
        hx_own = [s.clone().requires_grad_() for s in as_tuple(hx)]
        outputs, final = module(x_own, tuple(hx_own) if len(hx_own) > 1 else hx_own[0])
        results = [outputs, *as_tuple(final)]
        generator = torch.Generator().manual_seed(2)
        loss = sum(
            (r * torch.randn(r.shape, generator=generator, dtype=r.dtype)).sum() for r in results
        )
        sources = [x_own, *hx_own, *module.parameters()]
        found.append([*results, *torch.autograd.grad(loss, sources)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("num_layers", "bidirectional"), [(1, False), (1, True), (3, True)])
def test_layers_and_directions(
    kind, recompute, bias, batch_first, num_layers, bidirectional, fused_calls
):
    layer, library = pair(
        kind,
        5,
        4,
        num_layers=num_layers,
        bias=bias,
        batch_first=batch_first,
        bidirectional=bidirectional,
    )
    layer.recompute = recompute
    directions = num_layers * (1 + bidirectional)
    x = torch.randn((3, 6, 5) if batch_first else (6, 3, 5), dtype=torch.float64)
    assert_same(layer, library, x, state(kind, directions, 3, 4))
    assert len(fused_calls) == directions


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_without_state_without_batch_and_in_evaluation(kind, fused_calls):
    layer, library = pair(kind, 5, 4)
    x = torch.randn(7, 5, dtype=torch.float64)
    with torch.no_grad():
        ours, theirs = layer.eval()(x), library.eval()(x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    assert len(fused_calls) == 1


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_dropout_between_layers_draws_what_the_plain_form_draws(kind, fused_calls):
    fused, _ = pair(kind, 5, 4, num_layers=2, dropout=0.5)
    plain = copy.deepcopy(fused)
    plain.backend = "plain"
    x = torch.randn(6, 3, 5, dtype=torch.float64)
    results = []
    for layer in (fused, plain):
        torch.manual_seed(3)
        results.append(layer(x)[0])
    torch.testing.assert_close(*results, rtol=0, atol=1e-10)
    assert len(fused_calls) == 2


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("lengths", "fuses"), [((4, 4, 4), True), ((2, 6, 4), False)])
def test_packed_sequences(kind, bidirectional, lengths, fuses, fused_calls):
    layer, library = pair(kind, 5, 4, bidirectional=bidirectional)
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    (ours, final), (theirs, expected) = layer(packed), library(packed)
    torch.testing.assert_close(
        pad_packed_sequence(ours)[0], pad_packed_sequence(theirs)[0], rtol=0, atol=1e-10
    )
    torch.testing.assert_close(as_tuple(final), as_tuple(expected), rtol=0, atol=1e-10)
    assert bool(fused_calls) == fuses


def test_auto_is_fused_and_plain_is_not(fused_calls):
    x = torch.randn(6, 3, 5)
    GRU(5, 4)(x)
    GRU(5, 4, backend="plain")(x)
    assert not fused_calls
    GRU(5, 4, backend="auto")(x)
    LSTM(5, 4, backend="auto")(x)
    assert fused_calls == ["GRU", "LSTM"]


def test_the_reasons_for_the_plain_form():
    rows = torch.randn(6, 5)
    assert why_plain(rows, [3, 3]) is None
    assert "reset after" in why_plain(rows, [3, 3], reset_after=False)
    assert "bfloat16" in why_plain(rows.bfloat16(), [3, 3])
    assert "lengths" in why_plain(rows, [3, 2, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "autocast" in why_plain(rows, [3, 3])


def test_reset_before_and_half_precision_take_the_plain_form(fused_calls):
    x = torch.randn(6, 3, 5)
    before = GRU(5, 4, reset_after=False, backend="fused")
    expected = copy.deepcopy(before)
    expected.backend = "plain"
    assert torch.equal(before(x)[0], expected(x)[0])
    assert GRU(5, 4, backend="fused").bfloat16()(x.bfloat16())[0].dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        LSTM(5, 4, backend="fused")(x)
    assert not fused_calls


@pytest.mark.parametrize("layer", [GRU, LSTM])
def test_an_unknown_backend_is_refused_in_words(layer):
    with pytest.raises(ValueError, match="plain, fused, auto, got 'cudnn'"):
        layer(5, 4, backend="cudnn")


def test_what_is_not_the_default_is_shown():
    assert repr(GRU(5, 4, backend="auto", recompute=True)) == (
        "GRU(5, 4, backend=auto, recompute=True)"
    )
    assert repr(LSTM(5, 4)) == "LSTM(5, 4)"


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_an_optimiser_reaches_the_same_weights(kind):
    # Five steps: a gradient that is right once but not renewed, or shared, would show.
    trained = []
    for backend in ("fused", "plain"):
        layer, _ = pair(kind, 5, 4, backend=backend)
        optimiser = torch.optim.Adam(layer.parameters(), lr=0.05)
        x = torch.linspace(-1, 1, 90, dtype=torch.float64).reshape(6, 3, 5)
        for _ in range(5):
            optimiser.zero_grad()
            layer(x)[0].square().sum().backward()
            nn.utils.clip_grad_norm_(layer.parameters(), 0.5)
            optimiser.step()
        trained.append([p.detach() for p in layer.parameters()])
    torch.testing.assert_close(*trained, rtol=0, atol=1e-10)


def test_sequences_packed_from_a_list_run_as_they_are(fused_calls):
    layer, library = pair("gru", 5, 4)
    packed = pack_sequence([torch.randn(4, 5, dtype=torch.float64) for _ in range(2)])
    torch.testing.assert_close(layer(packed)[0].data, library(packed)[0].data, rtol=0, atol=1e-10)
    assert len(fused_calls) == 1
