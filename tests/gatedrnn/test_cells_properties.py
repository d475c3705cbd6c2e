"""Padding, order of the batch, bounds and lengths, for any sizes and flags."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gatedrnn

KINDS = ("RNN", "GRU", "GRU before", "LSTM")


@st.composite
def cases(draw, kinds=KINDS):
    """A layer with random options, a padded batch, its lengths and initial states."""
    kind = draw(st.sampled_from(kinds))
    torch.manual_seed(draw(st.integers(0, 2**31)))
    D, H, B = (draw(st.integers(1, 4)) for _ in range(3))
    lengths = draw(st.lists(st.integers(1, 6), min_size=B, max_size=B))
    options = {"reset_after": False} if kind == "GRU before" else {}
    name = kind.split()[0]
    layer = getattr(gatedrnn, name)(
        D,
        H,
        num_layers=draw(st.integers(1, 2)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.booleans()),
        batch_first=True,
        dtype=torch.float64,
        **options,
    )
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    states = [torch.randn(rows, B, H, dtype=torch.float64) for _ in range(1 + (name == "LSTM"))]
    return layer, torch.randn(B, max(lengths), D, dtype=torch.float64), lengths, states


def as_hx(states):
    return tuple(states) if len(states) == 2 else states[0]


def as_states(hx):
    return hx if isinstance(hx, tuple) else (hx,)


def run_packed(layer, x, lengths, states):
    packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    outputs, last = layer(packed, as_hx(states))
    return pad_packed_sequence(outputs, batch_first=True)[0], as_states(last)


@given(cases())
def test_each_sequence_of_a_packed_batch_is_run_as_if_alone(case):
    layer, x, lengths, states = case
    outputs, last = run_packed(layer, x, lengths, states)
    for b, length in enumerate(lengths):
        alone, alone_last = layer(x[b, :length], as_hx([s[:, b] for s in states]))
        assert (outputs[b, :length] - alone).abs().max() <= 1e-13
        assert (outputs[b, length:] == 0).all()
        for mine, expected in zip(last, as_states(alone_last), strict=True):
            assert (mine[:, b] - expected).abs().max() <= 1e-13


@given(cases(), st.integers(1, 3), st.sampled_from([0.0, 100.0, float("nan")]))
def test_padding_changes_nothing(case, extra, value):
    layer, x, lengths, states = case
    expected, expected_last = run_packed(layer, x, lengths, states)
    padded = torch.full((x.shape[0], x.shape[1] + extra, x.shape[2]), value, dtype=x.dtype)
    for b, length in enumerate(lengths):
        padded[b, :length] = x[b, :length]
    outputs, last = run_packed(layer, padded, lengths, states)
    assert torch.equal(outputs, expected)
    assert all(torch.equal(a, b) for a, b in zip(last, expected_last, strict=True))


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_batch_changes_nothing(case, random):
    layer, x, lengths, states = case
    order = list(range(len(lengths)))
    random.shuffle(order)
    outputs, last = run_packed(layer, x, lengths, states)
    reordered, reordered_last = run_packed(
        layer, x[order], [lengths[b] for b in order], [s[:, order] for s in states]
    )
    assert (reordered - outputs[order]).abs().max() <= 1e-13
    for a, b in zip(reordered_last, last, strict=True):
        assert (a - b[:, order]).abs().max() <= 1e-13


@given(cases(kinds=("GRU", "GRU before")))
def test_the_state_of_a_gru_is_bounded(case):
    layer, x, lengths, (h0,) = case
    bound = h0.abs().max().clamp(min=1) + 1e-12
    outputs, (last,) = run_packed(layer, x * 10, lengths, [h0])
    assert outputs.abs().max() <= bound
    assert last.abs().max() <= bound


@given(cases())
def test_the_gradient_of_padding_is_zero(case):
    layer, x, lengths, states = case
    x = x.requires_grad_()
    outputs, last = run_packed(layer, x, lengths, states)
    (outputs.square().sum() + sum(s.square().sum() for s in last)).backward()
    for b, length in enumerate(lengths):
        assert (x.grad[b, length:] == 0).all()
        assert (x.grad[b, :length] != 0).any()


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_the_last_state_is_the_output_at_both_ends(name):
    layer = getattr(gatedrnn, name)(3, 4, bidirectional=True, batch_first=True)
    lengths = [2, 5, 3]
    x = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    outputs, last = run_packed(layer, x, lengths, [torch.zeros(2, 3, 4)] * (1 + (name == "LSTM")))
    for b, length in enumerate(lengths):
        assert torch.equal(last[0][0, b], outputs[b, length - 1, :4])  # forward: its own end
        assert torch.equal(last[0][1, b], outputs[b, 0, 4:])  # reverse: its beginning
