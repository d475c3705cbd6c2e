"""Checks of the unit on the plain recurrent network and its gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from gatedrnn.analysis.gradients import central_differences, truncated_rnn_backward
from gatedrnn.equations import rnn_backward, rnn_step, rnn_unroll
from grader.compare import assert_like, assert_matches, assert_raises, assert_true, assert_unchanged
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student, StudentFault

Rng = np.random.Generator
Array = np.ndarray
Params = dict[str, Array]

BY_HAND = ("torch's recurrent layers", "automatic differentiation")

EXERCISES = (
    Exercise(
        "rnn_step",
        "One step",
        see="rnn.html#one-step",
        without=BY_HAND,
        hints=(
            "Two matrix products meet inside one tanh. Which array does each of them read?",
            "A formula writes `W x` for one column; a batch of rows needs the transpose. "
            "With x of shape (B, D) and W_ih of shape (H, D), the product is `x @ W_ih.T`.",
            "Add four things and take the tanh of their sum: `x @ W_ih.T`, `b_ih`, `h @ W_hh.T` "
            "and `b_hh`, all four parameters taken from `params`.",
        ),
    ),
    Exercise(
        "rnn_forward",
        "A whole sequence",
        see="rnn.html#a-whole-sequence",
        without=BY_HAND,
        hints=(
            "One name holds the state. Each step reads it and then gives it a new value.",
            "Start with `h = h0` and loop over `t in range(x.shape[1])`. The input of step t, "
            "for the whole batch, is `x[:, t]`.",
            "In the loop: `h = rnn_step(x[:, t], h, params)`, then append `h` to a list. After "
            "it: `np.stack(states, axis=1)` has shape (B, T, H). Return that and `h`.",
        ),
    ),
    Exercise(
        "rnn_backward",
        "Backpropagation through time",
        see="rnn.html#backpropagation-through-time",
        without=BY_HAND,
        hints=(
            "Walk from the last step to the first with one array `dh` in your hand: the gradient "
            "with respect to the state, as far as later steps have sent it.",
            "At step t add what the loss sends to this state, `dh = dh + doutputs[:, t]`, then go "
            "through the tanh: `da = dh * (1 - h_t**2)`. Everything else at step t is made from "
            "`da`.",
            "From `da` of shape (B, H): `dx[:, t] = da @ W_ih`; add `da.T @ x[:, t]` to that of "
            "W_ih, `da.T @ h_before` to that of W_hh, `da.sum(axis=0)` to both biases; and pass on "
            "`dh = da @ W_hh`. After step 0, what is left in `dh` is the gradient of h0.",
        ),
    ),
    Exercise(
        "truncated_bptt_grads",
        "Truncated backpropagation",
        see="rnn.html#truncated-backpropagation",
        without=BY_HAND,
        hints=(
            "You have already written all the calculus. What remains is to decide where the "
            "sequence is cut, and what crosses a cut.",
            "Chunks start at `range(0, T, k)`. For each one, run `rnn_backward` on the slices "
            "`doutputs[:, s:s + k]` and `x[:, s:s + k]`, from the state in which the chunk starts.",
            "Carry the state with `rnn_forward(x[:, s:s + k], h, params)[1]`. Add up the "
            "gradients of the parameters, put the gradients of x side by side, and take the "
            "gradient of h0 from the first chunk alone.",
        ),
    ),
    Exercise(
        "clip_by_global_norm",
        "Clipping by the global norm",
        see="rnn.html#clipping",
        without=BY_HAND,
        hints=(
            "Imagine all tensors laid end to end as one long vector. What is its length?",
            "The squared length is the sum of all squared entries of all tensors. One factor, "
            "`max_norm / norm`, scales every tensor, and only when the norm is above `max_norm`.",
            "Skip None when you sum, and keep it in the result. Test `np.isfinite(norm)` before "
            "you scale, and raise ValueError when it is not. Return a new dictionary and the norm "
            "as it was before scaling.",
        ),
    ),
)

TENSORS = ("x", "h0", "W_ih", "W_hh", "b_ih", "b_hh")
PARAMETERS = TENSORS[2:]


def _step_inputs(rng: Rng) -> tuple[Array, Array, Params]:
    batch, inputs, hidden = 4, 3, 5
    return (
        rng.normal(size=(batch, inputs)),
        rng.normal(size=(batch, hidden)),
        parameters(rng, 1, inputs, hidden),
    )


def _sequence(
    rng: Rng, batch: int = 4, steps: int = 6, inputs: int = 3, hidden: int = 5
) -> tuple[Array, Array, Params]:
    return (
        rng.normal(size=(batch, steps, inputs)),
        rng.normal(size=(batch, hidden)),
        parameters(rng, 1, inputs, hidden),
    )


def _backward_inputs(rng: Rng, **sizes: int) -> tuple[Array, Array, Array, Params]:
    x, h0, params = _sequence(rng, **sizes)
    return rng.normal(size=(*x.shape[:2], h0.shape[1])), x, h0, params


# ---------------------------------------------------------------- rnn_step


@points("rnn_step", 2)
def test_rnn_step_values(student: Student, rng: Rng) -> None:
    """The new state is right for random weights, biases, input and state."""
    x, h, params = _step_inputs(rng)
    assert_matches(student.rnn_step(x, h, params), rnn_step(x, h, params), "the new state")


@points("rnn_step", 1)
def test_rnn_step_from_the_input(student: Student, rng: Rng) -> None:
    """The input's share is right: from a state of zeros, only x and the biases count."""
    x, h, params = _step_inputs(rng)
    h = np.zeros_like(h)
    assert_matches(student.rnn_step(x, h, params), rnn_step(x, h, params), "the new state")


@points("rnn_step", 1)
def test_rnn_step_from_the_state(student: Student, rng: Rng) -> None:
    """The old state's share is right: with an input of zeros, only h and the biases count."""
    x, h, params = _step_inputs(rng)
    x = np.zeros_like(x)
    assert_matches(student.rnn_step(x, h, params), rnn_step(x, h, params), "the new state")


@points("rnn_step", 1)
def test_rnn_step_is_bounded(student: Student, rng: Rng) -> None:
    """The new state stays between -1 and 1 and takes both signs, however large the input."""
    x, h, params = _step_inputs(rng)
    got = student.rnn_step(30 * x, h, params)
    assert_like(got, h, "the new state")
    assert_true(
        np.abs(got).max() <= 1 and got.min() < 0 < got.max(),
        "The new state is a tanh, which fills the range from -1 to 1 and never leaves it.",
        expected="values on both sides of 0, none beyond 1 in size",
        got=f"values from {got.min():.3g} to {got.max():.3g}",
    )


@points("rnn_step", 1)
def test_rnn_step_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    x, h, params = _step_inputs(rng)
    assert_like(student.rnn_step(x, h, params), h, "the new state")
    assert_unchanged(student.calls[-1].outcome, (x, h, params), ("x", "h", "params"))


# ---------------------------------------------------------------- rnn_forward


def _both(got: Any) -> tuple[Any, Any]:
    """The two results of a forward pass, each of which is then judged by itself."""
    assert_true(
        isinstance(got, tuple | list) and len(got) == 2,
        "`rnn_forward` returns two things: `return outputs, h_T`.",
    )
    return got[0], got[1]


@points("rnn_forward", 2)
def test_rnn_forward_outputs(student: Student, rng: Rng) -> None:
    """The outputs hold the state after every step, in order, as (B, T, H)."""
    x, h0, params = _sequence(rng)
    outputs, _ = _both(student.rnn_forward(x, h0, params))
    assert_matches(outputs, rnn_unroll(x, h0, params)[0], "outputs")


@points("rnn_forward", 1)
def test_rnn_forward_last_state(student: Student, rng: Rng) -> None:
    """The second result is the state after the last step, as (B, H)."""
    x, h0, params = _sequence(rng)
    _, last = _both(student.rnn_forward(x, h0, params))
    assert_matches(last, rnn_unroll(x, h0, params)[1], "the last state")


@points("rnn_forward", 1)
def test_rnn_forward_resumes(student: Student, rng: Rng) -> None:
    """A sequence in two parts, the state carried from one to the other, ends as it does whole."""
    x, h0, params = _sequence(rng, steps=7)
    _, middle = _both(student.rnn_forward(x[:, :3], h0, params))
    assert_like(middle, h0, "the state after the first part")
    _, last = _both(student.rnn_forward(x[:, 3:], middle, params))
    assert_matches(last, rnn_unroll(x, h0, params)[1], "the last state")


@points("rnn_forward", 1)
def test_rnn_forward_sizes(student: Student, rng: Rng) -> None:
    """Any B, T, D and H will do: one step, one sequence, and as many steps as sequences."""
    draws = [_sequence(rng, *sizes) for sizes in ((3, 1, 4, 2), (1, 9, 2, 6), (4, 4, 5, 3))]
    tried = [student.observe("rnn_forward", *draw) for draw in draws]
    for (x, h0, params), outcome in zip(draws, tried, strict=True):
        if outcome.kind != "value":
            raise StudentFault(outcome)
        expected = rnn_unroll(x, h0, params)
        assert_matches(outcome.value, expected, f"the result for x of shape {x.shape}")


@points("rnn_forward", 1)
def test_rnn_forward_is_torch_rnn(student: Student, rng: Rng) -> None:
    """With the same weights, the outputs are those of `torch.nn.RNN`."""
    import torch

    x, h0, params = _sequence(rng)
    layer = torch.nn.RNN(x.shape[2], h0.shape[1], batch_first=True, dtype=torch.float64)
    names = {"W_ih": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_ih": "bias_ih_l0"}
    names["b_hh"] = "bias_hh_l0"
    layer.load_state_dict({names[key]: torch.from_numpy(params[key]) for key in names})
    with torch.no_grad():
        expected, _ = layer(torch.from_numpy(x), torch.from_numpy(h0)[None])
    outputs, _ = _both(student.rnn_forward(x, h0, params))
    assert_matches(outputs, expected.numpy(), "outputs")


# ---------------------------------------------------------------- rnn_backward


def _entry(got: Any, name: str) -> Any:
    """One gradient of a dictionary of them; the others are not looked at."""
    assert_true(
        isinstance(got, Mapping) and name in got,
        f"The result is a dictionary of gradients, and it needs the key {name!r}.",
    )
    return got[name]


def numerical_gradients(doutputs: Array, x: Array, h0: Array, params: Params) -> dict[str, Array]:
    """Gradients of the loss sum(doutputs * outputs) with respect to all six tensors.

    By central differences of the forward equations alone: no backward formula of ours is used.
    """
    tensors = {"x": x, "h0": h0, **params}
    return {
        name: central_differences(
            lambda: float((doutputs * rnn_unroll(x, h0, params)[0]).sum()), tensors[name]
        )
        for name in TENSORS
    }


@points("rnn_backward", 1)
@pytest.mark.parametrize("name", TENSORS)
def test_rnn_backward_gradient(student: Student, rng: Rng, name: str) -> None:
    """The gradient of {name} is right, over five steps."""
    inputs = _backward_inputs(rng, steps=5)
    got = _entry(student.rnn_backward(*inputs), name)
    assert_matches(got, rnn_backward(*inputs)[name], f"the gradient of {name}")


@points("rnn_backward", 2)
def test_rnn_backward_is_the_slope_of_the_loss(student: Student, rng: Rng) -> None:
    """All six gradients agree with central differences of the loss."""
    inputs = _backward_inputs(rng, batch=2, steps=4, inputs=2, hidden=3)
    expected = numerical_gradients(*inputs)
    got = student.rnn_backward(*inputs)
    for name in TENSORS:
        assert_matches(
            _entry(got, name), expected[name], f"the gradient of {name}", rtol=1e-6, atol=1e-8
        )


@points("rnn_backward", 1)
def test_rnn_backward_one_step(student: Student, rng: Rng) -> None:
    """The gradients of the four parameters are right for a sequence of one step."""
    inputs = _backward_inputs(rng, steps=1)
    got, expected = student.rnn_backward(*inputs), rnn_backward(*inputs)
    for name in PARAMETERS:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("rnn_backward", 1)
def test_rnn_backward_reaches_back(student: Student, rng: Rng) -> None:
    """A loss at the last step alone still sends its gradient to the first input."""
    doutputs, x, h0, params = _backward_inputs(rng, steps=5)
    doutputs[:, :-1] = 0
    got = _entry(student.rnn_backward(doutputs, x, h0, params), "x")
    expected = rnn_backward(doutputs, x, h0, params)["x"]
    assert_like(got, expected, "the gradient of x")
    assert_matches(got[:, 0], expected[:, 0], "the gradient of the first input, `dx[:, 0]`")


@points("rnn_backward", 1)
def test_rnn_backward_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    inputs = _backward_inputs(rng)
    got = student.rnn_backward(*inputs)
    assert_like(_entry(got, "W_hh"), inputs[3]["W_hh"], "the gradient of W_hh")
    names = ("doutputs", "x", "h0", "params")
    assert_unchanged(student.calls[-1].outcome, inputs, names)


# ---------------------------------------------------------------- truncated_bptt_grads


@points("truncated_bptt_grads", 2)
def test_truncated_parameters(student: Student, rng: Rng) -> None:
    """The gradients of the four parameters are right when k divides T."""
    inputs = _backward_inputs(rng, steps=9)
    got, expected = student.truncated_bptt_grads(*inputs, 3), truncated_rnn_backward(*inputs, 3)
    for name in PARAMETERS:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("truncated_bptt_grads", 1)
def test_truncated_short_last_chunk(student: Student, rng: Rng) -> None:
    """All gradients are right when k does not divide T: the shorter last chunk counts too."""
    inputs = _backward_inputs(rng, steps=8)
    got, expected = student.truncated_bptt_grads(*inputs, 3), truncated_rnn_backward(*inputs, 3)
    for name in TENSORS:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("truncated_bptt_grads", 1)
def test_truncated_whole_sequence(student: Student, rng: Rng) -> None:
    """With k equal to T, or larger, nothing is cut: the gradients are those of the whole."""
    inputs = _backward_inputs(rng, steps=5)
    expected = rnn_backward(*inputs)
    for k in (5, 7):
        got = student.truncated_bptt_grads(*inputs, k)
        for name in TENSORS:
            assert_matches(_entry(got, name), expected[name], f"the gradient of {name} at k = {k}")


@points("truncated_bptt_grads", 2)
def test_truncated_gradient_stops_at_the_cut(student: Student, rng: Rng) -> None:
    """A loss at the last step reaches all inputs of its own chunk, and exactly none before it."""
    doutputs, x, h0, params = _backward_inputs(rng, steps=8)
    doutputs[:, :-1] = 0
    got = _entry(student.truncated_bptt_grads(doutputs, x, h0, params, 4), "x")
    expected = truncated_rnn_backward(doutputs, x, h0, params, 4)["x"]
    assert_like(got, expected, "the gradient of x")
    leaked = np.abs(got[:, :4]).max()
    assert_true(
        leaked == 0,
        "The loss at the last step sends gradient across the cut, into an earlier chunk.",
        expected="exactly 0 before the cut",
        got=f"up to {leaked:.3g}",
    )
    assert_matches(got[:, 4:], expected[:, 4:], "the gradient of x within the chunk")


@points("truncated_bptt_grads", 1)
def test_truncated_carries_the_state(student: Student, rng: Rng) -> None:
    """The state is carried: a loss in the second chunk gives gradients that depend on h0."""
    doutputs, x, h0, params = _backward_inputs(rng, steps=6)
    doutputs[:, :3] = 0
    for start in (h0, rng.normal(size=h0.shape)):
        got = _entry(student.truncated_bptt_grads(doutputs, x, start, params, 3), "W_hh")
        expected = truncated_rnn_backward(doutputs, x, start, params, 3)["W_hh"]
        assert_matches(got, expected, "the gradient of W_hh")


@points("truncated_bptt_grads", 1)
def test_truncated_initial_state(student: Student, rng: Rng) -> None:
    """The gradient of h0 comes from the first chunk and from no other."""
    inputs = _backward_inputs(rng, steps=6)
    got = _entry(student.truncated_bptt_grads(*inputs, 2), "h0")
    assert_matches(got, truncated_rnn_backward(*inputs, 2)["h0"], "the gradient of h0")


# ---------------------------------------------------------------- clip_by_global_norm


def _gradients(rng: Rng, norm: float) -> dict[str, Array]:
    """Gradients of unequal sizes whose joint norm is `norm`."""
    shapes = {"W_ih": (5, 3), "W_hh": (5, 5), "b_ih": (5,), "b_hh": (5,)}
    drawn = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    factor = norm / _joint_norm(drawn.values())
    return {name: factor * array for name, array in drawn.items()}


def _joint_norm(arrays: Iterable[Array | None]) -> float:
    return float(np.linalg.norm(np.concatenate([a.ravel() for a in arrays if a is not None])))


def _clipped(got: Any) -> tuple[Any, Any]:
    assert_true(
        isinstance(got, tuple | list) and len(got) == 2,
        "`clip_by_global_norm` returns two things: `return clipped, norm`.",
    )
    return got[0], got[1]


def _scaled(grads: Mapping[str, Array | None], factor: float) -> dict[str, Array | None]:
    return {name: None if grad is None else factor * grad for name, grad in grads.items()}


@points("clip_by_global_norm", 2)
def test_clip_values(student: Student, rng: Rng) -> None:
    """Above the threshold, every gradient is scaled so that their joint norm is max_norm."""
    norm, max_norm = rng.uniform(6, 12), rng.uniform(1, 3)
    grads = _gradients(rng, norm)
    clipped, _ = _clipped(student.clip_by_global_norm(grads, max_norm))
    assert_matches(clipped, _scaled(grads, max_norm / norm), "clipped")


@points("clip_by_global_norm", 1)
def test_clip_keeps_the_direction(student: Student, rng: Rng) -> None:
    """One factor scales all tensors, so the direction is kept, even when one is far larger."""
    grads = _gradients(rng, 1.0)
    grads["W_hh"] *= 50
    clipped, _ = _clipped(student.clip_by_global_norm(grads, 0.5))
    assert_like(clipped, grads, "clipped")
    before = np.concatenate([grad.ravel() for grad in grads.values()])
    after = np.concatenate([clipped[name].ravel() for name in grads])
    length_before, length_after = float(np.linalg.norm(before)), float(np.linalg.norm(after))
    cosine = float(before @ after) / (length_before * max(length_after, 1e-100))
    assert_true(
        cosine > 1 - 1e-9 and length_after < length_before,
        "The clipped gradients, laid end to end, should be a shorter vector in the same direction.",
        expected="a shorter vector, cosine 1",
        got=f"length {length_after:.3g} of {length_before:.3g}, cosine {cosine:.4f}",
    )


@points("clip_by_global_norm", 1)
def test_clip_leaves_small_gradients(student: Student, rng: Rng) -> None:
    """Below the threshold, the gradients come back as they are."""
    grads = _gradients(rng, 0.7)
    clipped, _ = _clipped(student.clip_by_global_norm(grads, 2.0))
    assert_matches(clipped, grads, "clipped", rtol=0.0, atol=0.0)


@points("clip_by_global_norm", 1)
def test_clip_returns_the_norm_before(student: Student, rng: Rng) -> None:
    """The norm that comes back is the one before clipping."""
    norm = rng.uniform(6, 12)
    _, got = _clipped(student.clip_by_global_norm(_gradients(rng, norm), 1.5))
    assert_matches(got, norm, "the norm")


@points("clip_by_global_norm", 1)
def test_clip_none(student: Student, rng: Rng) -> None:
    """A None, a tensor that got no gradient, stays None and does not count."""
    grads: dict[str, Array | None] = {**_gradients(rng, 8.0), "W_hh": None}
    norm = _joint_norm(grads.values())
    clipped, _ = _clipped(student.clip_by_global_norm(grads, 0.9))
    assert_matches(clipped, _scaled(grads, 0.9 / norm), "clipped")


@points("clip_by_global_norm", 1)
def test_clip_zero(student: Student, rng: Rng) -> None:
    """Gradients that are all zero stay zero, with a norm of zero."""
    grads = _scaled(_gradients(rng, 1.0), 0.0)
    clipped, norm = _clipped(student.clip_by_global_norm(grads, 1.0))
    assert_matches(clipped, grads, "clipped", rtol=0.0, atol=0.0)
    assert_matches(norm, 0.0, "the norm")


@points("clip_by_global_norm", 1)
def test_clip_refuses_what_is_not_finite(student: Student, rng: Rng) -> None:
    """A norm that is infinite or not a number raises ValueError; finite gradients do not."""
    grads = _gradients(rng, 8.0)
    assert_true(_clipped(student.clip_by_global_norm(grads, 2.0)), "")
    for value in (np.inf, np.nan):
        bad = _gradients(rng, 8.0)
        bad["b_hh"][2] = value
        assert_raises(
            student.observe("clip_by_global_norm", bad, 2.0),
            ("ValueError",),
            f"One gradient held {value}, and scaling by such a norm would spoil every weight.",
        )


@points("clip_by_global_norm", 1)
def test_clip_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The gradients that were passed in are left as they were."""
    grads = _gradients(rng, 8.0)
    clipped, _ = _clipped(student.clip_by_global_norm(grads, 2.0))
    assert_like(clipped, grads, "clipped")
    assert_unchanged(student.calls[-1].outcome, (grads,), ("grads",))
