"""Counts by formula against real modules and counted operations."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

import gatedrnn
from gatedrnn.analysis.counts import match_hidden_size, multiply_adds, parameter_count

CELLS = ("rnn", "gru", "lstm")
NETWORKS = list(itertools.product(CELLS, (1, 2, 3), (False, True)))


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.equation("eq-param-count")
@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), NETWORKS)
def test_parameters_are_those_of_the_real_modules(cell, num_layers, bidirectional):
    options = {"num_layers": num_layers, "bidirectional": bidirectional}
    for package in (torch.nn, gatedrnn):
        for bias, biases in ((True, "both"), (False, "none")):
            module = getattr(package, cell.upper())(7, 5, bias=bias, **options)
            assert parameter_count(cell, 7, 5, biases=biases, **options) == size(module)


@pytest.mark.equation("eq-param-count")
def test_the_numbers_that_the_chapter_prints():
    assert parameter_count("gru", 64, 128) == 74_496 == size(torch.nn.GRU(64, 128))
    assert parameter_count("gru", 64, 128, biases="one") == 74_112
    assert parameter_count("lstm", 64, 128) == 99_328 == size(torch.nn.LSTM(64, 128))
    assert parameter_count("lstm", 64, 128, biases="one") == 98_816


@pytest.mark.equation("eq-param-count")
@pytest.mark.parametrize(
    ("name", "options", "cell", "biases"),
    [
        ("SimpleRNN", {}, "rnn", "one"),
        ("GRU", {"reset_after": True}, "gru", "both"),
        ("GRU", {"reset_after": False}, "gru", "one"),
        ("GRU", {"use_bias": False}, "gru", "none"),
        ("LSTM", {}, "lstm", "one"),
    ],
)
def test_parameters_are_those_of_keras(name, options, cell, biases):
    keras = pytest.importorskip("keras", reason="needs the extra 'interop'")
    layer = getattr(keras.layers, name)(5, **options)
    layer.build((None, 3, 7))
    assert parameter_count(cell, 7, 5, biases=biases) == layer.count_params()


@pytest.mark.equation("eq-multiply-adds")
@pytest.mark.parametrize(("cell", "num_layers", "bidirectional"), NETWORKS)
def test_multiply_adds_are_those_that_torch_counts(cell, num_layers, bidirectional):
    module = getattr(gatedrnn, cell.upper())(
        7, 5, num_layers=num_layers, bidirectional=bidirectional, batch_first=True
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.randn(2, 4, 7))
    expected = multiply_adds(cell, 7, 5, num_layers, bidirectional, time_steps=4, batch_size=2)
    assert 2 * expected == counter.get_total_flops()


@pytest.mark.equation("eq-multiply-adds")
def test_the_2014_form_multiplies_as_much():
    module = gatedrnn.GRU(7, 5, reset_after=False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.randn(4, 2, 7))
    expected = multiply_adds("gru", 7, 5, time_steps=4, batch_size=2)
    assert 2 * expected == counter.get_total_flops()


@given(
    cell=st.sampled_from(CELLS),
    target=st.integers(100, 10**6),
    D=st.integers(1, 20),
    outputs=st.integers(0, 10),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    biases=st.sampled_from(["both", "one", "none"]),
)
def test_no_other_hidden_size_is_nearer(
    cell, target, D, outputs, num_layers, bidirectional, biases
):
    def distance(H):
        layers = parameter_count(cell, D, H, num_layers, bidirectional, biases)
        readout = outputs * ((2 if bidirectional else 1) * H + 1) if outputs else 0
        return abs(layers + readout - target)

    try:
        H = match_hidden_size(target, cell, D, outputs, num_layers, bidirectional, biases)
    except ValueError as error:
        # Too small a target: already one unit exceeds it.
        needed = target + distance(1)
        assert f"target must be at least {needed}" in str(error)
        assert needed > target
    else:
        assert distance(H) <= distance(H + 1)
        assert H == 1 or distance(H) < distance(H - 1)


def test_the_matched_network_with_its_readout_is_as_large_as_it_says():
    H = match_hidden_size(50_000, "gru", 65, outputs=65)
    module = torch.nn.ModuleList([torch.nn.GRU(65, H), torch.nn.Linear(H, 65)])
    larger = torch.nn.ModuleList([torch.nn.GRU(65, H + 1), torch.nn.Linear(H + 1, 65)])
    assert abs(size(module) - 50_000) <= (size(larger) - size(module)) / 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: parameter_count("GRU", 3, 4), "cell must be one of rnn, gru, lstm, but got 'GRU'"),
        (lambda: parameter_count("gru", 3, 4, biases="two"), "both, one, none, but got 'two'"),
        (lambda: parameter_count("gru", 0, 4), "input_size must be at least 1, but it is 0"),
        (lambda: parameter_count("gru", 3, 4, 0), "num_layers must be at least 1, but it is 0"),
        (lambda: multiply_adds("gru", 3, 4, time_steps=0), "time_steps must be at least 1"),
        (lambda: match_hidden_size(1, "gru", 3), "target must be at least 18, the parameters"),
    ],
)
def test_what_cannot_be_counted_is_refused(call, words):
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)
