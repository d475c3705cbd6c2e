"""Conversions of weights, judged by the frameworks themselves: Keras and ONNX."""

import copy

import numpy as np
import pytest
import torch

import gatedrnn
from gatedrnn import equations
from gatedrnn.cells import weights

from .helpers import B, D, H, T, assert_close, random_params

# Keras on torch multiplies matrices, and ONNX Runtime does everything, in single precision, even
# where the weights are double.  A wrong order, sign or shape differs by tenths.
SINGLE = 2e-6
INTEROP = "needs the extra 'interop': pip install 'gatedrnn[interop]'"
RESET_AFTER = ("pytorch", "keras", "onnx")
RESET_BEFORE = (
    "pytorch_reset_before",
    "keras_reset_before",
    "onnx_reset_before",
    "cho2014",
    "chung2014",
)
UNROLLS = {
    ("rnn", "after"): equations.rnn_unroll,
    ("gru", "after"): equations.gru_unroll,
    ("gru", "before"): equations.gru_unroll_reset_before,
    ("lstm", "after"): equations.lstm_unroll,
}


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, T, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H))


def ours(kind, params, reset="after"):
    """Outputs of the NumPy equations for parameters in the pytorch format."""
    x, h0, c0 = inputs()
    return UNROLLS[kind, reset](x, (h0, c0) if kind == "lstm" else h0, params)[0]


def reset_of(name):
    return "before" if name in RESET_BEFORE else "after"


# ---------------------------------------------------------------------------- authorities

KERAS_CASES = [
    ("rnn", "keras", {}),
    ("gru", "keras", {"reset_after": True}),
    ("gru", "keras_reset_before", {"reset_after": False}),
    ("lstm", "keras", {}),
]


def keras_layer(kind, options, biases):
    keras = pytest.importorskip("keras", reason=INTEROP)
    layer = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[
        kind
    ]
    layer = layer(H, return_sequences=True, use_bias=biases, dtype="float64", **options)
    layer.build((B, T, D))
    return layer


def run_keras(layer, kind):
    x, h0, c0 = (torch.tensor(a) for a in inputs())
    outputs = layer(x, initial_state=[h0, c0] if kind == "lstm" else h0)
    return outputs.detach().cpu().numpy()


@pytest.mark.equation("eq-rnn-step", cases=("rnn",))
@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-h", cases=("gru",))
@pytest.mark.equation("eq-gru-n-before", cases=("keras_reset_before",))
@pytest.mark.equation("eq-lstm-step", cases=("lstm",))
@pytest.mark.parametrize("biases", ["both", "ih", "hh", "none"])
@pytest.mark.parametrize(("kind", "name", "options"), KERAS_CASES)
def test_keras_computes_the_same_with_our_weights(kind, name, options, biases):
    layer = keras_layer(kind, options, biases != "none")
    params = random_params(np.random.default_rng(1), kind, biases=biases)
    source = "pytorch_reset_before" if name == "keras_reset_before" else "pytorch"
    converted = weights.convert(params, source, name)
    layer.set_weights(list(converted.values()))
    expected = ours(kind, params, reset_of(name))
    assert_close({"outputs": run_keras(layer, kind)}, {"outputs": expected}, SINGLE)


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(("kind", "name", "options"), KERAS_CASES)
def test_we_compute_the_same_with_keras_weights(kind, name, options, biases):
    layer = keras_layer(kind, options, biases)
    rng = np.random.default_rng(2)
    values = [rng.normal(size=w.shape) / 2 for w in layer.weights]
    layer.set_weights(values)
    params = dict(zip(("kernel", "recurrent_kernel", "bias"), values, strict=False))
    target = "pytorch_reset_before" if name == "keras_reset_before" else "pytorch"
    converted = weights.convert(params, name, target)
    got = ours(kind, converted, reset_of(name))
    assert_close({"outputs": got}, {"outputs": run_keras(layer, kind)}, SINGLE)


@pytest.mark.parametrize("biases", ["both", "none"])
def test_the_2014_layer_agrees_with_keras_and_differs_from_torch(biases):
    layer = keras_layer("gru", {"reset_after": False}, biases == "both")
    params = random_params(np.random.default_rng(3), "gru", biases=biases)
    layer.set_weights(
        list(weights.convert(params, "pytorch_reset_before", "keras_reset_before").values())
    )
    expected = run_keras(layer, "gru")
    x, h0, _ = inputs()
    results = []
    for module in (
        gatedrnn.GRU(D, H, batch_first=True, bias=biases == "both", reset_after=False),
        torch.nn.GRU(D, H, batch_first=True, bias=biases == "both"),
    ):
        module.double().load_state_dict(weights.to_state_dict(params, layer=0))
        results.append(module(torch.tensor(x), torch.tensor(h0)[None])[0].detach().numpy())
    assert_close({"outputs": results[0]}, {"outputs": expected}, SINGLE)
    assert np.abs(results[1] - expected).max() > 0.01


ONNX_CASES = [
    ("rnn", "onnx", {}),
    ("gru", "onnx", {"linear_before_reset": 1}),
    ("gru", "onnx_reset_before", {"linear_before_reset": 0}),
    ("lstm", "onnx", {}),
]


def run_onnx(kind, params, attributes):
    """ONNX Runtime on one operator."""
    onnx = pytest.importorskip("onnx", reason=INTEROP)
    onnxruntime = pytest.importorskip("onnxruntime", reason=INTEROP)
    x, h0, c0 = inputs()
    arrays = {"X": x.transpose(1, 0, 2), **params, "initial_h": h0[None]}
    if kind == "lstm":
        arrays["initial_c"] = c0[None]
    order = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c")
    names = [name if name in arrays else "" for name in order]
    names = names[: 7 if kind == "lstm" else 6]
    node = onnx.helper.make_node(kind.upper(), names, ["Y"], hidden_size=H, **attributes)
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    graph = onnx.helper.make_graph(
        [node],
        "one_cell",
        [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, value.shape)
            for name, value in arrays.items()
        ],
        [onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, (T, 1, B, H))],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8  # any version that opset 17 and the runtime both know
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(["Y"], arrays)[0][:, 0].transpose(1, 0, 2)


@pytest.mark.equation("eq-rnn-step", cases=("rnn",))
@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-h", cases=("gru",))
@pytest.mark.equation("eq-gru-n-before", cases=("onnx_reset_before",))
@pytest.mark.equation("eq-lstm-step", cases=("lstm",))
@pytest.mark.parametrize("biases", ["both", "ih", "none"])
@pytest.mark.parametrize(("kind", "name", "attributes"), ONNX_CASES)
def test_onnx_runtime_computes_the_same_with_our_weights(kind, name, attributes, biases):
    params = random_params(np.random.default_rng(4), kind, biases=biases)
    source = "pytorch_reset_before" if name == "onnx_reset_before" else "pytorch"
    got = run_onnx(kind, weights.convert(params, source, name), attributes)
    assert_close({"outputs": got}, {"outputs": ours(kind, params, reset_of(name))}, SINGLE)


def test_chung_2014_as_written_in_the_paper():
    """h = (1 - z) h + z tanh(W x + U (r * h)): Chung et al. 2014, equations 5 to 8."""
    params = random_params(np.random.default_rng(5), "gru")
    p = weights.convert(params, "pytorch_reset_before", "chung2014")
    x, h, _ = inputs()
    for t in range(T):
        r = equations.sigmoid(x[:, t] @ p["W_r"].T + h @ p["U_r"].T + p["b_r"])
        z = equations.sigmoid(x[:, t] @ p["W_z"].T + h @ p["U_z"].T + p["b_z"])
        candidate = np.tanh(x[:, t] @ p["W"].T + (r * h) @ p["U"].T + p["b"])
        h = (1 - z) * h + z * candidate
    expected = ours("gru", params, "before")[:, -1]
    assert_close({"h": h}, {"h": expected}, 1e-13)


@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n-before", "eq-gru-h")
def test_cho_2014_as_written_in_the_paper():
    """h = z h + (1 - z) tanh(W x + U (r * h)): Cho et al. 2014, version 3, equations 5 to 8."""
    params = random_params(np.random.default_rng(6), "gru")
    p = weights.convert(params, "pytorch_reset_before", "cho2014")
    x, h, _ = inputs()
    for t in range(T):
        r = equations.sigmoid(x[:, t] @ p["W_r"].T + h @ p["U_r"].T + p["b_r"])
        z = equations.sigmoid(x[:, t] @ p["W_z"].T + h @ p["U_z"].T + p["b_z"])
        candidate = np.tanh(x[:, t] @ p["W"].T + (r * h) @ p["U"].T + p["b"])
        h = z * h + (1 - z) * candidate
    expected = ours("gru", params, "before")[:, -1]
    assert_close({"h": h}, {"h": expected}, 1e-13)


# ---------------------------------------------------------------------------- properties


@pytest.mark.parametrize("biases", ["both", "none"])
@pytest.mark.parametrize(
    ("kind", "source", "target"),
    [("gru", a, b) for family in (RESET_AFTER, RESET_BEFORE) for a in family for b in family]
    + [(kind, a, b) for kind in ("rnn", "lstm") for a in RESET_AFTER for b in RESET_AFTER],
)
def test_there_and_back_computes_the_same(kind, source, target, biases):
    first = "pytorch_reset_before" if source in RESET_BEFORE else "pytorch"
    params = random_params(np.random.default_rng(7), kind, biases=biases)
    p = weights.convert(params, first, source)
    p = weights.convert(p, source, target)
    p = weights.convert(p, target, first)
    reset = reset_of(source)
    assert_close({"o": ours(kind, p, reset)}, {"o": ours(kind, params, reset)}, 1e-12)
    assert set(p) == set(params)


@pytest.mark.parametrize("after", RESET_AFTER)
@pytest.mark.parametrize("before", RESET_BEFORE)
def test_one_form_is_never_passed_off_as_the_other(after, before):
    params = random_params(np.random.default_rng(8), "gru")
    for source, target, first in ((after, before, "pytorch"), (before, after, RESET_BEFORE[0])):
        p = weights.convert(params, first, source)
        with pytest.raises(ValueError) as error:
            weights.convert(p, source, target)
        for words in (f"{source!r} applies the reset gate", "are different functions of h"):
            assert words in str(error.value)


@pytest.mark.parametrize(("kind", "source", "target"), [("lstm", "pytorch", "onnx")])
def test_tensors_stay_tensors(kind, source, target):
    arrays = random_params(np.random.default_rng(9), kind)
    tensors = {name: torch.tensor(value) for name, value in arrays.items()}
    converted = weights.convert(tensors, source, target)
    assert all(isinstance(value, torch.Tensor) for value in converted.values())
    expected = weights.convert(arrays, source, target)
    assert_close({k: v.numpy() for k, v in converted.items()}, expected, 0)


def test_arguments_are_left_as_they_were():
    params = random_params(np.random.default_rng(10), "gru")
    before = copy.deepcopy(params)
    for change in (
        weights.merge_biases,
        weights.negate_update_gate,
        lambda p: weights.convert(p, "pytorch", "keras"),
    ):
        change(params)
        assert_close(params, before, 0)


@pytest.mark.parametrize(("kind", "reset"), UNROLLS)
def test_merged_biases_compute_the_same(kind, reset):
    params = random_params(np.random.default_rng(11), kind)
    merged = weights.merge_biases(params, reset_after=reset == "after")
    assert_close({"o": ours(kind, merged, reset)}, {"o": ours(kind, params, reset)}, 1e-13)
    kept = np.flatnonzero(merged["b_hh"])
    expected = np.arange(2 * H, 3 * H) if (kind, reset) == ("gru", "after") else []
    np.testing.assert_array_equal(kept, expected)


def test_folding_the_candidates_bias_would_change_the_numbers():
    params = random_params(np.random.default_rng(12), "gru")
    wrong = weights.merge_biases(params, reset_after=False)
    assert np.abs(ours("gru", wrong) - ours("gru", params)).max() > 0.05


def test_the_other_convention_of_z_computes_the_same_with_the_other_blend():
    params = random_params(np.random.default_rng(13), "gru")
    negated = weights.negate_update_gate(params)
    x, h, _ = inputs()
    _, z, n = equations.gru_gates(x[:, 0], h, negated)
    expected = equations.gru_step(x[:, 0], h, params)
    assert_close({"h": z * n + (1 - z) * h}, {"h": expected}, 1e-14)
    assert_close(weights.negate_update_gate(negated), params, 0)


def test_a_whole_network_goes_through_numpy_and_back():
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True)
    state = {}
    for layer in (0, 1):
        for reverse in (False, True):
            p = weights.from_state_dict(theirs.state_dict(), layer, reverse)
            arrays = {name: value.numpy() for name, value in p.items()}
            keras = weights.convert(weights.merge_biases(arrays), "pytorch", "keras")
            back = weights.convert(keras, "keras", "pytorch")
            state |= weights.to_state_dict(back, layer, reverse)
    module = gatedrnn.LSTM(D, H, num_layers=2, bidirectional=True)
    module.load_state_dict(state, strict=True)
    x = torch.randn(T, B, D)
    torch.testing.assert_close(module(x)[0], theirs(x)[0])


def test_a_cell_has_no_layer_in_its_names():
    cell = gatedrnn.GRUCell(D, H)
    params = weights.from_state_dict(cell.state_dict())
    assert list(weights.to_state_dict(params)) == list(cell.state_dict())


def test_gates_by_name():
    W = np.arange(6.0)[:, None] * np.ones((6, 2))
    blocks = weights.split_gates(W, "gru")
    assert {name: block[:, 0].tolist() for name, block in blocks.items()} == {
        "r": [0, 1],
        "z": [2, 3],
        "n": [4, 5],
    }
    packed = weights.pack_gates(blocks, "gru", order="zrn")
    assert packed[:, 0].tolist() == [2, 3, 0, 1, 4, 5]
    assert_close(weights.split_gates(packed, "gru", order="zrn"), blocks, 0)


# ---------------------------------------------------------------------------- errors

GRU = random_params(np.random.default_rng(14), "gru")
LSTM = random_params(np.random.default_rng(14), "lstm")
KERAS = weights.convert(GRU, "pytorch", "keras")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: weights.convert(GRU, "pytorch", "jax"), "must be one of pytorch, "),
        (lambda: weights.convert(LSTM, "pytorch", "cho2014"), "weights of an LSTM"),
        (lambda: weights.convert(LSTM, "pytorch_reset_before", "keras"), "a format for the GRU"),
        (lambda: weights.convert(GRU, "keras", "pytorch"), "expected the keys ['kernel', 're"),
        (lambda: weights.convert(KERAS, "keras_reset_before", "cho2014"), "must have shape (18,)"),
        (
            lambda: weights.convert(KERAS | {"bias": np.zeros(18)}, "keras", "pytorch"),
            "reset after the product, must have shape (2, 18), but it has (18,)",
        ),
        (
            lambda: weights.convert(GRU | {"W_ih": GRU["W_ih"].T}, "pytorch", "keras"),
            "the GRU has 18 = 3*H rows in every parameter, but in PyTorch's order of axes W_ih",
        ),
        (
            lambda: weights.convert(GRU | {"W_hh": np.zeros((6, 18))}, "pytorch", "keras"),
            "(3*H, H) for a GRU or (4*H, H) for an LSTM, but it has (6, 18)",
        ),
        (lambda: weights.split_gates(np.zeros((7, 2)), "gru"), "which 3 does not divide"),
        (lambda: weights.split_gates(np.zeros((6, 2)), "mlp"), "must be one of rnn, gru, lstm"),
        (lambda: weights.pack_gates({"r": 0, "z": 0}, "gru"), "but got ['r', 'z']"),
        (lambda: weights.negate_update_gate(LSTM), "only a GRU has an update gate"),
        (lambda: weights.from_state_dict({"W": 0}, 0), "expected 'weight_ih_l0' and"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(call, words):
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value)
