"""Machines made of single units: strings, states and how long they hold."""

import itertools

import numpy as np
import pytest
import torch

from gatedrnn.analysis import automata

RNG = np.random.default_rng(3)


def random_cell(blocks, inputs):
    draw = RNG.normal
    rows = [(draw(size=inputs), draw(), draw(), draw()) for _ in range(blocks)]
    return automata.scalar_cell(*rows), rows


def by_torch(kind, params, x, h0, c0=None):
    layer = kind(x.shape[2], 1, batch_first=True, dtype=torch.float64)
    names = {"weight_ih_l0": "W_ih", "weight_hh_l0": "W_hh", "bias_ih_l0": "b_ih",
             "bias_hh_l0": "b_hh"}  # fmt: skip
    layer.load_state_dict({name: torch.from_numpy(params[key]) for name, key in names.items()})
    start = torch.from_numpy(h0)[None, :, None]
    if c0 is None:
        return layer(torch.from_numpy(x), start)[0][..., 0].detach().numpy()
    both = (start, torch.from_numpy(c0)[None, :, None])
    out, (_, c) = layer(torch.from_numpy(x), both)
    return out[..., 0].detach().numpy(), c[0, :, 0].detach().numpy()


@pytest.mark.equation("eq-gru-h", "eq-lstm-step")
def test_scalar_cells_run_as_torch_runs_them():
    x, h0, c0 = RNG.normal(size=(5, 7, 2)), RNG.uniform(-1, 1, 5), RNG.normal(size=5)
    params, rows = random_cell(3, 2)
    np.testing.assert_array_equal(params["b_hh"], [row[3] for row in rows])
    got = automata.gru_states(x, h0, params)
    np.testing.assert_allclose(got, by_torch(torch.nn.GRU, params, x, h0), rtol=0, atol=1e-12)
    params, _ = random_cell(4, 2)
    h, c = automata.lstm_states(x, h0, c0, params)
    want_h, want_c = by_torch(torch.nn.LSTM, params, x, h0, c0)
    np.testing.assert_allclose(h, want_h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(c[:, -1], want_c, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("symbols", "length"), [(2, 1), (2, 5), (3, 4)])
def test_all_strings_are_there_once_and_in_order(symbols, length):
    want = list(itertools.product(range(symbols), repeat=length))
    assert [tuple(row) for row in automata.all_strings(symbols, length)] == want


def test_a_symbol_past_the_channels_is_all_zero():
    got = automata.code(np.array([[0, 1, 2, 3]]), 2)
    np.testing.assert_array_equal(got, [[[1, 0], [0, 1], [0, 0], [0, 0]]])


def test_what_machines_should_do_is_what_the_rules_say():
    for string in automata.all_strings(3, 5):
        for start in (-1, 1):
            held, want = start, []
            for symbol in string:
                held = {0: 1, 1: -1}.get(symbol, held)
                want.append(held)
            got = automata.latched(string[None], np.array([start]))[0]
            np.testing.assert_array_equal(got, want)
    for bits in automata.all_strings(2, 6):
        want = [(-1) ** sum(bits[: t + 1]) * -1 for t in range(6)]
        np.testing.assert_array_equal(automata.toggled(bits[None], np.array([-1]))[0], want)


def test_sides_count_the_margin_as_a_side():
    got = automata.sides(np.array([-1, -0.5, -0.49, 0, 0.49, 0.5, 3]))
    np.testing.assert_array_equal(got, [-1, -1, 0, 0, 0, 1, 1])


@pytest.mark.equation("eq-automata-half-life")
@pytest.mark.parametrize("total", [0.5, 3.0, 6.0])
def test_half_life_is_when_half_is_gone(total):
    # A GRU whose candidate is 0 and whose update gate has this sum, run until half is left.
    gate = ([0.0], 0.0, total, 0.0)
    nothing = ([0.0], 0.0, 0.0, 0.0)
    params = automata.scalar_cell(nothing, gate, nothing)
    half = automata.half_life(total)
    steps = int(np.ceil(half)) + 1
    states = automata.gru_states(np.zeros((1, steps, 1)), np.ones(1), params)[0]
    below = int(np.argmax(states < 0.5)) + 1
    assert below - 1 <= half <= below


def test_anbn_strings():
    symbols, lengths = automata.anbn(3)
    spelled = ["".join("ab."[s] for s in row) for row in symbols]
    assert spelled == ["ab....", "aabb..", "aaabbb"] and lengths.tolist() == [2, 4, 6]
    symbols, _ = automata.anbn(3, shortest=3)
    assert symbols.tolist() == [[0, 0, 0, 1, 1, 1]]
