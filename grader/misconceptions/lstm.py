"""Wrong answers to the exercises on the LSTM, its relatives and its parts, with words for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatedrnn.equations.activations import sigmoid
from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]
Pair = tuple[Array, Array]

IN_CODE = "lstm.html#the-unit-in-code"
TWO_STATES = "lstm.html#two-states"
ROAD = "lstm.html#the-road-of-the-cell-state"
CIFG = "lstm.html#one-gate-for-two-the-cifg"
PEEPHOLES = "lstm.html#gates-that-see-the-cell"
PARTS = "lstm.html#take-one-part-away"
MATCHED = "lstm.html#at-equal-parameters"


def _sums(x: Array, h: Array, params: Params, order: str = "ifgo") -> dict[str, Array]:
    """The sum inside each gate and candidate, by its letter."""
    total = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    return dict(zip(order, np.split(total, len(order), axis=1), strict=True))


def _parts(x: Array, h: Array, params: Params, order: str = "ifgo") -> tuple[Array, ...]:
    """The gates i, f, o and the candidate g, in the order i, f, g, o."""
    a = _sums(x, h, params, order)
    return sigmoid(a["i"]), sigmoid(a["f"]), np.tanh(a["g"]), sigmoid(a["o"])


def _lstm(x: Array, h: Array, c: Array, params: Params, order: str = "ifgo") -> Pair:
    i, f, g, o = _parts(x, h, params, order)
    c_next = f * c + i * g
    return o * np.tanh(c_next), c_next


# ---------------------------------------------------------------- lstm_cell


@misconception(
    "lstm_cell",
    "blocks in the order i, f, o, g",
    says="Your cell takes the third block for the output gate and the last for the candidate. That "
    "order, i, f, o, g, is found in lecture notes and older code. PyTorch's order, and ours, is "
    "i, f, g, o; Keras has the same and calls the candidate c.",
    see="lstm.html#three-gates-four-blocks",
)
def order_ifog(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _lstm(x, h, c, params, "ifog")


@misconception(
    "lstm_cell",
    "blocks in the order i, o, f, g",
    says="Your cell reads the blocks as i, o, f, g, which is how ONNX packs them. All shapes fit, "
    "and the numbers are those of another network. Here the order is PyTorch's: i, f, g, o.",
    see="lstm.html#three-gates-four-blocks",
)
def order_iofg(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _lstm(x, h, c, params, "iofg")


@misconception(
    "lstm_cell",
    "input and forget gate swapped",
    says="Your cell keeps the old cell state by i and writes the candidate by f. The names say it: "
    "f multiplies what is there already, i multiplies what comes in, `f * c + i * g`.",
    see=IN_CODE,
)
def gates_swapped(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _lstm(x, h, c, params, "figo")


@misconception(
    "lstm_cell",
    "no tanh on the cell state",
    says="Your output is `o * c_next`, without the tanh. The cell state can grow without bound, "
    "and so would everything that reads h. Squash it on the way out, and only there: "
    "`o * np.tanh(c_next)`.",
    see=TWO_STATES,
)
def no_output_tanh(x: Array, h: Array, c: Array, params: Params) -> Pair:
    _, _, _, o = _parts(x, h, params)
    _, c_next = _lstm(x, h, c, params)
    return o * c_next, c_next


@misconception(
    "lstm_cell",
    "output from the old cell state",
    says="Your h' is made from the cell state as it was before this step, so whatever is written "
    "now is heard one step late. Compute c' first, and then `o * np.tanh(c_next)`.",
    see=IN_CODE,
)
def output_from_old_cell(x: Array, h: Array, c: Array, params: Params) -> Pair:
    i, f, g, o = _parts(x, h, params)
    return o * np.tanh(c), f * c + i * g


@misconception(
    "lstm_cell",
    "cell state squashed",
    says="Your cell state goes through the tanh before it is stored. Then each step squashes it "
    "once more, and the straight road that makes the LSTM remember is gone. The tanh belongs to "
    "the output alone; c' is `f * c + i * g` as it stands.",
    see=TWO_STATES,
)
def cell_state_squashed(x: Array, h: Array, c: Array, params: Params) -> Pair:
    _, _, _, o = _parts(x, h, params)
    _, c_next = _lstm(x, h, c, params)
    squashed = np.tanh(c_next)
    return o * squashed, squashed


@misconception(
    "lstm_cell",
    "sigmoid for the candidate",
    says="All four of your blocks go through the sigmoid. The candidate g is not a gate: it is "
    "what may be written, and it must be able to be negative, or the cell state could only grow. "
    "Use `np.tanh` for g.",
    see="lstm.html#three-gates-four-blocks",
)
def sigmoid_candidate(x: Array, h: Array, c: Array, params: Params) -> Pair:
    a = _sums(x, h, params)
    i, f, _, o = _parts(x, h, params)
    c_next = f * c + i * sigmoid(a["g"])
    return o * np.tanh(c_next), c_next


@misconception(
    "lstm_cell",
    "forget bias added in the step",
    says="Your cell adds 1 inside the forget gate at every step. A forget bias is a value that the "
    "stored bias is given at the start; added again in the step, it counts twice, and weights that "
    "come from elsewhere no longer give the same numbers.",
    see=ROAD,
)
def forget_bias_in_step(x: Array, h: Array, c: Array, params: Params) -> Pair:
    H = h.shape[1]
    b_ih = params["b_ih"].copy()
    b_ih[H : 2 * H] += 1
    return _lstm(x, h, c, params | {"b_ih": b_ih})


@misconception(
    "lstm_cell",
    "the second bias forgotten",
    says="Your cell adds `b_ih` and never `b_hh`. PyTorch has a bias beside each of the two "
    "matrix products. In an LSTM one of them would do, but the weights that you are given have "
    "both, and both count.",
    see=IN_CODE,
)
def one_bias(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _lstm(x, h, c, params | {"b_hh": np.zeros_like(params["b_hh"])})


@misconception(
    "lstm_cell",
    "what is kept and written sum to one",
    says="Your cell writes `1 - f` of the candidate and leaves the input gate unused. That is the "
    "LSTM with coupled gates, a good cell and the next exercise but one; here i has weights of "
    "its own.",
    see=CIFG,
)
def coupled(x: Array, h: Array, c: Array, params: Params) -> Pair:
    _, f, g, o = _parts(x, h, params)
    c_next = f * c + (1 - f) * g
    return o * np.tanh(c_next), c_next


@misconception(
    "lstm_cell",
    "h and c in the wrong order",
    says="Your function returns c' first and h' second. Both have the same shape, so nothing stops "
    "you, and the next layer would read the cell's private state. The output comes first: "
    "`return h_next, c_next`, as in PyTorch.",
    see=TWO_STATES,
)
def returned_in_wrong_order(x: Array, h: Array, c: Array, params: Params) -> Pair:
    h_next, c_next = _lstm(x, h, c, params)
    return c_next, h_next


@misconception(
    "lstm_cell",
    "writes into c",
    says="Your numbers are right, but the call changes the array `c` that it was given, by "
    "`c *= f` perhaps. Whoever kept the old cell state, for the backward pass say, has lost it. "
    "Build a new array: `f * c + i * g`.",
    see=IN_CODE,
)
def writes_into_cell(x: Array, h: Array, c: Array, params: Params) -> Pair:
    h_next, c_next = _lstm(x, h, c, params)
    c[...] = c_next
    return h_next, c


# ---------------------------------------------------------------- lstm_step_backward

Gradients = dict[str, Array]


def _backward(
    dh: Array,
    dc: Array,
    x: Array,
    h: Array,
    c: Array,
    params: Params,
    *,
    arriving: Callable[[Array, Array, Array, Array], Array] | None = None,
    change: Callable[[dict[str, Array], dict[str, Array]], None] | None = None,
    order: str = "ifgo",
) -> Gradients:
    """The right gradients, with one thing made wrong.

    ``arriving(dh, dc, o, c_next)`` gives the whole gradient of c'; ``change(parts, values)`` may
    replace the gradients of c and of the four sums, and reads what they were made from.
    """
    i, f, g, o = _parts(x, h, params)
    c_next = f * c + i * g
    whole = dc + dh * o * (1 - np.tanh(c_next) ** 2)
    if arriving is not None:
        whole = arriving(dh, dc, o, c_next)
    parts = {
        "i": whole * g * i * (1 - i),
        "f": whole * c * f * (1 - f),
        "g": whole * i * (1 - g**2),
        "o": dh * np.tanh(c_next) * o * (1 - o),
        "c": whole * f,
    }
    if change is not None:
        gates = {"i": i, "f": f, "g": g, "o": o}
        change(parts, gates | {"c_next": c_next, "dh": dh, "whole": whole})
    da = np.concatenate([parts[letter] for letter in order], axis=1)
    return {
        "x": da @ params["W_ih"],
        "h": da @ params["W_hh"],
        "c": parts["c"],
        "W_ih": da.T @ x,
        "W_hh": da.T @ h,
        "b_ih": da.sum(axis=0),
        "b_hh": da.sum(axis=0),
    }


@misconception(
    "lstm_step_backward",
    "gradient of c' ignored",
    says="Your gradients come from `dh_next` alone. In a sequence the next step also sends a "
    "gradient to the cell state, `dc_next`, and that is the one that travels far. Add it to what "
    "comes through the output.",
    see=ROAD,
)
def ignores_dc(dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params) -> Gradients:
    return _backward(dh, np.zeros_like(dc), x, h, c, params)


@misconception(
    "lstm_step_backward",
    "h' does not reach the cell state",
    says="Your gradient of c' is `dc_next` and nothing else. h' was made from c', so `dh_next` "
    "reaches the cell state too, through the output gate and the tanh: add "
    "`dh_next * o * (1 - np.tanh(c_next)**2)`.",
    see=ROAD,
)
def output_path_missing(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    return _backward(dh, dc, x, h, c, params, arriving=lambda dh, dc, o, c_next: dc)


@misconception(
    "lstm_step_backward",
    "derivative of tanh at the wrong place",
    says="You wrote `1 - c_next**2` for the derivative of the tanh. In terms of its output the "
    "derivative is 1 - tanh², and its output is `np.tanh(c_next)`, not c'. With a large cell state "
    "your factor even turns negative.",
    see=ROAD,
)
def tanh_at_cell(dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params) -> Gradients:
    return _backward(
        dh, dc, x, h, c, params, arriving=lambda dh, dc, o, c_next: dc + dh * o * (1 - c_next**2)
    )


@misconception(
    "lstm_step_backward",
    "output gate left out on the way to c",
    says="On the way from h' back to c' you pass the tanh and not the output gate. h' is "
    "`o * tanh(c')`, so the gradient is multiplied by o as well: a closed output gate lets no "
    "gradient in.",
    see=ROAD,
)
def output_gate_missing(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    return _backward(
        dh,
        dc,
        x,
        h,
        c,
        params,
        arriving=lambda dh, dc, o, c_next: dc + dh * (1 - np.tanh(c_next) ** 2),
    )


@misconception(
    "lstm_step_backward",
    "nothing forgotten on the way back",
    says="You hand the gradient of c' to c unchanged. The old cell state entered as `f * c`, so on "
    "the way back it is multiplied by f: what the forward pass forgets, the backward pass forgets "
    "too. Only the 1997 LSTM, which has no forget gate, passes it on whole.",
    see=ROAD,
)
def forget_gate_missing(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    def change(parts: dict[str, Array], values: dict[str, Array]) -> None:
        parts["c"] = values["whole"]

    return _backward(dh, dc, x, h, c, params, change=change)


@misconception(
    "lstm_step_backward",
    "new cell state in the forget gate's gradient",
    says="Your gradient of the forget gate is multiplied by the new cell state. The gate "
    "multiplied the old one, `f * c`, so its gradient is the gradient of c' times the old c. Keep "
    "both until the step is done.",
    see=ROAD,
)
def forget_gate_sees_new_cell(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    def change(parts: dict[str, Array], values: dict[str, Array]) -> None:
        f = values["f"]
        parts["f"] = values["whole"] * values["c_next"] * f * (1 - f)

    return _backward(dh, dc, x, h, c, params, change=change)


@misconception(
    "lstm_step_backward",
    "no tanh in the output gate's gradient",
    says="Your gradient of the output gate is `dh_next` times c', where the gate multiplied "
    "`tanh(c')`. The gradient of a factor is the other factor, and the other factor is the tanh.",
    see=ROAD,
)
def output_gate_sees_raw_cell(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    def change(parts: dict[str, Array], values: dict[str, Array]) -> None:
        o = values["o"]
        parts["o"] = values["dh"] * values["c_next"] * o * (1 - o)

    return _backward(dh, dc, x, h, c, params, change=change)


@misconception(
    "lstm_step_backward",
    "candidate taken for a gate",
    says="You used the sigmoid's derivative, g (1 - g), for the candidate. g comes from a tanh, so "
    "its derivative is 1 - g². The two are easy to confuse when all four blocks stand in one "
    "array.",
    see="lstm.html#three-gates-four-blocks",
)
def candidate_as_gate(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    def change(parts: dict[str, Array], values: dict[str, Array]) -> None:
        g = values["g"]
        parts["g"] = values["whole"] * values["i"] * g * (1 - g)

    return _backward(dh, dc, x, h, c, params, change=change)


@misconception(
    "lstm_step_backward",
    "blocks joined in the order i, f, o, g",
    says="Your four gradients are right and are joined as i, f, o, g. The rows of the weights "
    "stand as i, f, g, o, so two blocks have been given each other's gradient. Join them in "
    "the order in which they were split.",
    see="lstm.html#three-gates-four-blocks",
)
def joined_in_wrong_order(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    return _backward(dh, dc, x, h, c, params, order="ifog")


@misconception(
    "lstm_step_backward",
    "mean over the batch",
    says="Your gradients of the parameters are means over the batch. The loss is what arrives, "
    "summed as it stands: if it was a mean, the 1/B is already in `dh_next`. Sum over the rows.",
    see=ROAD,
)
def mean_over_batch(
    dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params
) -> Gradients:
    right = _backward(dh, dc, x, h, c, params)
    return {k: v if k in ("x", "h", "c") else v / len(x) for k, v in right.items()}


@misconception(
    "lstm_step_backward",
    "writes into dc_next",
    says="Your gradients are right, but the call changes `dc_next`, by `dc_next += ...` perhaps. "
    "The caller's gradient of the next step is gone with it. Write `dc_all = dc_next + ...`.",
    see=ROAD,
)
def writes_into_dc(dh: Array, dc: Array, x: Array, h: Array, c: Array, params: Params) -> Gradients:
    right = _backward(dh, dc, x, h, c, params)
    i, f, g, o = _parts(x, h, params)
    dc += dh * o * (1 - np.tanh(f * c + i * g) ** 2)
    return right


# ---------------------------------------------------------------- cifg_cell


def _cifg(x: Array, h: Array, params: Params, order: str = "fgo") -> tuple[Array, Array, Array]:
    a = _sums(x, h, params, order)
    return sigmoid(a["f"]), np.tanh(a["g"]), sigmoid(a["o"])


def _out(o: Array, c_next: Array) -> Pair:
    return o * np.tanh(c_next), c_next


@misconception(
    "cifg_cell",
    "forget gate the other way round",
    says="Your cell writes f of the candidate and keeps 1 - f. In this book, as in the LSTM, f "
    "near 1 keeps what is there. The two are one model with the signs of the f block turned, so "
    "only the convention is amiss.",
    see=CIFG,
)
def cifg_swapped(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    return _out(o, (1 - f) * c + f * g)


@misconception(
    "cifg_cell",
    "both gates equal",
    says="Your cell uses f for the input gate as well, so that it keeps and writes together, or "
    "does neither. Coupled means that one gives way to the other: i is `1 - f`.",
    see=CIFG,
)
def cifg_equal_gates(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    return _out(o, f * c + f * g)


@misconception(
    "cifg_cell",
    "no input gate at all",
    says="Your cell writes the whole candidate at every step: the input gate has gone and nothing "
    "has taken its place. Then f = 1 counts up for ever. In the coupled cell i is `1 - f`, so that "
    "what is kept and what is written sum to one.",
    see=CIFG,
)
def cifg_no_input_gate(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    return _out(o, f * c + g)


@misconception(
    "cifg_cell",
    "a GRU instead",
    says="Your cell mixes the candidate with h, the output, instead of c. That would be a GRU, "
    "which has one state; the coupled LSTM still has two. The forget gate acts on the cell state: "
    "`f * c + (1 - f) * g`.",
    see=CIFG,
)
def cifg_mixes_output(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    return _out(o, f * h + (1 - f) * g)


@misconception(
    "cifg_cell",
    "no output gate",
    says="Your output is the tanh of the cell state, with no gate on it. Coupling takes away the "
    "input gate's weights and nothing else; the output gate is the third block and still acts.",
    see=CIFG,
)
def cifg_no_output_gate(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, _ = _cifg(x, h, params)
    return _out(np.ones_like(f), f * c + (1 - f) * g)


@misconception(
    "cifg_cell",
    "no tanh on the cell state",
    says="Your output is `o * c_next`, without the tanh. Here the cell state stays within its "
    "bounds, so nothing explodes, but it is another function than the one asked for: "
    "`o * np.tanh(c_next)`.",
    see=CIFG,
)
def cifg_no_tanh(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    c_next = f * c + (1 - f) * g
    return o * c_next, c_next


@misconception(
    "cifg_cell",
    "blocks in the order f, o, g",
    says="Your cell reads the blocks as f, o, g: gates first, candidate last. All shapes fit, and "
    "the numbers are those of another network. The order is the LSTM's without its input gate: "
    "f, g, o.",
    see=CIFG,
)
def cifg_order(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params, "fog")
    return _out(o, f * c + (1 - f) * g)


@misconception(
    "cifg_cell",
    "writes into c",
    says="Your numbers are right, but the call changes the array `c` that it was given. Build a "
    "new array, `f * c + (1 - f) * g`, and leave the old state to whoever still needs it.",
    see=CIFG,
)
def cifg_writes(x: Array, h: Array, c: Array, params: Params) -> Pair:
    f, g, o = _cifg(x, h, params)
    c[...] = f * c + (1 - f) * g
    return o * np.tanh(c), c


# ---------------------------------------------------------------- peephole_cell


def _peepholes(
    x: Array,
    h: Array,
    c: Array,
    params: Params,
    *,
    seen: Callable[[Array], Array] = lambda c: c,
    names: tuple[str, str, str] = ("w_ci", "w_cf", "w_co"),
    output_sees_old: bool = False,
    on_candidate: bool = False,
) -> Pair:
    """The right cell, with one thing made wrong by a keyword."""
    a = _sums(x, h, params)
    w_i, w_f, w_o = (params[name] for name in names)
    i, f = sigmoid(a["i"] + w_i * seen(c)), sigmoid(a["f"] + w_f * seen(c))
    g = np.tanh(a["g"] + w_i * c) if on_candidate else np.tanh(a["g"])
    c_next = f * c + i * g
    o = sigmoid(a["o"] + w_o * seen(c if output_sees_old else c_next))
    return _out(o, c_next)


@misconception(
    "peephole_cell",
    "output gate sees the old cell state",
    says="All three of your peepholes look at the old cell state. When the output gate is computed "
    "the new one is already there, and that is the one it is to let out: "
    "`sigmoid(a_o + w_co * c_next)`.",
    see=PEEPHOLES,
)
def output_sees_old_cell(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _peepholes(x, h, c, params, output_sees_old=True)


@misconception(
    "peephole_cell",
    "peepholes look at h",
    says="Your peepholes look at h, which every gate can see anyway through W_hh. The point of a "
    "peephole is the cell state itself, c, which a closed output gate hides from all the others.",
    see=PEEPHOLES,
)
def peepholes_on_output(x: Array, h: Array, c: Array, params: Params) -> Pair:
    a = _sums(x, h, params)
    i, f = sigmoid(a["i"] + params["w_ci"] * h), sigmoid(a["f"] + params["w_cf"] * h)
    c_next = f * c + i * np.tanh(a["g"])
    return _out(sigmoid(a["o"] + params["w_co"] * h), c_next)


@misconception(
    "peephole_cell",
    "peepholes through the tanh",
    says="Your peepholes see tanh(c). They are meant to see the cell state as it is: a gate that "
    "waits until a count has reached ten could not tell ten from twenty after the tanh.",
    see=PEEPHOLES,
)
def peepholes_squashed(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _peepholes(x, h, c, params, seen=np.tanh)


@misconception(
    "peephole_cell",
    "cell state in place of h",
    says="Your gates see c *instead of* h: their recurrent products have gone. One well-known "
    "course sheet prints the LSTM like that, but in the papers a peephole is one more term, beside "
    "the products with x and h.",
    see=PEEPHOLES,
)
def peepholes_replace_output(x: Array, h: Array, c: Array, params: Params) -> Pair:
    a, alone = _sums(x, h, params), _sums(x, np.zeros_like(h), params)
    i = sigmoid(alone["i"] + params["w_ci"] * c)
    f = sigmoid(alone["f"] + params["w_cf"] * c)
    c_next = f * c + i * np.tanh(a["g"])
    return _out(sigmoid(alone["o"] + params["w_co"] * c_next), c_next)


@misconception(
    "peephole_cell",
    "peepholes of i and f swapped",
    says="Your input gate has the peephole of the forget gate, and the other way round. The second "
    "letter says whose it is: `w_ci` belongs to i, `w_cf` to f.",
    see=PEEPHOLES,
)
def peepholes_swapped(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _peepholes(x, h, c, params, names=("w_cf", "w_ci", "w_co"))


@misconception(
    "peephole_cell",
    "a peephole on the candidate",
    says="Your candidate sees the cell state as well. Peepholes belong to the three gates: they "
    "say when to read, write and forget. What may be written comes from x and h.",
    see=PEEPHOLES,
)
def peephole_on_candidate(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _peepholes(x, h, c, params, on_candidate=True)


@misconception(
    "peephole_cell",
    "no peephole on the output gate",
    says="Your input and forget gates see the cell state, and your output gate does not. It has a "
    "peephole too, `w_co`, and it looks at the new cell state.",
    see=PEEPHOLES,
)
def no_output_peephole(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _peepholes(x, h, c, params | {"w_co": np.zeros_like(params["w_co"])})


@misconception(
    "peephole_cell",
    "peepholes ignored",
    says="Your cell is the plain LSTM: `w_ci`, `w_cf` and `w_co` are never read. Add each one's "
    "product with the cell state inside its own gate.",
    see=PEEPHOLES,
)
def peepholes_ignored(x: Array, h: Array, c: Array, params: Params) -> Pair:
    return _lstm(x, h, c, params)


@misconception(
    "peephole_cell",
    "peephole outside the sigmoid",
    says="You add the peephole's term to the gate, after the sigmoid. A gate must stay between 0 "
    "and 1, or it is no gate; the term belongs into the sum inside.",
    see=PEEPHOLES,
)
def peephole_outside(x: Array, h: Array, c: Array, params: Params) -> Pair:
    i, f, g, o = _parts(x, h, params)
    c_next = (f + params["w_cf"] * c) * c + (i + params["w_ci"] * c) * g
    return _out(o + params["w_co"] * c_next, c_next)


# ---------------------------------------------------------------- ablate

_FLAGS = (
    "full",
    "no_input_gate",
    "no_forget_gate",
    "no_output_gate",
    "no_input_activation",
    "no_output_activation",
    "coupled",
)
_GATES = {"no_input_gate": "i", "no_forget_gate": "f", "no_output_gate": "o"}


def _ablate(
    x: Array,
    h: Array,
    c: Array,
    params: Params,
    flag: str,
    *,
    missing: float = 1.0,
    check: bool = True,
    couple: Callable[[dict[str, Array]], None] | None = None,
    also: Callable[[dict[str, Array], dict[str, Array]], None] | None = None,
) -> Pair:
    """The right ablation, with one thing made wrong by a keyword."""
    if check and flag not in _FLAGS:
        raise ValueError(f"no such flag: {flag}")
    a = _sums(x, h, params)
    parts = {**{k: sigmoid(a[k]) for k in "ifo"}, "g": np.tanh(a["g"])}
    if flag in _GATES:
        parts[_GATES[flag]] = np.full_like(h, missing)
    if flag == "no_input_activation":
        parts["g"] = a["g"]
    if flag == "coupled":
        if couple is None:
            parts["i"] = 1 - parts["f"]
        else:
            couple(parts)
    if also is not None:
        also(parts, a)
    c_next = parts["f"] * c + parts["i"] * parts["g"]
    seen = c_next if flag == "no_output_activation" else np.tanh(c_next)
    return parts["o"] * seen, c_next


@misconception(
    "ablate",
    "a missing gate is 0",
    says="You set the missing gate to 0, and so shut it for ever: nothing is written, or kept, or "
    "let out. To take a gate away is to take away the multiplication, and that is what a gate of "
    "1 does.",
    see=PARTS,
)
def missing_is_zero(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    return _ablate(x, h, c, params, flag, missing=0.0)


@misconception(
    "ablate",
    "a missing gate is one half",
    says="You set the gate's weights to zero, and sigmoid(0) is one half. The cell without a "
    "forget gate would then lose half of everything at each step. A missing gate is 1.",
    see=PARTS,
)
def missing_is_half(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    return _ablate(x, h, c, params, flag, missing=0.5)


@misconception(
    "ablate",
    "coupled the other way round",
    says="Your coupled cell computes f as 1 - i. Some papers do, and as models the two are one, "
    "but they read different blocks of the same weights. Here f is computed from its own block, "
    "and `i = 1 - f`.",
    see=PARTS,
)
def coupled_by_input(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    def couple(parts: dict[str, Array]) -> None:
        parts["f"] = 1 - parts["i"]

    return _ablate(x, h, c, params, flag, couple=couple)


@misconception(
    "ablate",
    "coupled gates equal",
    says="Your coupled cell sets i to f. Coupled means that what is written makes room for itself: "
    "i is `1 - f`, and the two sum to one.",
    see=PARTS,
)
def coupled_equal(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    def couple(parts: dict[str, Array]) -> None:
        parts["i"] = parts["f"]

    return _ablate(x, h, c, params, flag, couple=couple)


@misconception(
    "ablate",
    "two things at once: the output",
    says="With the output gate you took away the tanh after the cell state as well. Then nobody "
    "can say which of the two made the difference. `no_output_gate` leaves `np.tanh(c_next)`.",
    see=PARTS,
)
def output_gate_and_tanh(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    h_next, c_next = _ablate(x, h, c, params, flag)
    return (c_next, c_next) if flag == "no_output_gate" else (h_next, c_next)


@misconception(
    "ablate",
    "two things at once: the input",
    says="With the input gate you took away the candidate's tanh as well. An ablation changes one "
    "thing, or it measures nothing: `no_input_gate` still writes `np.tanh(...)`.",
    see=PARTS,
)
def input_gate_and_tanh(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    def also(parts: dict[str, Array], sums: dict[str, Array]) -> None:
        if flag == "no_input_gate":
            parts["g"] = sums["g"]

    return _ablate(x, h, c, params, flag, also=also)


@misconception(
    "ablate",
    "sigmoid in place of the activation",
    says="You replaced the candidate's tanh by a sigmoid. To take an activation away is to let the "
    "sum pass as it is, the identity; another function would be another experiment.",
    see=PARTS,
)
def sigmoid_activation(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    def also(parts: dict[str, Array], sums: dict[str, Array]) -> None:
        if flag == "no_input_activation":
            parts["g"] = sigmoid(sums["g"])

    return _ablate(x, h, c, params, flag, also=also)


@misconception(
    "ablate",
    "unknown flags pass",
    says="For a flag that you do not know your function runs the full cell. A typing error would "
    "then be published as an ablation that costs nothing. Raise a ValueError.",
    see=PARTS,
)
def unknown_flag_passes(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    return _ablate(x, h, c, params, flag, check=False)


@misconception(
    "ablate",
    "writes into the parameters",
    says="Your numbers are right, but the call changes the parameters, by setting a bias to a "
    "large number perhaps. The next flag would then start from a cell that has lost a gate "
    "already. Change the gate's value, or work on a copy.",
    see=PARTS,
)
def writes_into_params(x: Array, h: Array, c: Array, params: Params, flag: str) -> Pair:
    result = _ablate(x, h, c, params, flag)
    if flag in _GATES:
        H, block = h.shape[1], "ifgo".index(_GATES[flag])
        params["b_ih"][block * H : (block + 1) * H] = 1e3
    return result


# ---------------------------------------------------------------- match_params

_BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}


def _nearest(target: int, count: Callable[[int], int]) -> int:
    h = 1
    while count(h + 1) <= target:
        h += 1
    return h if target - count(h) <= count(h + 1) - target else h + 1


def _layer(cell: str, d: int, h: int, biases: int = 2) -> int:
    return _BLOCKS[cell] * (h * d + h * h + biases * h)


@misconception(
    "match_params",
    "readout ignored",
    says="You match the recurrent layers and forget the readout. It has a weight for each unit and "
    "output, so the wider cell also gets the larger readout, and the whole networks do not match.",
    see=MATCHED,
)
def ignores_readout(target: int, cell: str, d: int, outputs: int) -> int:
    return _nearest(target, lambda h: _layer(cell, d, h))


@misconception(
    "match_params",
    "one bias",
    says="You count one bias for each block, as papers do. The networks that are to match are "
    "PyTorch's, and they have two.",
    see=MATCHED,
)
def counts_one_bias(target: int, cell: str, d: int, outputs: int) -> int:
    return _nearest(target, lambda h: _layer(cell, d, h, 1) + outputs * (h + 1))


@misconception(
    "match_params",
    "biases ignored",
    says="You count the matrices and leave out every bias. Each block has two vectors of h numbers "
    "in PyTorch, and the readout has one number more for each output; at small sizes that is "
    "enough to move the answer.",
    see=MATCHED,
)
def ignores_biases(target: int, cell: str, d: int, outputs: int) -> int:
    return _nearest(target, lambda h: _layer(cell, d, h, 0) + outputs * h)


@misconception(
    "match_params",
    "rounded down",
    says="You take the largest size that does not exceed the target. The next one up may be much "
    "nearer: compare both distances.",
    see=MATCHED,
)
def rounds_down(target: int, cell: str, d: int, outputs: int) -> int:
    h = 1
    while _layer(cell, d, h + 1) + outputs * (h + 2) <= target:
        h += 1
    return h


@misconception(
    "match_params",
    "rounded up",
    says="You take the first size that reaches the target. The one before it may be nearer: "
    "compare both distances.",
    see=MATCHED,
)
def rounds_up(target: int, cell: str, d: int, outputs: int) -> int:
    h = 1
    while _layer(cell, d, h) + outputs * (h + 1) < target:
        h += 1
    return h


@misconception(
    "match_params",
    "gates counted, not blocks",
    says="You count two blocks for the GRU and three for the LSTM, one for each gate. The "
    "candidate has weights like a gate, so there are three and four.",
    see="lstm.html#three-gates-four-blocks",
)
def counts_gates(target: int, cell: str, d: int, outputs: int) -> int:
    blocks = {"rnn": 1, "gru": 2, "lstm": 3}[cell]
    return _nearest(target, lambda h: blocks * (h * d + h * h + 2 * h) + outputs * (h + 1))


@misconception(
    "match_params",
    "input weights forgotten",
    says="You count the recurrent matrices and forget the input's, h times d for each block. At "
    "small sizes they are a large part of the whole.",
    see=MATCHED,
)
def ignores_input(target: int, cell: str, d: int, outputs: int) -> int:
    return _nearest(target, lambda h: _layer(cell, 0, h) + outputs * (h + 1))


@misconception(
    "match_params",
    "scaled by the ratio of blocks",
    says="You took the square root of what the blocks leave, as if only the h by h matrices "
    "counted. That is the limit for very wide cells; with the input, the biases and the readout "
    "counted the answer is another.",
    see=MATCHED,
)
def square_root(target: int, cell: str, d: int, outputs: int) -> int:
    return max(1, round((target / _BLOCKS[cell]) ** 0.5))


@misconception(
    "match_params",
    "readout of both states",
    says="Your readout has weights for h and for c. The cell state is not an output: what is above "
    "a cell reads h alone, `outputs * h + outputs` parameters for any of the three cells.",
    see=TWO_STATES,
)
def reads_both_states(target: int, cell: str, d: int, outputs: int) -> int:
    states = 2 if cell == "lstm" else 1
    return _nearest(target, lambda h: _layer(cell, d, h) + outputs * (states * h + 1))
