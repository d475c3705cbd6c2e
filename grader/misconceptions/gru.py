"""Wrong answers to the exercises on the gated recurrent unit, with words for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatedrnn.equations.activations import sigmoid
from grader.exercise import Misconception, misconception

Array = np.ndarray
Params = dict[str, Array]

# ---------------------------------------------------------------- gru_cell: the nine wrong cells


def _blocks(x: Array, h: Array, params: Params) -> tuple[list[Array], list[Array]]:
    """The three blocks of both affine maps, in the order r, z, n."""
    from_input = x @ params["W_ih"].T + params["b_ih"]
    from_state = h @ params["W_hh"].T + params["b_hh"]
    return np.split(from_input, 3, axis=1), np.split(from_state, 3, axis=1)


def _candidate_block(params: Params) -> tuple[Array, Array]:
    """W_hn and b_hn."""
    H = params["W_hh"].shape[1]
    return params["W_hh"][2 * H :], params["b_hh"][2 * H :]


@misconception(
    "gru_cell",
    "reset before the product",
    says="Your cell multiplies the state by r first and takes the recurrent product afterwards. "
    "That is a real GRU, the one printed in the 2014 paper, but it is another function than "
    "PyTorch's, and no change of weights turns one into the other. Here the product comes first: "
    "`r * (W_hn h + b_hn)`.",
    see="gru.html#two-places-for-the-reset",
)
def reset_before(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, _) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    W_hn, b_hn = _candidate_block(params)
    n = np.tanh(x_n + (r * h) @ W_hn.T + b_hn)
    return (1 - z) * n + z * h


@misconception(
    "gru_cell",
    "b_hn outside the reset",
    says="Your cell adds `b_hn` after the product with r. It stands beside `W_hn h`, inside the "
    "bracket that r multiplies: `r * (W_hn h + b_hn)`. With zero biases nobody would notice, and "
    "that is why the check draws them at random.",
    see="gru.html#two-biases-and-one-that-matters",
)
def bias_outside_reset(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, _) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    W_hn, b_hn = _candidate_block(params)
    n = np.tanh(x_n + r * (h @ W_hn.T) + b_hn)
    return (1 - z) * n + z * h


@misconception(
    "gru_cell",
    "no reset gate",
    says="Your candidate reads the state at full strength: r is missing from it, or is always 1. "
    "The unit still runs and still learns, but it cannot propose a state that ignores the past. "
    "Multiply `W_hn h + b_hn` by r.",
    see="gru.html#a-second-gate-what-the-candidate-may-see",
)
def no_reset(x: Array, h: Array, params: Params) -> Array:
    (_, x_z, x_n), (_, h_z, h_n) = _blocks(x, h, params)
    z = sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + h_n) + z * h


@misconception(
    "gru_cell",
    "W_hn transposed",
    says="In your candidate the recurrent weights are transposed: `h @ W_hn` where "
    "`h @ W_hn.T` is meant. The block is square, so no error is raised, and from a zero state "
    "the first step is even right. Rows of a weight matrix belong to the units that it feeds.",
    see="gru.html#the-unit-in-code",
)
def transposed_candidate_weights(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, _) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    W_hn, b_hn = _candidate_block(params)
    n = np.tanh(x_n + r * (h @ W_hn + b_hn))
    return (1 - z) * n + z * h


@misconception(
    "gru_cell",
    "one gate value for all units",
    says="Your gates are averaged over the units, so that the whole state is kept or rewritten "
    "together. A gate is a vector: each unit has its own value, and can hold something while its "
    "neighbour is rewritten. Leave `sigmoid(...)` as the array of shape (B, H) that it is.",
    see="gru.html#a-leak-that-the-input-decides",
)
def averaged_gates(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _blocks(x, h, params)
    r = sigmoid(x_r + h_r).mean(axis=1, keepdims=True)
    z = sigmoid(x_z + h_z).mean(axis=1, keepdims=True)
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h


@misconception(
    "gru_cell",
    "update gate the other way round",
    says="Your cell writes the candidate where z is near 1. That is the sense of some papers; "
    "in this course, as in PyTorch, z near 1 keeps the old state: `(1 - z) * n + z * h`. "
    "The two are one model with the signs of the z block turned, so only the convention is amiss.",
    see="gru.html#two-senses-of-the-update-gate",
)
def update_swapped(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return z * np.tanh(x_n + r * h_n) + (1 - z) * h


@misconception(
    "gru_cell",
    "r and z swapped",
    says="Your cell takes the first block for z and the second for r. That is the order in which "
    "Keras and ONNX pack their blocks. PyTorch's order, and ours, is r, z, n.",
    see="gru.html#the-unit-in-code",
)
def gates_swapped(x: Array, h: Array, params: Params) -> Array:
    (x_z, x_r, x_n), (h_z, h_r, h_n) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h


@misconception(
    "gru_cell",
    "sigmoid for the candidate",
    says="Your candidate goes through a sigmoid. It is not a gate: it is what may be written "
    "into the state, and it must be able to be negative. Use `np.tanh` for n, and the sigmoid for "
    "r and z alone.",
    see="gru.html#a-leak-that-the-input-decides",
)
def sigmoid_candidate(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * sigmoid(x_n + r * h_n) + z * h


@misconception(
    "gru_cell",
    "reset on the input as well",
    says="In your candidate r multiplies the whole sum, the input's part included. With r near 0 "
    "such a unit would be deaf to the input as well as to its past. r belongs to the state's part: "
    "`W_in x + b_in + r * (W_hn h + b_hn)`.",
    see="gru.html#a-second-gate-what-the-candidate-may-see",
)
def reset_on_everything(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(r * (x_n + h_n)) + z * h


#: The nine wrong cells of the table of test designs, in the chapter and in `grader.designs`.
NINE_WRONG_CELLS: tuple[Misconception, ...] = (
    reset_before,
    bias_outside_reset,
    no_reset,
    transposed_candidate_weights,
    averaged_gates,
    update_swapped,
    gates_swapped,
    sigmoid_candidate,
    reset_on_everything,
)


@misconception(
    "gru_cell",
    "the second bias forgotten",
    says="Your cell adds `b_ih` and never `b_hh`. PyTorch has a bias beside each of the two "
    "matrix products; both count, and the last third of `b_hh` even sits inside the reset.",
    see="gru.html#two-biases-and-one-that-matters",
)
def one_bias(x: Array, h: Array, params: Params) -> Array:
    zero = params | {"b_hh": np.zeros_like(params["b_hh"])}
    return _cell(x, h, zero)


@misconception(
    "gru_cell",
    "writes into h",
    says="Your numbers are right, but the call changes the array `h` that it was given. Whoever "
    "kept the old state, for a gradient say, has lost it. Build a new array: "
    "`(1 - z) * n + z * h` does.",
    see="gru.html#the-unit-in-code",
)
def writes_into_state(x: Array, h: Array, params: Params) -> Array:
    h[...] = _cell(x, h, params)
    return h


# ---------------------------------------------------------------- gru_forward


def _cell(x: Array, h: Array, params: Params) -> Array:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _blocks(x, h, params)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * np.tanh(x_n + r * h_n) + z * h


def _forward(
    x: Array, h0: Array, params: Params, live: Array, keep: bool = True
) -> tuple[Array, Array]:
    """Steps where `live` (B, T) says so; elsewhere the output is zero and the state is kept."""
    h, outputs = h0, []
    for t in range(x.shape[1]):
        on = live[:, t, None]
        new = _cell(x[:, t], h, params)
        outputs.append(np.where(on, new, 0.0))
        h = np.where(on, new, h if keep else 0.0)
    return np.stack(outputs, axis=1), h


def _steps(x: Array) -> Array:
    return np.arange(x.shape[1])[None, :]


@misconception(
    "gru_forward",
    "lengths ignored",
    says="Your loop runs on to the end of the padding. Padding is not neutral: the biases and the "
    "pads themselves keep driving the state, so a sequence in a batch ends elsewhere than it does "
    "alone. Keep the old state wherever `t >= lengths`.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def lengths_ignored(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    return _forward(x, h0, params, np.ones(x.shape[:2], dtype=bool))


@misconception(
    "gru_forward",
    "one step too many",
    says="Your loop takes one step of padding for each sequence. Steps are counted from 0, so a "
    "sequence of length 3 has the steps 0, 1 and 2: the test is `t < length`, not `t <= length`.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def one_step_late(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    return _forward(x, h0, params, _steps(x) <= lengths[:, None])


@misconception(
    "gru_forward",
    "one step too few",
    says="Your loop stops one step early: the last real step of each sequence is missing, and "
    "often it is the one that matters most. The step with index `length - 1` still belongs to it.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def one_step_early(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    return _forward(x, h0, params, _steps(x) < lengths[:, None] - 1)


@misconception(
    "gru_forward",
    "state not carried",
    says="Each of your steps starts from `h0` again, so no step knows of the one before. Every "
    "shape is right, and the network has no memory. Assign the new state back to the variable "
    "that the next step reads.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def state_not_carried(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    outputs = [_cell(x[:, t], h0, params) for t in range(x.shape[1])]
    stacked = np.where((_steps(x) < lengths[:, None])[..., None], np.stack(outputs, axis=1), 0.0)
    return stacked, stacked[np.arange(len(x)), lengths - 1]


@misconception(
    "gru_forward",
    "h0 ignored",
    says="Your loop starts from zeros, whatever `h0` is. With the usual `h0 = 0` nobody would see "
    "it; a decoder that is handed an encoder's state would lose the whole message.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def initial_state_ignored(
    x: Array, h0: Array, params: Params, lengths: Array
) -> tuple[Array, Array]:
    return _forward(x, np.zeros_like(h0), params, _steps(x) < lengths[:, None])


@misconception(
    "gru_forward",
    "state wiped by padding",
    says="Your mask multiplies the state by zero in the padding, or you read the last state off "
    "the last time step of the outputs. Either way a short sequence ends with a state of zeros. "
    "In the padding the output is zero, but the state is kept.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def state_wiped(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    return _forward(x, h0, params, _steps(x) < lengths[:, None], keep=False)


@misconception(
    "gru_forward",
    "outputs not zeroed",
    says="Your last state is right, but your outputs repeat it through the padding. The rule here, "
    "as for a packed `nn.GRU`, is that an output after a sequence's end is zero. A sum or "
    "a mean over time would otherwise count the last state again and again.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def outputs_not_zeroed(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    outputs, h = _forward(x, h0, params, _steps(x) < lengths[:, None])
    return np.where((_steps(x) < lengths[:, None])[..., None], outputs, h[:, None]), h


@misconception(
    "gru_forward",
    "padding expected in front",
    says="Your mask takes the last steps of each row for the real ones. Here a sequence begins "
    "at step 0, and the padding follows it.",
    see="gru.html#a-batch-of-unequal-lengths",
)
def padding_in_front(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    return _forward(x, h0, params, _steps(x) >= x.shape[1] - lengths[:, None])


# ---------------------------------------------------------------- convert

Convention = dict[str, object]


def _same_reset(source: Convention, target: Convention) -> None:
    if source["reset"] != target["reset"]:
        raise ValueError(f"no weights turn reset {source['reset']} into reset {target['reset']}")


def _order(convention: Convention) -> str:
    return str(convention["order"])


def _named(array: Array, order: str) -> dict[str, Array]:
    return dict(zip(order, np.split(array, 3), strict=True))


def _packed(blocks: dict[str, Array], order: str) -> Array:
    return np.concatenate([blocks[name] for name in order])


def _convert(
    params: Params,
    source: Convention,
    target: Convention,
    *,
    turned: str = "z",
    turn_biases: bool = True,
    reorder: tuple[str, ...] = ("W_ih", "W_hh", "b_ih", "b_hh"),
    always: bool = False,
    turn: Callable[[Array], Array] = np.negative,
) -> Params:
    """The right conversion, with one thing made wrong by a keyword."""
    result = {}
    for name, array in params.items():
        blocks = _named(array, _order(source))
        flip = always or source["keeps"] != target["keeps"]
        if flip and (turn_biases or name.startswith("W")):
            blocks[turned] = turn(blocks[turned])
        result[name] = _packed(blocks, _order(target if name in reorder else source))
    return result


@misconception(
    "convert",
    "biases not negated",
    says="You turned the signs of z's weights and left its biases. 1 - sigmoid(a) is sigmoid(-a) "
    "for the whole sum a, and the biases are part of it.",
    see="gru.html#two-senses-of-the-update-gate",
)
def biases_not_negated(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, turn_biases=False)


@misconception(
    "convert",
    "only W_ih reordered",
    says="You moved the blocks of `W_ih` and left the other three arrays in the old order. "
    "All four are packed the same way, so all four must be unpacked and packed again.",
    see="gru.html#one-unit-three-spellings",
)
def only_input_weights_reordered(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, reorder=("W_ih",))


@misconception(
    "convert",
    "reset gate negated",
    says="You turned the signs of the reset gate. The two conventions differ in what z means; "
    "r means the same in both. Turn the block called z.",
    see="gru.html#two-senses-of-the-update-gate",
)
def reset_negated(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, turned="r")


@misconception(
    "convert",
    "z taken for the second block",
    says="You turned the signs of the second block, which is z only in PyTorch's order. Find z "
    "by its name in the source's order, for instance with `source['order'].index('z')`.",
    see="gru.html#one-unit-three-spellings",
)
def second_block_negated(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, turned=_order(source)[1])


@misconception(
    "convert",
    "reordered the wrong way",
    says="Your reordering is the inverse of the one that was asked. Swapping two blocks is its own "
    "inverse, so r, z, n to z, r, n comes out right by luck; a rotation such as n, r, z does not. "
    "For each letter of the target's order, look up that letter's block in the source.",
    see="gru.html#one-unit-three-spellings",
)
def inverse_order(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    right = _convert(params, source, target | {"order": source["order"]})
    moved = [_order(target).index(name) for name in _order(source)]
    return {
        name: np.concatenate([np.split(array, 3)[i] for i in moved])
        for name, array in right.items()
    }


@misconception(
    "convert",
    "converts what has no conversion",
    says="Your function returns weights for reset-before to reset-after, as if the two were one "
    "model. They are different functions of the same weights, and whoever trusts the result "
    "gets a network that is quietly wrong. Raise a ValueError that says so.",
    see="gru.html#two-places-for-the-reset",
)
def converts_reset(params: Params, source: Convention, target: Convention) -> Params:
    return _convert(params, source, target)


@misconception(
    "convert",
    "1 - W in place of -W",
    says="You replaced z's weights by 1 minus the weights. It is the gate that becomes 1 - z, and "
    "1 - sigmoid(a) = sigmoid(-a): the sum a changes its sign, and so do weights and biases.",
    see="gru.html#two-senses-of-the-update-gate",
)
def one_minus_weights(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, turn=lambda block: 1 - block)


@misconception(
    "convert",
    "always negated",
    says="You turn the signs of z on every call, also when source and target agree on what z "
    "means. Compare `source['keeps']` with `target['keeps']` first.",
    see="gru.html#two-senses-of-the-update-gate",
)
def always_negated(params: Params, source: Convention, target: Convention) -> Params:
    _same_reset(source, target)
    return _convert(params, source, target, always=True)


# ---------------------------------------------------------------- param_count

_BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}


def _count(
    blocks: int, d: int, h: int, layers: int, directions: int, biases: int, below: int
) -> int:
    """Parameters of a stack whose layers from the second on read `below` features."""
    sizes = [d] + [below] * (layers - 1)
    return sum(directions * blocks * (h * size + h * h + biases * h) for size in sizes)


@misconception(
    "param_count",
    "always one bias",
    says="You count one bias for each block whatever `biases` says. PyTorch's layers have two, one "
    "beside each matrix product, and that is the whole difference between 74 112 and 74 496.",
    see="gru.html#counting-parameters",
)
def always_one_bias(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    directions = 1 + bidirectional
    return _count(_BLOCKS[cell], d, h, layers, directions, 1, h * directions)


@misconception(
    "param_count",
    "upper layer reads one direction",
    says="In your count a layer above a bidirectional one reads h features. It reads the outputs "
    "of both directions side by side, so its input size is 2h.",
    see="gru.html#counting-parameters",
)
def one_direction_below(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    return _count(_BLOCKS[cell], d, h, layers, 1 + bidirectional, biases, h)


@misconception(
    "param_count",
    "every layer reads the input",
    says="You multiply the first layer's count by the number of layers. Only the first layer reads "
    "the d features of the input; each one above reads the states of the layer below it.",
    see="gru.html#counting-parameters",
)
def first_layer_repeated(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    return layers * _count(_BLOCKS[cell], d, h, 1, 1 + bidirectional, biases, h)


@misconception(
    "param_count",
    "only gates counted",
    says="You count two blocks for the GRU and three for the LSTM: the gates. The candidate is not "
    "a gate, but it has weights and biases like one, so there are three and four blocks.",
    see="gru.html#counting-parameters",
)
def only_gates(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    blocks = {"rnn": 1, "gru": 2, "lstm": 3}[cell]
    directions = 1 + bidirectional
    return _count(blocks, d, h, layers, directions, biases, h * directions)


@misconception(
    "param_count",
    "second direction not counted",
    says="Your count of a bidirectional layer has the weights of one direction. Each direction is "
    "a cell of its own with all its weights.",
    see="gru.html#counting-parameters",
)
def second_direction_missing(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    return _count(_BLOCKS[cell], d, h, layers, 1, biases, h * (1 + bidirectional))


@misconception(
    "param_count",
    "hidden size doubled",
    says="You treat a bidirectional layer as one cell with 2h units. It is two cells with h units "
    "each, and they do not read each other's state: two (h, h) blocks, not one (2h, 2h).",
    see="gru.html#counting-parameters",
)
def hidden_doubled(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    width = h * (1 + bidirectional)
    return _count(_BLOCKS[cell], d, width, layers, 1, biases, width)


@misconception(
    "param_count",
    "one bias for the whole layer",
    says="You count h numbers for a bias, but it runs along all blocks: 3h in a GRU and 4h in an "
    "LSTM, like the rows of the weight matrix beside it.",
    see="gru.html#counting-parameters",
)
def bias_for_one_block(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    directions = 1 + bidirectional
    weights = _count(_BLOCKS[cell], d, h, layers, directions, 0, h * directions)
    return weights + layers * directions * biases * h


# ---------------------------------------------------------------- merge_biases


def _merge(params: Params, rows: slice, zero: bool = True, fold: bool = True) -> Params:
    """Fold these rows of b_hh into b_ih; `zero` and `fold` leave out one half of that."""
    b_ih, b_hh = params["b_ih"].copy(), params["b_hh"].copy()
    if fold:
        b_ih[rows] += b_hh[rows]
    if zero:
        b_hh[rows] = 0
    return params | {"b_ih": b_ih, "b_hh": b_hh}


def _hidden(params: Params) -> int:
    return params["W_hh"].shape[1]


@misconception(
    "merge_biases",
    "b_hn folded as well",
    says="You folded all of `b_hh`. The last third, `b_hn`, is multiplied by r at every step, and "
    "r changes; no constant in `b_in` can stand for it. Only the parts of r and z are redundant.",
    see="gru.html#two-biases-and-one-that-matters",
)
def folds_everything(params: Params) -> Params:
    return _merge(params, slice(None))


@misconception(
    "merge_biases",
    "folded but not zeroed",
    says="You added the biases to `b_ih` and left them in `b_hh` too, so that they count twice. "
    "Fold means move: what is added on one side is set to zero on the other.",
    see="gru.html#two-biases-and-one-that-matters",
)
def folds_without_zeroing(params: Params) -> Params:
    return _merge(params, slice(2 * _hidden(params)), zero=False)


@misconception(
    "merge_biases",
    "zeroed but not folded",
    says="You set the biases to zero without adding them to `b_ih`: both gates have lost their "
    "offset. Add first, then set to zero.",
    see="gru.html#two-biases-and-one-that-matters",
)
def zeroes_without_folding(params: Params) -> Params:
    return _merge(params, slice(2 * _hidden(params)), fold=False)


@misconception(
    "merge_biases",
    "only the reset gate folded",
    says="You folded the first H entries, which are those of r. z's bias is redundant too: fold "
    "the first 2H entries.",
    see="gru.html#two-biases-and-one-that-matters",
)
def folds_reset_only(params: Params) -> Params:
    return _merge(params, slice(_hidden(params)))


@misconception(
    "merge_biases",
    "folded from the wrong end",
    says="You folded the last 2H entries, z and n. In the order r, z, n the redundant ones are the "
    "first 2H, r and z.",
    see="gru.html#two-biases-and-one-that-matters",
)
def folds_last_blocks(params: Params) -> Params:
    return _merge(params, slice(_hidden(params), None))


@misconception(
    "merge_biases",
    "folded into b_hh",
    says="You moved the biases from `b_ih` into `b_hh`. The outputs are unchanged, so the idea is "
    "right, but the other direction was asked: `b_ih` takes them, and `b_hh` keeps `b_hn` alone.",
    see="gru.html#two-biases-and-one-that-matters",
)
def folds_the_other_way(params: Params) -> Params:
    turned = {**params, "b_ih": params["b_hh"], "b_hh": params["b_ih"]}
    merged = _merge(turned, slice(2 * _hidden(params)))
    return params | {"b_ih": merged["b_hh"], "b_hh": merged["b_ih"]}


@misconception(
    "merge_biases",
    "writes into the given biases",
    says="Your result is right, but the call has changed the arrays that it was given: the "
    "caller's model was converted too. Copy the two biases first.",
    see="gru.html#two-biases-and-one-that-matters",
)
def writes_into_biases(params: Params) -> Params:
    H = _hidden(params)
    params["b_ih"][: 2 * H] += params["b_hh"][: 2 * H]
    params["b_hh"][: 2 * H] = 0
    return params
