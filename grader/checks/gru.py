"""Checks of the unit on the gated recurrent unit."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from gatedrnn.equations import gru_step, gru_unroll
from gatedrnn.equations.activations import sigmoid
from grader.compare import (
    assert_like,
    assert_matches,
    assert_raises,
    assert_true,
    assert_unchanged,
)
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student

Array = np.ndarray
Params = dict[str, Array]
Rng = np.random.Generator

EXERCISES = (
    Exercise(
        "gru_cell",
        "One step of the GRU",
        see="gru.html#the-unit-in-code",
        hints=(
            "There are two matrix products in all, one of x and one of h. Each gives three blocks, "
            "in the order r, z, n. Which blocks are summed before the sigmoid, and which are not?",
            "`np.split(x @ params['W_ih'].T + params['b_ih'], 3, axis=1)` gives the input's three "
            "blocks; do the same for the state. For n, r multiplies the state's block before "
            "the two blocks are added.",
            "With blocks `x_r, x_z, x_n` and `h_r, h_z, h_n`: `r = sigmoid(x_r + h_r)`, "
            "`z = sigmoid(x_z + h_z)`, `n = np.tanh(x_n + r * h_n)`; the new state is "
            "`(1 - z) * n + z * h`.",
        ),
    ),
    Exercise(
        "gru_forward",
        "A batch of sequences",
        see="gru.html#a-batch-of-unequal-lengths",
        hints=(
            "At each step some sequences are still running and some have ended. What should happen "
            "to the state, and what to the output, of one that has ended?",
            "`live = (t < lengths)[:, None]` is a column of True and False, and "
            "`np.where(live, a, b)` takes each row from a or from b.",
            "In the loop: `new = gru_cell(x[:, t], h, params)`; then "
            "`outputs.append(np.where(live, new, 0.0))` and `h = np.where(live, new, h)`. "
            "At the end `np.stack(outputs, axis=1)` has shape (B, T, H).",
        ),
    ),
    Exercise(
        "convert",
        "From one convention to another",
        see="gru.html#one-unit-three-spellings",
        hints=(
            "Three things can differ. One is an order of blocks, one is a sign, and one cannot be "
            "converted at all. Deal with that one first.",
            "`dict(zip(source['order'], np.split(array, 3)))` gives an array's blocks by their "
            "letters. For what z means, use 1 - sigmoid(a) = sigmoid(-a).",
            "For each of the four arrays: split into `blocks` by the source's letters; if `keeps` "
            "differs, `blocks['z'] = -blocks['z']`; then "
            "`np.concatenate([blocks[letter] for letter in target['order']])`.",
        ),
    ),
    Exercise(
        "param_count",
        "Counting parameters",
        see="gru.html#counting-parameters",
        hints=(
            "Count one block of one direction of one layer first. How many rows and columns have "
            "its two matrices, and how long are its biases?",
            "A block has `h * inputs + h * h + biases * h` numbers, where `inputs` is d in the "
            "first layer. What does the second layer read, and how wide is it?",
            "Sum over the layers: `directions * blocks * (h * inputs + h * h + biases * h)`, with "
            "1, 3 or 4 blocks, and with `inputs = directions * h` from the second layer on.",
        ),
    ),
    Exercise(
        "merge_biases",
        "Folding the redundant biases",
        see="gru.html#two-biases-and-one-that-matters",
        hints=(
            "Write out the sums inside r, z and n. In which of them do `b_i` and `b_h` meet "
            "with nothing between them?",
            "The entries of r and z are the first 2H of each bias, with "
            "`H = params['W_hh'].shape[1]`. Work on copies.",
            "`b_ih[:2 * H] += b_hh[:2 * H]` and then `b_hh[:2 * H] = 0`, both on copies; return "
            "the four arrays, the weights as they were.",
        ),
    ),
)

# ---------------------------------------------------------------- gru_cell

BATCH, INPUTS, HIDDEN = 4, 3, 6
#: A bias that drives a sigmoid to exactly 0 or 1 in float64.
SHUT = 1e3


def _step_inputs(rng: Rng) -> tuple[Array, Array, Params]:
    return (
        rng.normal(size=(BATCH, INPUTS)),
        rng.normal(size=(BATCH, HIDDEN)),
        parameters(rng, 3, INPUTS, HIDDEN),
    )


def _moved(got: Array, h: Array) -> None:
    """A function that hands back the old state, or zeros, has no property of a cell."""
    assert_like(got, h, "the new state")
    moved = np.abs(got - h).max() > 1e-6 and np.ptp(got) > 1e-6
    assert_true(moved, "The new state should depend on x, h and the parameters.")


@points("gru_cell", 4)
def test_gru_cell_values(student: Student, rng: Rng) -> None:
    """The new state is right for random weights, biases and state."""
    x, h, params = _step_inputs(rng)
    assert_matches(student.gru_cell(x, h, params), gru_step(x, h, params), "the new state")
    x, h, params = rng.normal(size=(3, 7)), rng.normal(size=(3, 2)), parameters(rng, 3, 7, 2)
    assert_matches(student.gru_cell(x, h, params), gru_step(x, h, params), "the new state")


@points("gru_cell", 1)
def test_gru_cell_keeps_where_z_is_one(student: Student, rng: Rng) -> None:
    """Units whose z is 1 keep their old value, whatever r is."""
    x, h, params = _step_inputs(rng)
    held = np.arange(HIDDEN) % 2 == 0
    params["b_ih"][HIDDEN : 2 * HIDDEN] = np.where(held, SHUT, -SHUT)
    # Among the units that are held, one has r = 0 and another r = 1.
    params["b_ih"][:HIDDEN] = np.where(np.arange(HIDDEN) < HIDDEN // 2, -SHUT, SHUT)
    got = student.gru_cell(x, h, params)
    _moved(got, h)
    assert_matches(got[:, held], h[:, held], "the state of the units with z = 1")


@points("gru_cell", 1)
def test_gru_cell_starts_fresh(student: Student, rng: Rng) -> None:
    """With z = 0 and r = 0 the new state is tanh(W_in x + b_in): the past is gone."""
    x, h, params = _step_inputs(rng)
    params["b_ih"][: 2 * HIDDEN] = -SHUT
    fresh = np.tanh(x @ params["W_ih"][2 * HIDDEN :].T + params["b_ih"][2 * HIDDEN :])
    assert_matches(student.gru_cell(x, h, params), fresh, "the new state")


@points("gru_cell", 1)
def test_gru_cell_is_bounded(student: Student, rng: Rng) -> None:
    """No unit leaves the range between its old value and the values of a tanh."""
    x, h, params = _step_inputs(rng)
    x, h = 20 * x, 3 * h
    got = student.gru_cell(x, h, params)
    _moved(got, h)
    inside = np.abs(got) <= np.maximum(1, np.abs(h)) + 1e-12
    assert_true(inside.all(), "The new state is a weighted mean of n and h, so it lies between.")


@points("gru_cell", 1)
def test_gru_cell_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, params = _step_inputs(rng)
    _moved(student.gru_cell(x, h, params), h)
    assert_unchanged(student.calls[-1].outcome, (x, h, params), ("x", "h", "params"))


# ---------------------------------------------------------------- gru_forward


def _batch(rng: Rng) -> tuple[Array, Array, Params, Array]:
    """Five sequences in six steps; the shortest has one step and the longest has six."""
    x, h0 = rng.normal(size=(5, 6, 3)), rng.normal(size=(5, 4))
    return x, h0, parameters(rng, 3, 3, 4), rng.permutation([1, 2, 3, 5, 6])


def _alone(x: Array, h0: Array, params: Params, lengths: Array) -> tuple[Array, Array]:
    """Each sequence by itself, without its padding: what a batch must give."""
    outputs, last = np.zeros((*x.shape[:2], h0.shape[1])), np.empty_like(h0)
    for row, length in enumerate(lengths):
        one = slice(row, row + 1)
        outputs[one, :length], last[one] = gru_unroll(x[one, :length], h0[one], params)
    return outputs, last


@points("gru_forward", 3)
def test_gru_forward_full_lengths(student: Student, rng: Rng) -> None:
    """Where all sequences are as long as the batch, outputs and last state are right."""
    x, h0, params, _ = _batch(rng)
    lengths = np.full(5, 6)
    got = student.gru_forward(x, h0, params, lengths)
    assert_matches(got, gru_unroll(x, h0, params), "(outputs, last state)")


@points("gru_forward", 2)
def test_gru_forward_last_state(student: Student, rng: Rng) -> None:
    """The last state of each sequence is the one after its own last step."""
    x, h0, params, lengths = _batch(rng)
    got = student.gru_forward(x, h0, params, lengths)
    want = _alone(x, h0, params, lengths)
    assert_like(got, want, "(outputs, last state)")
    assert_matches(got[1], want[1], "the last state")


@points("gru_forward", 2)
def test_gru_forward_outputs(student: Student, rng: Rng) -> None:
    """Outputs are right up to each sequence's length, and zero after it."""
    x, h0, params, lengths = _batch(rng)
    got = student.gru_forward(x, h0, params, lengths)
    want = _alone(x, h0, params, lengths)
    assert_like(got, want, "(outputs, last state)")
    assert_matches(got[0], want[0], "the outputs")


@points("gru_forward", 1)
def test_gru_forward_padding_is_neutral(student: Student, rng: Rng) -> None:
    """What stands in the padding, and how much of it there is, changes nothing."""
    x, h0, params, lengths = _batch(rng)
    longer = np.concatenate([x, np.zeros((5, 2, 3))], axis=1)
    padding = np.arange(8)[None, :] >= lengths[:, None]
    longer[padding] = rng.normal(0, 50, size=(int(padding.sum()), 3))
    outputs, last = _alone(longer, h0, params, lengths)
    got = student.gru_forward(longer, h0, params, lengths)
    assert_like(got, (outputs, last), "(outputs, last state)")
    assert_matches(got[1], last, "the last state")
    live = ~padding
    assert_matches(got[0][live], outputs[live], "the outputs before the padding")


@points("gru_forward", 1)
def test_gru_forward_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h0, params, lengths = _batch(rng)
    got = student.gru_forward(x, h0, params, lengths)
    assert_like(got, _alone(x, h0, params, lengths), "(outputs, last state)")
    assert_true(np.ptp(got[1]) > 1e-6, "The last state should depend on the sequences.")
    arguments = (x, h0, params, lengths)
    assert_unchanged(student.calls[-1].outcome, arguments, ("x", "h0", "params", "lengths"))


# ---------------------------------------------------------------- convert

ORDERS = ["".join(letters) for letters in permutations("rzn")]
EXACT = {"rtol": 0.0, "atol": 1e-12}


def _convention(order: str = "rzn", keeps: bool = True, reset: str = "after") -> dict[str, object]:
    return {"order": order, "keeps": keeps, "reset": reset}


def _run(x: Array, h: Array, params: Params, convention: dict[str, object]) -> Array:
    """The states of a GRU that is packed and meant as `convention` says: the authority here."""
    order, H = str(convention["order"]), h.shape[1]
    at = {letter: slice(order.index(letter) * H, (order.index(letter) + 1) * H) for letter in "rzn"}
    states = []
    for t in range(x.shape[1]):
        a = x[:, t] @ params["W_ih"].T + params["b_ih"]
        u = h @ params["W_hh"].T + params["b_hh"]
        r, z = (sigmoid(a[:, at[gate]] + u[:, at[gate]]) for gate in "rz")
        if convention["reset"] == "after":
            from_state = r * u[:, at["n"]]
        else:
            from_state = (r * h) @ params["W_hh"][at["n"]].T + params["b_hh"][at["n"]]
        n = np.tanh(a[:, at["n"]] + from_state)
        keep = z if convention["keeps"] else 1 - z
        h = (1 - keep) * n + keep * h
        states.append(h)
    return np.stack(states, axis=1)


def _assert_converts(
    student: Student, rng: Rng, source: dict[str, object], target: dict[str, object]
) -> None:
    """The converted parameters give, in the target's convention, the states of the source's."""
    params = parameters(rng, 3, 4, 3)
    x, h = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3))
    got = student.convert(params, source, target)
    assert_like(got, params, "the converted parameters")
    assert_matches(
        _run(x, h, got, target),
        _run(x, h, params, source),
        f"the states of the GRU converted from {source} to {target}",
        **EXACT,
    )


def _order_pairs(rng: Rng) -> list[tuple[str, str]]:
    """A swap, and a rotation, which is not its own inverse."""
    start = str(rng.choice(ORDERS))
    return [("rzn", "zrn"), (start, start[1:] + start[0])]


@points("convert", 2)
def test_convert_order(student: Student, rng: Rng) -> None:
    """The blocks of all four arrays stand in the order of the target."""
    for first, second in _order_pairs(rng):
        _assert_converts(student, rng, _convention(first), _convention(second))


@points("convert", 2)
def test_convert_update_sense(student: Student, rng: Rng) -> None:
    """Where the two disagree on whether z keeps, the converted cell gives the same states."""
    for keeps in (True, False):
        _assert_converts(student, rng, _convention(keeps=keeps), _convention(keeps=not keeps))


@points("convert", 2)
def test_convert_both(student: Student, rng: Rng) -> None:
    """Order and sense together, for either place of the reset."""
    for reset in ("after", "before"):
        for order in ("zrn", "nrz"):
            _assert_converts(
                student, rng, _convention(order, False, reset), _convention("rzn", True, reset)
            )


@points("convert", 1)
def test_convert_refuses(student: Student, rng: Rng) -> None:
    """From reset-before to reset-after, or back, there is no conversion: a ValueError says so."""
    why = "The two places of the reset are different functions, so there is nothing to convert to."
    params = parameters(rng, 3, 4, 3)
    same = _convention()
    assert_like(student.convert(params, same, same), params, "the parameters, not converted")
    for first, second in (("before", "after"), ("after", "before")):
        outcome = student.observe(
            "convert", params, _convention(reset=first), _convention("zrn", False, second)
        )
        assert_raises(outcome, ("ValueError",), why)


@points("convert", 1)
def test_convert_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The given parameters are left as they were, and converting back restores them."""
    params = parameters(rng, 3, 4, 3)
    pytorch, other = _convention(), _convention("nrz", False)
    there = student.convert(params, pytorch, other)
    assert_like(there, params, "the converted parameters")
    changed = any(np.abs(there[name] - params[name]).max() > 1e-6 for name in params)
    assert_true(changed, "Converting should change something: order and sense both differ.")
    assert_unchanged(student.calls[-1].outcome, (params,), ("params",))
    back = student.convert(there, other, pytorch)
    assert_matches(back, params, "the parameters, there and back", **EXACT)


# ---------------------------------------------------------------- param_count


def _pytorch_count(
    cell: str, d: int, h: int, layers: int = 1, bidirectional: bool = False, biases: int = 2
) -> int:
    """The parameters of a real module, counted one by one; with one bias, of half its biases."""
    from torch import nn

    kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    module = kind(
        d, h, num_layers=layers, bidirectional=bidirectional, bias=biases > 0, device="meta"
    )
    counted = 0
    for name, tensor in module.named_parameters():
        if not (biases == 1 and name.startswith("bias_hh")):
            counted += tensor.numel()
    return counted


def _assert_counts(student: Student, *arguments: object) -> None:
    got = student.param_count(*arguments)
    words = ", ".join(map(repr, arguments))
    assert_matches(got, _pytorch_count(*arguments), f"param_count({words})")  # type: ignore[arg-type]


def _sizes(rng: Rng) -> tuple[int, int]:
    return int(rng.integers(3, 60)), int(rng.integers(61, 130))


@points("param_count", 1)
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_param_count_one_layer(student: Student, rng: Rng, cell: str) -> None:
    """One layer of a {cell} has as many parameters as PyTorch's module."""
    d, h = _sizes(rng)
    _assert_counts(student, cell, d, h)
    _assert_counts(student, cell, d, h, 1, False, 2)


@points("param_count", 1)
def test_param_count_biases(student: Student, rng: Rng) -> None:
    """One bias, two biases and no bias for each block are told apart."""
    for cell in ("gru", "lstm"):
        d, h = _sizes(rng)
        for biases in (0, 1, 2):
            _assert_counts(student, cell, d, h, 1, False, biases)


@points("param_count", 1)
def test_param_count_layers(student: Student, rng: Rng) -> None:
    """Each layer on top of another is counted with the input that it reads (one bias a block)."""
    for cell in ("gru", "lstm"):
        _assert_counts(student, cell, *_sizes(rng), int(rng.integers(2, 5)), False, 1)


@points("param_count", 1)
def test_param_count_directions(student: Student, rng: Rng) -> None:
    """A bidirectional layer has the weights of two directions (one bias a block)."""
    for cell in ("gru", "rnn"):
        _assert_counts(student, cell, *_sizes(rng), 1, True, 1)


@points("param_count", 2)
def test_param_count_everything(student: Student, rng: Rng) -> None:
    """Several bidirectional layers, of any cell and with 0, 1 or 2 biases, are counted right."""
    # Each number of biases once: a count that takes one for another is always found out.
    for cell, biases in zip(("gru", "lstm", "rnn"), rng.permutation(3), strict=True):
        layers = int(rng.integers(2, 5))
        _assert_counts(student, cell, *_sizes(rng), layers, True, int(biases))


# ---------------------------------------------------------------- merge_biases


def _cells(rng: Rng) -> list[Params]:
    return [parameters(rng, 3, 3, 5), parameters(rng, 3, 6, 2)]


def _gates_have_one_bias(got: Params, params: Params) -> None:
    """The redundant half of b_hh is zero: an answer that changes nothing has merged nothing."""
    assert_like(got, params, "the merged parameters")
    H = params["W_hh"].shape[1]
    left = np.abs(got["b_hh"][: 2 * H]).max()
    assert_true(left == 0, "`b_hh` should be zero for r and z.", expected="0", got=f"{left:.3g}")


@points("merge_biases", 2)
def test_merge_biases_outputs(student: Student, rng: Rng) -> None:
    """With the merged biases, which are zero for r and z in b_hh, every output is the same."""
    for params in _cells(rng):
        H, D = params["W_hh"].shape[1], params["W_ih"].shape[1]
        x, h0 = rng.normal(size=(3, 5, D)), rng.normal(size=(3, H))
        got = student.merge_biases(params)
        _gates_have_one_bias(got, params)
        want, _ = gru_unroll(x, h0, params)
        assert_matches(gru_unroll(x, h0, got)[0], want, "the outputs of the merged cell")


@points("merge_biases", 1)
def test_merge_biases_candidate(student: Student, rng: Rng) -> None:
    """Both biases of the candidate are what they were, because r stands between them."""
    for params in _cells(rng):
        H = params["W_hh"].shape[1]
        got = student.merge_biases(params)
        assert_like(got, params, "the merged parameters")
        changed = np.abs(got["b_ih"] - params["b_ih"]).max() > 1e-6
        changed |= np.abs(got["b_hh"] - params["b_hh"]).max() > 1e-6
        assert_true(changed, "Something should have been merged.")
        assert_matches(got["b_ih"][2 * H :], params["b_ih"][2 * H :], "b_in")
        assert_matches(got["b_hh"][2 * H :], params["b_hh"][2 * H :], "b_hn")


@points("merge_biases", 1)
def test_merge_biases_gates(student: Student, rng: Rng) -> None:
    """The biases of r and z in b_ih are the sums of both."""
    for params in _cells(rng):
        H = params["W_hh"].shape[1]
        got = student.merge_biases(params)
        assert_like(got, params, "the merged parameters")
        sums = params["b_ih"] + params["b_hh"]
        assert_matches(got["b_ih"][: 2 * H], sums[: 2 * H], "b_ih of r and z")


@points("merge_biases", 1)
def test_merge_biases_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The given parameters are left as they were, and the weights come back unchanged."""
    params = parameters(rng, 3, 3, 5)
    got = student.merge_biases(params)
    assert_like(got, params, "the merged parameters")
    assert_matches(got["W_ih"], params["W_ih"], "W_ih")
    assert_matches(got["W_hh"], params["W_hh"], "W_hh")
    assert_true(
        np.abs(got["b_ih"] - params["b_ih"]).max() > 1e-6
        or np.abs(got["b_hh"] - params["b_hh"]).max() > 1e-6,
        "Something should have been merged.",
    )
    assert_unchanged(student.calls[-1].outcome, (params,), ("params",))
