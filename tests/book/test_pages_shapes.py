"""The shape cheat sheet: a wrong row stops the build, and Keras and ONNX agree with it."""

import numpy as np
import pytest

from .page_cells import cells_of, run_cell

CELLS = ("RNN", "GRU", "LSTM")
TABLES = {  # the name of the rows on the page: what measures them, and for which cells
    "LAYERS": ("run_layers", CELLS),
    "KEYS": ("run_keys", CELLS),
    "PROJECTED": ("run_projected", ("",)),
    "CELLS": ("run_cells", CELLS),
    "STEP": ("run_step", CELLS),
    "PACKED": ("run_packed", CELLS),
    "EQUATIONS": ("run_equations", CELLS),
    "KERAS": ("run_keras", CELLS),
    "ONNX": ("run_onnx", CELLS),
}
INTEROP = "needs the extra 'interop': pip install 'gatedrnn[interop]'"
SIZES = {"B": 3, "T": 4, "D": 2, "H": 5}


@pytest.fixture(scope="module")
def page() -> dict:
    names: dict = {}
    for cell in cells_of("shapes"):
        if cell.cell_type == "code":
            value, printed = run_cell(cell.source, names)
            names.setdefault("SHOWN", []).append(getattr(value, "data", printed))
    return names


def shape(page, rows, name, **letters):
    (formula,) = [row[1] for row in page[rows] if row[0] == name]
    return tuple(eval(formula, SIZES | letters))


def test_every_table_is_tested(page):
    shown = [text for text in page["SHOWN"] if text and text.count("|---")]
    assert len(shown) == len(TABLES) + 1  # and the table of counts


@pytest.mark.parametrize("rows", TABLES)
def test_a_wrong_row_stops_the_build(page, rows):
    measure, cells = TABLES[rows]
    heads = [""] * len(page[rows][0])
    assert page["table"](heads, page[rows], page[measure], cells)
    for number, row in enumerate(page[rows]):
        for column in range(1, len(row) - 1):
            for wrong in ("(B, T, D, H)", row[column].replace("H", "(H+1)"), "(D, H)"):
                if wrong == row[column]:
                    continue
                changed = [*row[:column], wrong, *row[column + 1 :]]
                table = [*page[rows][:number], changed, *page[rows][number + 1 :]]
                with pytest.raises(AssertionError, match="is not"):
                    page["table"](heads, table, page[measure], cells)
        with pytest.raises(AssertionError, match="other rows"):
            left = [other for other in page[rows] if other is not row]
            page["table"](heads, left, page[measure], cells)


# ------------------------------------------------------------------------------ the libraries


@pytest.mark.parametrize(
    ("layer", "blocks", "bias", "options"),
    [
        ("SimpleRNN", 1, "`bias`", {}),
        ("GRU", 3, "`bias`, GRU", {}),
        ("GRU", 3, "`bias`, GRU with `reset_after=False`", {"reset_after": False}),
        ("LSTM", 4, "`bias`", {}),
    ],
)
def test_the_weights_of_keras(page, layer, blocks, bias, options):
    keras = pytest.importorskip("keras", reason=INTEROP)
    built = getattr(keras.layers, layer)(SIZES["H"], **options)
    built.build((SIZES["B"], SIZES["T"], SIZES["D"]))
    found = [tuple(weight.shape) for weight in built.weights]
    names = ("`kernel`", "`recurrent_kernel`", bias)
    assert found == [shape(page, "KERAS", name, G=blocks) for name in names]


def test_what_keras_returns():
    keras = pytest.importorskip("keras", reason=INTEROP)
    B, T, D, H = SIZES.values()
    x = np.zeros((B, T, D), dtype="float32")
    layers = keras.layers
    assert tuple(layers.GRU(H)(x).shape) == (B, H)
    assert tuple(layers.GRU(H, return_sequences=True)(x).shape) == (B, T, H)
    assert [tuple(a.shape) for a in layers.GRU(H, return_state=True)(x)] == [(B, H)] * 2
    assert [tuple(a.shape) for a in layers.LSTM(H, return_state=True)(x)] == [(B, H)] * 3
    assert tuple(layers.Bidirectional(layers.GRU(H))(x).shape) == (B, 2 * H)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("kind", "blocks"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_what_onnx_takes_and_returns(page, kind, blocks, directions):
    onnx = pytest.importorskip("onnx", reason=INTEROP)
    ort = pytest.importorskip("onnxruntime", reason=INTEROP)
    B, T, D, H = SIZES.values()
    S = directions
    weights = {
        name: np.zeros(shape(page, "ONNX", f"`{name}`", G=blocks, S=S), "float32") for name in "WRB"
    }
    feeds = {"X": np.zeros((T, B, D), "float32"), "initial_h": np.zeros((S, B, H), "float32")}
    order = ["X", "W", "R", "B", "", "initial_h"]
    outputs = {"Y": (T, S, B, H), "Y_h": (S, B, H)}
    if kind == "LSTM":
        feeds["initial_c"] = feeds["initial_h"]
        order.append("initial_c")
        outputs["Y_c"] = (S, B, H)
    node = onnx.helper.make_node(
        kind,
        order,
        list(outputs),
        hidden_size=H,
        direction="forward" if S == 1 else "bidirectional",
        **({"linear_before_reset": 1} if kind == "GRU" else {}),
    )
    real = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "shapes",
        [onnx.helper.make_tensor_value_info(n, real, a.shape) for n, a in feeds.items()],
        [onnx.helper.make_tensor_value_info(n, real, None) for n in outputs],
        [onnx.numpy_helper.from_array(a, n) for n, a in weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    model.ir_version = 8
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), feeds)
    assert [a.shape for a in found] == list(outputs.values())
