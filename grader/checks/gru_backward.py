"""Checks of the unit on the backward pass of the gated recurrent unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gatedrnn.analysis.gradients import central_differences
from gatedrnn.analysis.routes import ROUTES, gru_route_norms
from gatedrnn.analysis.routes import gru_routes as right_routes
from gatedrnn.equations import gru_backward, gru_gates, gru_step, gru_step_backward, gru_unroll
from grader.compare import (
    CheckFailed,
    assert_like,
    assert_matches,
    assert_true,
    assert_unchanged,
)
from grader.draw import parameters
from grader.exercise import Exercise, points
from grader.student import Student

Array = np.ndarray
Params = dict[str, Array]
Rng = np.random.Generator

BY_HAND = ("automatic differentiation",)

EXERCISES = (
    Exercise(
        "gru_step_backward",
        "One step back",
        see="gru_backward.html#through-the-gates",
        without=BY_HAND,
        hints=(
            "Begin at the end: h' = (1 - z) n + z h. Moving h' by a little moves the loss by "
            "`dh_next`. How much of that reaches z, n and the h that stands there?",
            "Write four arrays (B, H): the gradients of the sums inside n, z and r, and of "
            "W_hn h + b_hn. Each is `dh_next` times slopes. `da_n = dh_next * (1 - z) * "
            "(1 - n**2)`; that of z has the factor `h - n`; that of r begins with `da_n`.",
            "`da_z = dh_next * (h - n) * z * (1 - z)`, `da_r = da_n * h_n * r * (1 - r)`, "
            "`dh_n = da_n * r`. For the input's side use da_r, da_z, da_n, and for the state's "
            "da_r, da_z, dh_n: weights `da.T @ x` or `da.T @ h`, biases `da.sum(axis=0)`, and `h` "
            "gets `dh_next * z` plus three products.",
        ),
    ),
    Exercise(
        "gru_backward",
        "A whole sequence back",
        see="gru_backward.html#through-time",
        without=BY_HAND,
        hints=(
            "The loop is the one that you wrote for the plain network. What does each pass "
            "receive from the loss, what from later steps, and what does it hand on?",
            "First run the forward pass and keep the state before each step, h0 for the first. "
            "Then, from the last step: `dh = dh + doutputs[:, t]`, one step back, add to the "
            "weights' gradients, and go on with the step's gradient of h.",
            "With `before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)` the pass at t "
            "is `part = stacked(gru_step_backward(dh, x[:, t], before[:, t], by_gate(params)))`; "
            "then `grads[name] += part[name]` for the four parameters, `dx[:, t] = part['x']`, "
            "and `dh = part['h']`, which is the gradient of h0 when the loop ends.",
        ),
    ),
    Exercise(
        "gru_function",
        "An operation for autograd",
        see="gru_backward.html#what-the-backward-pass-needs",
        without=BY_HAND,
        functions=("gru_function_forward", "gru_function_backward"),
        hints=(
            "The backward pass may read only its arguments. Which arrays of the forward pass "
            "stand in the formulas of one step back?",
            "In the forward loop, append (h, r, z, n, h_n) at each step, with h the new state; "
            "`tuple(torch.stack(values, dim=1) for values in zip(*kept))` makes the five saved "
            "tensors of it. In the backward pass the walk starts with `dh = dh_T`.",
            "Backward, at each t from the last: `dh = dh + doutputs[:, t]`; the four gradients of "
            "a step as before; `da_x = torch.cat([da_r, da_z, da_n], 1)` and `da_h = "
            "torch.cat([da_r, da_z, dh_n], 1)`; `dx[:, t] = da_x @ W_ih`, add `da_x.T @ x[:, t]`, "
            "`da_h.T @ before`, `da_x.sum(0)`, `da_h.sum(0)`; then `dh = dh * z + da_h @ W_hh`. "
            "Return dx, dh and the four sums, in the order of the inputs.",
        ),
    ),
    Exercise(
        "route_norms",
        "Four routes",
        see="gru_backward.html#four-routes",
        without=BY_HAND,
        functions=("gru_routes", "route_norms"),
        hints=(
            "The old state stands in four places of the step: once by itself, and once inside "
            "each of z, r and n. In each route h moves in one of them, and the others stay still.",
            "Your gradient of h in one step is a sum of four terms. Return them apart: "
            "`dh_next * z`, and the products of da_z, da_r and dh_n with W_hz, W_hr and W_hn.",
            "`route_norms` walks back like BPTT: at each step split `dh` by `gru_routes`, note "
            "`np.linalg.norm` of each part (over batch and units), add the four parts to get the "
            "next `dh`, and note its norm as `total`. The first entry is that of the last step.",
        ),
    ),
)

#: The twelve parameters of one step by their own names, in the order of the packed arrays.
GATED = [f"{kind}_{side}{gate}" for kind in "Wb" for side in "ih" for gate in "rzn"]
STEP_TENSORS = ["x", "h", *GATED]
PARAMETERS = ("W_ih", "W_hh", "b_ih", "b_hh")
TENSORS = ("x", "h0", *PARAMETERS)
#: A bias that drives a sigmoid to exactly 1 in float64.
OPEN = 1e3


def by_gate(packed: Mapping[str, Array]) -> dict[str, Array]:
    """The blocks of the four packed arrays under names of their own; other keys are left out."""
    return {
        f"{name[:3]}{gate}": block.copy()
        for name in PARAMETERS
        for gate, block in zip("rzn", np.split(packed[name], 3), strict=True)
    }


def _entry(got: Any, name: str) -> Any:
    """One gradient of a dictionary of them; the others are not looked at."""
    assert_true(
        isinstance(got, Mapping) and name in got,
        f"The result is a dictionary, and it needs the key {name!r}.",
    )
    return got[name]


def _sequence(
    rng: Rng, batch: int = 4, steps: int = 5, inputs: int = 3, hidden: int = 4
) -> tuple[Array, Array, Array, Params]:
    """doutputs, x, h0 and packed parameters."""
    return (
        rng.normal(size=(batch, steps, hidden)),
        rng.normal(size=(batch, steps, inputs)),
        rng.normal(size=(batch, hidden)),
        parameters(rng, 3, inputs, hidden),
    )


# ---------------------------------------------------------------- gru_step_backward


def _step(rng: Rng, **sizes: int) -> tuple[Array, Array, Array, Params]:
    """dh_next, x, h and packed parameters of one step."""
    doutputs, x, h, params = _sequence(rng, steps=1, **sizes)
    return doutputs[:, 0], x[:, 0], h, params


def _right_step(dh_next: Array, x: Array, h: Array, params: Params) -> dict[str, Array]:
    packed = gru_step_backward(dh_next, x, h, params)
    return {"x": packed["x"], "h": packed["h"], **by_gate(packed)}


def _student_step(student: Student, dh_next: Array, x: Array, h: Array, params: Params) -> Any:
    return student.gru_step_backward(dh_next, x, h, by_gate(params))


@points("gru_step_backward", 0.5)
@pytest.mark.parametrize("name", STEP_TENSORS)
def test_gru_step_backward_gradient(student: Student, rng: Rng, name: str) -> None:
    """The gradient of {name} is right."""
    inputs = _step(rng)
    got = _entry(_student_step(student, *inputs), name)
    assert_matches(got, _right_step(*inputs)[name], f"the gradient of {name}")


def step_slopes(dh_next: Array, x: Array, h: Array, params: Params) -> dict[str, Array]:
    """Gradients of sum(dh_next * h'), by central differences of the forward equations alone."""
    tensors = {"x": x, "h": h, **params}
    slopes = {
        name: central_differences(
            lambda: float((dh_next * gru_step(x, h, params)).sum()), tensors[name]
        )
        for name in tensors
    }
    return {"x": slopes["x"], "h": slopes["h"], **by_gate(slopes)}


@points("gru_step_backward", 2)
def test_gru_step_backward_is_the_slope_of_the_loss(student: Student, rng: Rng) -> None:
    """All fourteen gradients agree with central differences of the loss."""
    inputs = _step(rng, batch=2, inputs=2, hidden=3)
    expected = step_slopes(*inputs)
    got = _student_step(student, *inputs)
    for name in STEP_TENSORS:
        what = f"the gradient of {name}"
        assert_matches(_entry(got, name), expected[name], what, rtol=1e-6, atol=1e-8)


@points("gru_step_backward", 1)
def test_gru_step_backward_one_sequence(student: Student, rng: Rng) -> None:
    """For a batch of one sequence, the gradients of the twelve parameters are right."""
    inputs = _step(rng, batch=1)
    got, expected = _student_step(student, *inputs), _right_step(*inputs)
    for name in GATED:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("gru_step_backward", 1)
def test_gru_step_backward_where_z_is_one(student: Student, rng: Rng) -> None:
    """Where z is 1, dh_next comes back as it is, and no weight has any gradient."""
    dh_next, x, h, params = _step(rng)
    usual = _entry(_student_step(student, dh_next, x, h, params), "W_in")
    assert_like(usual, np.split(params["W_ih"], 3)[2], "the gradient of W_in")
    assert_true(np.ptp(usual) > 1e-9, "The gradient of W_in should not be the same everywhere.")
    H = h.shape[1]
    params["b_ih"][H : 2 * H] = OPEN
    got = _student_step(student, dh_next, x, h, params)
    assert_matches(_entry(got, "h"), dh_next, "the gradient of h")
    for name in GATED[:6]:
        nothing = np.zeros_like(by_gate(params)[name])
        assert_matches(_entry(got, name), nothing, f"the gradient of {name}")


@points("gru_step_backward", 1)
def test_gru_step_backward_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    dh_next, x, h, params = _step(rng)
    got = _student_step(student, dh_next, x, h, params)
    for name in STEP_TENSORS:
        expected = _right_step(dh_next, x, h, params)[name]
        assert_like(_entry(got, name), expected, f"the gradient of {name}")
    assert_true(np.ptp(got["h"]) > 1e-9, "The gradient of h should not be the same everywhere.")
    arguments = (dh_next, x, h, by_gate(params))
    assert_unchanged(student.calls[-1].outcome, arguments, ("dh_next", "x", "h", "params"))


# ---------------------------------------------------------------- gru_backward


@points("gru_backward", 1)
@pytest.mark.parametrize("name", TENSORS)
def test_gru_backward_gradient(student: Student, rng: Rng, name: str) -> None:
    """The gradient of {name} is right, over five steps and four sequences."""
    inputs = _sequence(rng)
    got = _entry(student.gru_backward(*inputs), name)
    assert_matches(got, gru_backward(*inputs)[name], f"the gradient of {name}")


@points("gru_backward", 2)
def test_gru_backward_is_torch_autograd(student: Student, rng: Rng) -> None:
    """All six gradients are those that autograd finds for `torch.nn.GRU` with the same weights."""
    inputs = _sequence(rng, batch=3, steps=6, inputs=4, hidden=3)
    expected = autograd_gradients(*inputs)
    got = student.gru_backward(*inputs)
    for name in TENSORS:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


def autograd_gradients(doutputs: Array, x: Array, h0: Array, params: Params) -> dict[str, Array]:
    """Gradients of sum(doutputs * outputs) by torch.nn.GRU, where no formula of ours is used."""
    import torch

    layer = torch.nn.GRU(x.shape[2], h0.shape[1], batch_first=True, dtype=torch.float64)
    names = {"W_ih": "weight_ih_l0", "W_hh": "weight_hh_l0", "b_ih": "bias_ih_l0"}
    names["b_hh"] = "bias_hh_l0"
    layer.load_state_dict({names[key]: torch.from_numpy(params[key]) for key in names})
    tensors = {"x": torch.tensor(x), "h0": torch.tensor(h0)}
    for tensor in tensors.values():
        tensor.requires_grad_()
    outputs, _ = layer(tensors["x"], tensors["h0"][None])
    (outputs * torch.from_numpy(doutputs)).sum().backward()
    tensors |= {key: layer.get_parameter(names[key]) for key in names}
    grads = {name: tensor.grad for name, tensor in tensors.items()}
    return {name: grad.numpy() for name, grad in grads.items() if grad is not None}


@points("gru_backward", 1)
def test_gru_backward_one_step(student: Student, rng: Rng) -> None:
    """The gradients of the four parameters are right for a sequence of one step."""
    inputs = _sequence(rng, steps=1)
    got, expected = student.gru_backward(*inputs), gru_backward(*inputs)
    for name in PARAMETERS:
        assert_matches(_entry(got, name), expected[name], f"the gradient of {name}")


@points("gru_backward", 1)
def test_gru_backward_reaches_back(student: Student, rng: Rng) -> None:
    """A loss at the last step alone sends the right gradient to the first input."""
    doutputs, x, h0, params = _sequence(rng)
    doutputs[:, :-1] = 0
    got = _entry(student.gru_backward(doutputs, x, h0, params), "x")
    expected = gru_backward(doutputs, x, h0, params)["x"]
    assert_like(got, expected, "the gradient of x")
    assert_matches(got[:, 0], expected[:, 0], "the gradient of the first input, `dx[:, 0]`")


@points("gru_backward", 1)
def test_gru_backward_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments are left as they were."""
    inputs = _sequence(rng)
    got, expected = student.gru_backward(*inputs), gru_backward(*inputs)
    for name in TENSORS:
        assert_like(_entry(got, name), expected[name], f"the gradient of {name}")
    assert_true(np.ptp(got["x"]) > 1e-9, "The gradient of x should not be the same everywhere.")
    names = ("doutputs", "x", "h0", "params")
    assert_unchanged(student.calls[-1].outcome, inputs, names)


# ---------------------------------------------------------------- gru_function

SAVED = ("outputs", "r", "z", "n", "h_n")


def _tensors(rng: Rng, **sizes: int) -> tuple[Any, Any, tuple[Any, ...]]:
    """doutputs, dh_T and the six inputs, as tensors."""
    import torch

    doutputs, x, h0, params = _sequence(rng, **sizes)
    arrays = (doutputs, rng.normal(size=h0.shape), x, h0, *(params[name] for name in PARAMETERS))
    tensors = tuple(torch.from_numpy(array) for array in arrays)
    return tensors[0], tensors[1], tensors[2:]


def _numpy(inputs: tuple[Any, ...]) -> tuple[Array, Array, Params]:
    x, h0, *rest = (tensor.numpy() for tensor in inputs)
    return x, h0, dict(zip(PARAMETERS, rest, strict=True))


def _right_forward(inputs: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
    """Outputs, last state and the five saved tensors."""
    import torch

    x, h0, params = _numpy(inputs)
    outputs, last = gru_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    H = h0.shape[1]
    h_n = before @ params["W_hh"][2 * H :].T + params["b_hh"][2 * H :]
    saved = (outputs, *gru_gates(x, before, params), h_n)
    tensors = tuple(torch.from_numpy(array) for array in saved)
    return tensors[0], torch.from_numpy(last), tensors


def _right_backward(doutputs: Any, dh_T: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    grads = gru_backward(doutputs.numpy(), *_numpy(inputs), dh_T=dh_T.numpy())
    return tuple(torch.from_numpy(grads[name]) for name in TENSORS)


def _forward(student: Student, inputs: tuple[Any, ...]) -> Any:
    got = student.gru_function_forward(*inputs)
    assert_true(
        isinstance(got, tuple | list) and len(got) == 3,
        "`gru_function_forward` returns three things: `return outputs, h_T, saved`.",
    )
    return got


@points("gru_function", 2)
def test_gru_function_forward_values(student: Student, rng: Rng) -> None:
    """The outputs and the last state are right."""
    *_, inputs = _tensors(rng)
    outputs, last, _ = _forward(student, inputs)
    expected = _right_forward(inputs)
    assert_matches(outputs, expected[0], "outputs")
    assert_matches(last, expected[1], "the last state")


@points("gru_function", 1)
def test_gru_function_saves_what_is_needed(student: Student, rng: Rng) -> None:
    """The five saved tensors are the outputs, r, z, n and W_hn h + b_hn of every step."""
    *_, inputs = _tensors(rng)
    saved, expected = _forward(student, inputs)[2], _right_forward(inputs)[2]
    assert_like(saved, expected, "saved")
    for name, got, want in zip(SAVED, saved, expected, strict=True):
        assert_matches(got, want, f"the saved {name}")


@points("gru_function", 0.5)
@pytest.mark.parametrize("name", TENSORS)
def test_gru_function_gradient(student: Student, rng: Rng, name: str) -> None:
    """From the right saved tensors, the gradient of {name} comes in its place and is right."""
    import torch

    doutputs, dh_T, inputs = _tensors(rng)
    dh_T = torch.zeros_like(dh_T)
    saved = _right_forward(inputs)[2]
    got = student.gru_function_backward(doutputs, dh_T, inputs, saved)
    expected = _right_backward(doutputs, dh_T, inputs)
    _six(got)
    at = TENSORS.index(name)
    assert_matches(got[at], expected[at], f"the gradient of {name}")


def _six(got: Any) -> None:
    assert_true(
        isinstance(got, tuple | list) and len(got) == len(TENSORS),
        "`gru_function_backward` returns six gradients, in the order of the inputs: "
        "x, h0, W_ih, W_hh, b_ih, b_hh.",
    )


@points("gru_function", 1)
def test_gru_function_last_state_counts(student: Student, rng: Rng) -> None:
    """A loss that reads the last state as well as the outputs sends both gradients back."""
    doutputs, dh_T, inputs = _tensors(rng)
    saved = _right_forward(inputs)[2]
    got = student.gru_function_backward(doutputs, dh_T, inputs, saved)
    expected = _right_backward(doutputs, dh_T, inputs)
    _six(got)
    assert_matches(got[0], expected[0], "the gradient of x")
    assert_matches(got[3], expected[3], "the gradient of W_hh")


@points("gru_function", 3)
def test_gru_function_passes_gradcheck(student: Student, rng: Rng) -> None:
    """Your two functions, made one operation of autograd, pass `torch.autograd.gradcheck`."""
    from torch.autograd.gradcheck import GradcheckError, gradcheck

    from gatedrnn.kernels.by_hand import by_hand

    doutputs, dh_T, inputs = _tensors(rng, batch=2, steps=3, inputs=3, hidden=2)
    got = _forward(student, inputs)
    assert_like(got, _right_forward(inputs), "(outputs, last state, saved)")
    grads = student.gru_function_backward(doutputs, dh_T, inputs, tuple(got[2]))
    assert_like(grads, _right_backward(doutputs, dh_T, inputs), "the gradients")
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    try:
        gradcheck(by_hand(_copying_forward(student), student.gru_function_backward), leaves)
    except GradcheckError as error:
        raise CheckFailed("values", _why(str(error)), "gradcheck passes", "it does not") from None


def _copying_forward(student: Student) -> Any:
    """The student's forward pass with results of their own: autograd marks what it is given."""

    def forward(*inputs: Any) -> Any:
        outputs, last, saved = student.gru_function_forward(*inputs)
        return outputs.clone(), last.clone(), saved

    return forward


def _why(words: str) -> str:
    """What gradcheck found, by the names of the exercise."""
    found = re.search(r"output (\d) with respect to input (\d)", words)
    if found is None:
        return f"gradcheck says: {words.splitlines()[0]}"
    output, source = ("the outputs", "the last state")[int(found[1])], TENSORS[int(found[2])]
    return (
        f"gradcheck moved every entry of {source} a little, and {output} changed otherwise "
        f"than your gradient of {source} says."
    )


@points("gru_function", 1)
def test_gru_function_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """Neither function changes its arguments."""
    doutputs, dh_T, inputs = _tensors(rng)
    outputs, last, saved = _right_forward(inputs)
    got = _forward(student, inputs)
    assert_like(got, (outputs, last, saved), "(outputs, last state, saved)")
    assert_true(float(got[0].std()) > 1e-9, "The outputs should not be the same everywhere.")
    names = ("x", "h0", *PARAMETERS)
    assert_unchanged(student.calls[-1].outcome, inputs, names)
    grads = student.gru_function_backward(doutputs, dh_T, inputs, saved)
    assert_like(grads, _right_backward(doutputs, dh_T, inputs), "the gradients")
    assert_true(float(grads[0].std()) > 1e-9, "The gradient of x should not be flat.")
    arguments = (doutputs, dh_T, inputs, saved)
    assert_unchanged(student.calls[-1].outcome, arguments, ("doutputs", "dh_T", "inputs", "saved"))


# ---------------------------------------------------------------- route_norms


@points("route_norms", 1)
@pytest.mark.parametrize("route", ROUTES)
def test_route_norms_part(student: Student, rng: Rng, route: str) -> None:
    """The part of the gradient that goes by the route {route} is right."""
    inputs = _step(rng)
    got = _entry(student.gru_routes(*inputs), route)
    assert_matches(got, right_routes(*inputs)[route], f"the part by the route {route}")


@points("route_norms", 1)
def test_route_norms_parts_add_up(student: Student, rng: Rng) -> None:
    """The four parts add up to the gradient of the old state."""
    inputs = _step(rng)
    got, expected = student.gru_routes(*inputs), right_routes(*inputs)
    parts = [_entry(got, route) for route in ROUTES]
    for part, route in zip(parts, ROUTES, strict=True):
        assert_like(part, expected[route], f"the part by the route {route}")
    whole = gru_step_backward(*inputs)["h"]
    assert_matches(np.sum(parts, axis=0), whole, "the sum of the four parts")


@points("route_norms", 2)
def test_route_norms_by_lag(student: Student, rng: Rng) -> None:
    """The norm of each route's part is right at every lag, from the last step to the first."""
    inputs = _walk(rng)
    got, expected = student.route_norms(*inputs), gru_route_norms(*inputs)
    for route in ROUTES:
        assert_matches(_entry(got, route), expected[route], f"the norms of the route {route}")


@points("route_norms", 1)
def test_route_norms_total(student: Student, rng: Rng) -> None:
    """The total is the norm of the gradient of each earlier state: of the sum of the parts."""
    inputs = _walk(rng)
    got = _entry(student.route_norms(*inputs), "total")
    assert_matches(got, gru_route_norms(*inputs)["total"], "the total")


@points("route_norms", 1)
def test_route_norms_leave_their_arguments_alone(student: Student, rng: Rng) -> None:
    """Neither function changes its arguments."""
    inputs = _walk(rng)
    got = student.route_norms(*inputs)
    assert_like(got, gru_route_norms(*inputs), "the norms")
    assert_true(np.ptp(got["total"]) > 1e-9, "The total should change from lag to lag.")
    assert_unchanged(student.calls[-1].outcome, inputs, ("dh_T", "x", "h0", "params"))
    step = _step(rng)
    assert_like(student.gru_routes(*step), right_routes(*step), "the four parts")
    assert_unchanged(student.calls[-1].outcome, step, ("dh_next", "x", "h", "params"))


def _walk(rng: Rng) -> tuple[Array, Array, Array, Params]:
    """dh_T, x, h0 and parameters."""
    doutputs, x, h0, params = _sequence(rng, steps=6)
    return doutputs[:, -1], x, h0, params
