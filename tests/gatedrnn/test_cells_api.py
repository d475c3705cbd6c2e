"""What surrounds the numbers: constructors, state dictionaries, copies, dropout, errors."""

import copy
import io
import pickle
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import gatedrnn

LAYERS = ("RNN", "GRU", "LSTM")
CELLS = ("RNNCell", "GRUCell", "LSTMCell")
B, T, D, H = 3, 5, 4, 6


def both(name):
    return getattr(torch.nn, name), getattr(gatedrnn, name)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"num_layers": 3, "bidirectional": True, "batch_first": True},
        {"num_layers": 2, "dropout": 0.25, "bias": False, "bidirectional": True},
        {"dtype": torch.float64},
    ],
)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_have_torchs_parameters_and_first_values(name, options):
    modules = []
    for factory in both(name):
        torch.manual_seed(0)
        modules.append(factory(D, H, **options))
    theirs, ours = modules
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    assert repr(ours) == repr(theirs)
    for attribute in ("mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert (ours.dropout, ours.proj_size) == (theirs.dropout, theirs.proj_size)
    shapes = [[w.shape for w in weights] for weights in ours.all_weights]
    assert shapes == [[w.shape for w in weights] for weights in theirs.all_weights]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_cells_have_torchs_parameters_and_first_values(name, bias):
    modules = []
    for factory in both(name):
        torch.manual_seed(0)
        modules.append(factory(D, H, bias=bias))
    theirs, ours = modules
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    assert repr(ours) == repr(theirs)
    assert (ours.bias_ih is None) == (theirs.bias_ih is None)


def test_positional_arguments_are_torchs():
    for name, arguments in {
        "RNN": (D, H, 2, "relu", False, True, 0.5, True),
        "GRU": (D, H, 2, False, True, 0.5, True),
        "LSTM": (D, H, 2, False, True, 0.5, True),
        "RNNCell": (D, H, False, "relu"),
        "GRUCell": (D, H, False),
        "LSTMCell": (D, H, False),
    }.items():
        theirs, ours = (factory(*arguments) for factory in both(name))
        assert repr(ours) == repr(theirs)
        assert getattr(ours, "nonlinearity", None) == getattr(theirs, "nonlinearity", None)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "bias": False}])
@pytest.mark.parametrize("name", LAYERS)
def test_state_dictionaries_go_either_way(name, options):
    theirs, ours = (factory(D, H, **options) for factory in both(name))
    x = torch.randn(T, B, D)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])
    torch.nn.init.normal_(ours.weight_hh_l0)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def test_a_state_dictionary_that_does_not_fit_is_refused():
    with pytest.raises(RuntimeError, match="Missing key.*bias_ih_l0"):
        gatedrnn.GRU(D, H).load_state_dict(torch.nn.GRU(D, H, bias=False).state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        gatedrnn.GRU(D, H).load_state_dict(torch.nn.GRU(D, H + 1).state_dict())


def test_the_2014_form_says_so():
    assert repr(gatedrnn.GRU(D, H, reset_after=False)) == "GRU(4, 6, reset_after=False)"
    assert repr(gatedrnn.GRUCell(D, H, reset_after=False)) == "GRUCell(4, 6, reset_after=False)"


@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_modules_survive_copying_and_pickling(name):
    module = getattr(gatedrnn, name)(D, H)
    x = torch.randn(B, D) if name in CELLS else torch.randn(T, B, D)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    copies = [
        copy.deepcopy(module),
        pickle.loads(pickle.dumps(module)),
        torch.load(file, weights_only=False),
    ]
    expected = module(x)[0]
    for other in copies:
        assert torch.equal(other(x)[0], expected)
        assert not any(p is q for p, q in zip(other.parameters(), module.parameters(), strict=True))
    # A changed copy uses its changed weights, and leaves the original as it was.
    with torch.no_grad():
        for parameter in copies[0].parameters():
            parameter.add_(1)
    assert not torch.equal(copies[0](x)[0], expected)
    assert torch.equal(module(x)[0], expected)


@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_dtype_device_and_functional_call(name):
    module = getattr(gatedrnn, name)(D, H, device="cpu", dtype=torch.float64)
    shape = (B, D) if name in CELLS else (T, B, D)
    assert module(torch.randn(shape, dtype=torch.float64))[0].dtype == torch.float64
    module.to(torch.float32)
    assert module(torch.randn(shape))[0].dtype == torch.float32
    zeros = {key: torch.zeros_like(value) for key, value in module.state_dict().items()}
    out = torch.func.functional_call(module, zeros, torch.randn(shape))
    first = out[0] if isinstance(out, tuple) else out
    assert (first == 0).all()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    result = module(torch.randn(shape))
    assert not (result[0] if isinstance(result, tuple) else result).requires_grad


@pytest.mark.parametrize("name", LAYERS)
def test_meta_device_and_flatten_parameters(name):
    module = getattr(gatedrnn, name)(D, H, device="meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    assert module.flatten_parameters() is None


@pytest.mark.parametrize("name", LAYERS)
def test_autocast_is_accepted_as_by_torch(name):
    theirs, ours = (factory(D, H) for factory in both(name))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(T, B, D)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = ours(x)[0]
    assert torch.isfinite(got).all()
    torch.testing.assert_close(got.float(), theirs(x)[0], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", LAYERS)
def test_an_empty_batch_gives_an_empty_result(name):
    theirs, ours = (factory(D, H) for factory in both(name))
    x = torch.zeros(T, 0, D)
    assert ours(x)[0].shape == theirs(x)[0].shape == (T, 0, H)


# ---------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_dropout_draws_torchs_masks_between_layers(name, bidirectional):
    options = {"num_layers": 3, "dropout": 0.5, "bidirectional": bidirectional}
    theirs, ours = (factory(D, H, dtype=torch.float64, **options) for factory in both(name))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(T, B, D, dtype=torch.float64)
    results = []
    for module in (theirs, ours):
        torch.manual_seed(7)
        results.append(module(x)[0])
    torch.testing.assert_close(results[1], results[0], rtol=0, atol=1e-12)
    assert not torch.allclose(ours(x)[0], ours(x)[0])  # a fresh mask at each call
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=0, atol=1e-12)


def test_dropout_of_one_hides_the_first_layer():
    gru = gatedrnn.GRU(D, H, num_layers=2, dropout=1.0)
    x = torch.randn(T, B, D)
    assert torch.equal(gru(x)[0], gru(2 * x)[0])


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_with_one_layer_warns_where_it_was_asked_for(name):
    for factory in both(name):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            factory(D, H, dropout=0.5)
        assert [w.category for w in caught] == [UserWarning]
        assert "num_layers greater than 1, but got dropout=0.5 and num_layers=1" in str(
            caught[0].message
        )
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------- errors


def packed(features=D, lengths=(2, 5, 3)):
    in_order = list(lengths) == sorted(lengths, reverse=True)
    x = torch.zeros(T, B, features)
    return pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=in_order)


def zeros(*shape, dtype=torch.float32):
    return torch.zeros(*shape, dtype=dtype)


BAD_CONSTRUCTIONS = [
    # arguments by name, words of our message
    ({"input_size": 0}, "input_size must be greater than zero, got 0"),
    ({"input_size": 2.5}, "input_size must be an int, got float: 2.5"),
    ({"hidden_size": -1}, "hidden_size must be greater than zero, got -1"),
    ({"hidden_size": "6"}, "must be an int, got str"),
    ({"num_layers": 0}, "num_layers must be greater than zero, got 0"),
    ({"num_layers": 1.5}, "num_layers must be an int, got float: 1.5"),
    ({"bias": 1}, "bias must be a bool, got int: 1"),
    ({"batch_first": "yes"}, "batch_first must be a bool, got str: 'yes'"),
    ({"dropout": 1.5}, "dropout must be a probability from 0 to 1, got 1.5"),
    ({"dropout": -0.1}, "dropout must be a probability from 0 to 1, got -0.1"),
    ({"dropout": True}, "dropout must be a probability from 0 to 1, got True"),
    ({"dropout": None}, "dropout must be a number from 0 to 1, got NoneType"),
    ({"dropout": "half"}, "dropout must be a probability from 0 to 1, got 'half'"),
    ({"sizes": 3}, "unexpected keyword argument 'sizes'"),
]


def raised_by(call):
    """The type of what a call raises; the call must raise something."""
    with pytest.raises(Exception) as caught:  # noqa: B017 - the type is what is compared
        call()
    return caught.value


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("changes", "words"), BAD_CONSTRUCTIONS)
def test_bad_constructions_raise_torchs_types(name, changes, words):
    arguments = {"input_size": D, "hidden_size": H} | changes
    theirs, ours = (raised_by(partial(factory, **arguments)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert words in str(ours)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("RNN", {"nonlinearity": "sigmoid"}, "expected nonlinearity 'tanh' or 'relu', got 'sig"),
        ("RNN", {"proj_size": 3}, "proj_size is for LSTM only, got RNN(..., proj_size=3)"),
        ("GRU", {"proj_size": 3}, "proj_size is for LSTM only, got GRU(..., proj_size=3)"),
        ("LSTM", {"proj_size": -1}, "got proj_size=-1 and hidden_size=6"),
        ("LSTM", {"proj_size": 6}, "smaller than hidden_size, got proj_size=6"),
    ],
)
def test_bad_options_of_one_layer_raise_torchs_types(name, arguments, words):
    theirs, ours = (raised_by(partial(factory, D, H, **arguments)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert words in str(ours)


def test_a_projection_is_refused_with_the_way_out():
    with pytest.raises(NotImplementedError, match=r"got proj_size=3; use torch.nn.LSTM for one"):
        gatedrnn.LSTM(D, H, proj_size=3)


BAD_CALLS = [
    # input, state (for the LSTM a pair of it), words of our message
    (zeros(D), None, "expected input to be 2D or 3D, got 1D of shape (4,)"),
    (zeros(1, T, B, D), None, "expected input to be 2D or 3D, got 4D"),
    (zeros(T, B, 7), None, "input_size: expected 4, got 7 (input has shape (5, 3, 7))"),
    (zeros(T, 7), None, "input_size: expected 4, got 7"),
    (zeros(0, B, D), None, "expected a sequence length larger than 0, got input of shape (0, 3"),
    (zeros(T, B, D, dtype=torch.float64), None, "input.to(torch.float32), or the model with"),
    (zeros(T, B, D, dtype=torch.int64), None, "input has dtype torch.int64 but the weights"),
    (zeros(T, B, D), zeros(1, 2, H), "of shape (1, 3, 6), got (1, 2, 6)"),
    (zeros(T, B, D), zeros(2, B, H), "of shape (1, 3, 6), got (2, 3, 6)"),
    (zeros(T, B, D), zeros(1, B, 7), "of shape (1, 3, 6), got (1, 3, 7)"),
    (zeros(T, B, D), zeros(B, H), "for batched 3-D input"),
    (zeros(T, D), zeros(1, 1, H), "for unbatched 2-D input"),
    (zeros(T, D), zeros(2, H), "of shape (1, 1, 6), got (2, 1, 6)"),
    (zeros(T, B, D), zeros(1, B, H, dtype=torch.float64), "has dtype torch.float64 but the"),
    (np.zeros((T, B, D)), None, "expected input to be a tensor, got ndarray"),
    ([1.0], None, "expected input to be a tensor, got list"),
    (zeros(T, B, D), [[0.0]], "to be a tensor, got list"),
    (packed(features=7), None, "input_size: expected 4, got 7"),
    (packed(), zeros(1, 2, H), "of shape (1, 3, 6), got (1, 2, 6)"),
    (packed(), zeros(1, B, 7), "of shape (1, 3, 6), got (1, 3, 7)"),
]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("input", "state", "words"), BAD_CALLS)
def test_bad_calls_of_layers_raise_torchs_types(name, input, state, words):
    hx = (state, state) if name == "LSTM" and state is not None else state
    theirs, ours = (raised_by(partial(factory(D, H), input, hx)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert words in str(ours)


BAD_CELL_CALLS = [
    (zeros(1, B, D), None, "expected input to be 1D or 2D, got 3D"),
    (zeros(B, D), zeros(1, B, H), "to be 1D or 2D, got 3D"),
    (zeros(B, 7), None, "input_size: expected 4, got 7"),
    (zeros(7), None, "input_size: expected 4, got 7"),
    (zeros(B, D), zeros(2, H), "of shape (3, 6), got (2, 6)"),
    (zeros(B, D), zeros(B, 7), "of shape (3, 6), got (3, 7)"),
    (zeros(B, D), zeros(H), "of shape (3, 6), got (6,)"),
    (zeros(D), zeros(1, H), "of shape (6,), got (1, 6)"),
    (zeros(B, D, dtype=torch.float64), None, "input has dtype torch.float64 but the weights"),
    (zeros(B, D), zeros(B, H, dtype=torch.float64), "has dtype torch.float64 but the weights"),
    (np.zeros((B, D)), None, "expected input to be a tensor, got ndarray"),
]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("input", "state", "words"), BAD_CELL_CALLS)
def test_bad_calls_of_cells_raise_torchs_types(name, input, state, words):
    hx = (state, state) if name == "LSTMCell" and state is not None else state
    theirs, ours = (raised_by(partial(factory(D, H), input, hx)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert words in str(ours)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sizes", [(-1, H), (D, -1), (2.5, H), (D, "6")])
def test_bad_sizes_of_cells_raise_torchs_types(name, sizes):
    theirs, ours = (raised_by(partial(factory, *sizes)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert str(next(s for s in sizes if s not in (D, H))) in str(ours)


def test_an_unknown_nonlinearity_of_a_cell_raises_torchs_type():
    # torch.nn.RNNCell raises at the first call, ours already when it is made.
    theirs, ours = (
        raised_by(lambda f=factory: f(D, H, nonlinearity="sigmoid")(zeros(B, D)))
        for factory in both("RNNCell")
    )
    assert type(ours) is type(theirs)
    assert "expected nonlinearity 'tanh' or 'relu', got 'sigmoid'" in str(ours)


ONE = zeros(1, B, H)


@pytest.mark.parametrize(
    ("name", "input", "state", "words"),
    [
        ("LSTM", zeros(T, B, D), (ONE, ONE, ONE), "expected hx to hold two states (h, c), got 3"),
        ("LSTM", zeros(T, B, D), 3, "expected hx to be a tuple (h, c), got int"),
        ("LSTM", packed(lengths=(5, 3, 2)), ONE, "expected hx to be a tuple (h, c), got Tensor"),
        ("LSTM", packed(lengths=(5, 3, 2)), (ONE,), "expected hx to hold two states (h, c), got 1"),
        ("LSTMCell", zeros(B, D), ONE[0], "expected hx to be a tuple (h, c), got Tensor"),
        ("LSTMCell", zeros(B, D), (ONE[0],), "expected hx to hold two states (h, c), got 1"),
        ("GRU", zeros(T, B, D), (ONE, ONE), "expected hx to be a tensor, got tuple"),
        ("GRU", packed(), (ONE,), "expected hx to be a tensor, got tuple"),
    ],
)
def test_states_of_the_wrong_kind_raise_torchs_types(name, input, state, words):
    theirs, ours = (raised_by(partial(factory(D, H), input, state)) for factory in both(name))
    assert type(ours) is type(theirs)
    assert words in str(ours)


def test_a_list_of_two_states_is_taken_as_by_torch():
    for name, shape in (("LSTM", (T, B, D)), ("LSTMCell", (B, D))):
        state = [ONE, ONE] if name == "LSTM" else [ONE[0], ONE[0]]
        theirs, ours = (factory(D, H) for factory in both(name))
        ours.load_state_dict(theirs.state_dict())
        torch.testing.assert_close(ours(zeros(*shape), state)[0], theirs(zeros(*shape), state)[0])


def test_a_state_for_more_sequences_than_were_packed_is_refused():
    # torch.nn drops the rows that are too many, without a word.
    with pytest.raises(RuntimeError, match=r"expected hx of shape \(1, 3, 6\), got \(1, 4, 6\)"):
        gatedrnn.GRU(D, H)(packed(), zeros(1, 4, H))
