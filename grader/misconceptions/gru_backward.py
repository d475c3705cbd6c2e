"""Wrong answers to the exercises on the backward pass of the GRU, with words for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gatedrnn.analysis.routes import ROUTES
from gatedrnn.analysis.routes import gru_route_norms as right_norms
from gatedrnn.analysis.routes import gru_routes as right_routes
from gatedrnn.equations import (
    gru_backward,
    gru_gate_gradients,
    gru_gates,
    gru_step,
    gru_step_backward,
    gru_unroll,
)
from gatedrnn.equations.activations import sigmoid
from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]
Gradients = dict[str, Array]
PARAMETERS = ("W_ih", "W_hh", "b_ih", "b_hh")
GATES = "gru_backward.html#through-the-gates"
WEIGHTS = "gru_backward.html#to-the-weights-and-the-old-state"
TIME = "gru_backward.html#through-time"


# ---------------------------------------------------------------- gru_step_backward


class _Forward(NamedTuple):
    """r, z, n, W_hn h + b_hn, and the sum inside n."""

    r: Array
    z: Array
    n: Array
    h_n: Array
    a_n: Array


def _forward(x: Array, h: Array, p: Params) -> _Forward:
    r = sigmoid(x @ p["W_ir"].T + p["b_ir"] + h @ p["W_hr"].T + p["b_hr"])
    z = sigmoid(x @ p["W_iz"].T + p["b_iz"] + h @ p["W_hz"].T + p["b_hz"])
    h_n = h @ p["W_hn"].T + p["b_hn"]
    a_n = x @ p["W_in"].T + p["b_in"] + r * h_n
    return _Forward(r, z, np.tanh(a_n), h_n, a_n)


class _Sums(NamedTuple):
    """Gradients of the sums inside r, z and n, of W_hn h + b_hn, and the direct part of dL/dh."""

    r: Array
    z: Array
    n: Array
    h_n: Array
    direct: Array


def _sums(dh: Array, h: Array, f: _Forward) -> _Sums:
    da_n = dh * (1 - f.z) * (1 - f.n**2)
    da_z = dh * (h - f.n) * f.z * (1 - f.z)
    return _from_candidate(da_n, da_z, dh * f.z, f)


def _from_candidate(da_n: Array, da_z: Array, direct: Array, f: _Forward) -> _Sums:
    """What follows once the gradient of the candidate's sum is known."""
    return _Sums(da_n * f.h_n * f.r * (1 - f.r), da_z, da_n, da_n * f.r, direct)


def _collect(s: _Sums, x: Array, h: Array, p: Params) -> Gradients:
    inputs, states = {"r": s.r, "z": s.z, "n": s.n}, {"r": s.r, "z": s.z, "n": s.h_n}
    grads = {
        "x": np.sum([da @ p[f"W_i{g}"] for g, da in inputs.items()], axis=0),
        "h": s.direct + np.sum([da @ p[f"W_h{g}"] for g, da in states.items()], axis=0),
    }
    for gate in "rzn":
        grads[f"W_i{gate}"] = inputs[gate].T @ x
        grads[f"W_h{gate}"] = states[gate].T @ h
        grads[f"b_i{gate}"] = inputs[gate].sum(axis=0)
        grads[f"b_h{gate}"] = states[gate].sum(axis=0)
    return grads


def _right(dh_next: Array, x: Array, h: Array, p: Params) -> Gradients:
    return _collect(_sums(dh_next, h, _forward(x, h, p)), x, h, p)


@misconception(
    "gru_step_backward",
    "factor 1 - z missing",
    says="Your gradient of the candidate is `dh_next * (1 - n**2)`: the weight with which n enters "
    "h' is missing. In h' = (1 - z) n + z h the candidate counts only for `1 - z`, and everything "
    "behind it, r included, is too large by that factor.",
    see=GATES,
)
def no_weight_of_candidate(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    s = _sums(dh_next, h, f)
    return _collect(_from_candidate(dh_next * (1 - f.n**2), s.z, s.direct, f), x, h, params)


@misconception(
    "gru_step_backward",
    "z and 1 - z swapped",
    says="Your gradients belong to h' = z n + (1 - z) h, the other sense of the update gate. Here "
    "z keeps the old state: the candidate gets `1 - z`, the old state gets `z`, and the gradient "
    "of z has the factor `h - n`.",
    see="gru.html#two-senses-of-the-update-gate",
)
def other_sense(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    da_n = dh_next * f.z * (1 - f.n**2)
    da_z = dh_next * (f.n - h) * f.z * (1 - f.z)
    return _collect(_from_candidate(da_n, da_z, dh_next * (1 - f.z), f), x, h, params)


@misconception(
    "gru_step_backward",
    "sign of the gradient of z",
    says="Your gradient of z has the factor `n - h`, and it should be `h - n`. Raising z moves h' "
    "from the candidate towards the old state, as h' = n + z (h - n) shows. With the sign turned, "
    "training closes exactly the gates that it should open.",
    see=GATES,
)
def sign_of_z(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    return _collect(s._replace(z=-s.z), x, h, params)


@misconception(
    "gru_step_backward",
    "z weighs the old state only",
    says="Your gradient of z has the factor `h` alone. z stands twice in h' = (1 - z) n + z h: it "
    "adds old state and takes candidate away, so that the factor is `h - n`.",
    see=GATES,
)
def z_without_candidate(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    s = _sums(dh_next, h, f)
    return _collect(s._replace(z=dh_next * h * f.z * (1 - f.z)), x, h, params)


@misconception(
    "gru_step_backward",
    "direct path forgotten",
    says="Your gradient of h comes through the gates and the candidate only. h also stands by "
    "itself in z h, so that `dh_next * z` belongs to the sum. It is the largest part in a fresh "
    "GRU, and the whole reason for the gate.",
    see="gru_backward.html#four-routes",
)
def no_direct_path(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    return _collect(s._replace(direct=np.zeros_like(h)), x, h, params)


@misconception(
    "gru_step_backward",
    "route through r missing",
    says="Your gradient of h leaves out what comes back through the reset gate: r was computed "
    "from h too, so `da_r @ W_hr` belongs to the sum. It is the smallest of the four routes, "
    "and a training run would hardly show that it is missing.",
    see="gru_backward.html#four-routes",
)
def no_route_through_r(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    grads = _collect(s, x, h, params)
    return {**grads, "h": grads["h"] - s.r @ params["W_hr"]}


@misconception(
    "gru_step_backward",
    "r treated as a constant",
    says="In your code nothing reaches the reset gate: its weights and biases get zeros. r "
    "multiplies W_hn h + b_hn inside the tanh, so `da_r = da_n * h_n * r * (1 - r)`. Without it "
    "the gate would never learn.",
    see=GATES,
)
def reset_constant(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    return _collect(s._replace(r=np.zeros_like(s.r)), x, h, params)


@misconception(
    "gru_step_backward",
    "b_hn as b_in",
    says="Your gradient of b_hn equals that of b_in. b_hn stands inside the bracket that r "
    "multiplies, so its gradient is the sum of `da_n * r`. For r and z the two biases do have the "
    "same gradient; for n they do not.",
    see="gru.html#two-biases-and-one-that-matters",
)
def hidden_bias_as_input_bias(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    grads = _right(dh_next, x, h, params)
    return {**grads, "b_hn": grads["b_in"].copy()}


@misconception(
    "gru_step_backward",
    "r forgotten on the way back",
    says="Your gradient of W_hn h + b_hn is `da_n`, without the factor r that multiplied it on the "
    "way forward. What is closed for the state is closed for its gradient: `dh_n = da_n * r`, in "
    "W_hn, in b_hn and in h.",
    see=GATES,
)
def no_reset_on_the_way_back(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    return _collect(s._replace(h_n=s.n), x, h, params)


@misconception(
    "gru_step_backward",
    "1 - a**2 with the sum a inside n",
    says="Your slope of the candidate is `1 - a**2`, where a is the sum inside the tanh. The rule "
    "is 1 - tanh(a)**2, and tanh(a) is n, so it is `1 - n**2`. With a it can even be negative.",
    see=GATES,
)
def slope_at_the_sum(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    s = _sums(dh_next, h, f)
    da_n = dh_next * (1 - f.z) * (1 - f.a_n**2)
    return _collect(_from_candidate(da_n, s.z, s.direct, f), x, h, params)


@misconception(
    "gru_step_backward",
    "slope of the logistic function forgotten",
    says="Your gradients of r and z stop at the gate. Weights and biases stand inside the "
    "logistic function, whose slope is `r * (1 - r)` and `z * (1 - z)`. Without it the gradient is "
    "at least four times too large.",
    see=GATES,
)
def no_logistic_slope(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    s = _sums(dh_next, h, f)
    return _collect(s._replace(r=s.n * f.h_n, z=dh_next * (h - f.n)), x, h, params)


@misconception(
    "gru_step_backward",
    "r weighs W_hn h without its bias",
    says="Your gradient of r has the factor W_hn h. What r multiplies is W_hn h + b_hn, with the "
    "bias, and so that is the factor. With zero biases the two agree, and that is why the check "
    "draws them at random.",
    see=GATES,
)
def reset_without_bias(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    s = _sums(dh_next, h, f)
    da_r = s.n * (f.h_n - params["b_hn"]) * f.r * (1 - f.r)
    return _collect(s._replace(r=da_r), x, h, params)


@misconception(
    "gru_step_backward",
    "the other GRU: reset before the product",
    says="Your gradients are right for another unit, in which the reset gate multiplies h before "
    "the product with W_hn. Here it multiplies W_hn h + b_hn, as in PyTorch, and then b_hn, W_hn, "
    "r and h get other gradients.",
    see="gru_backward.html#the-other-form",
)
def reset_before(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    r, z, *_ = _forward(x, h, params)
    n = np.tanh(x @ params["W_in"].T + params["b_in"] + (r * h) @ params["W_hn"].T + params["b_hn"])
    da_n = dh_next * (1 - z) * (1 - n**2)
    da_z = dh_next * (h - n) * z * (1 - z)
    d_rh = da_n @ params["W_hn"]
    s = _Sums(d_rh * h * r * (1 - r), da_z, da_n, da_n, dh_next * z)
    grads = _collect(s, x, h, params)
    grads["h"] = grads["h"] - d_rh + d_rh * r
    return {**grads, "W_hn": da_n.T @ (r * h)}


@misconception(
    "gru_step_backward",
    "overwritten: only the last block counts",
    says="Your gradients of x and h hold what the block n sends back, and nothing of r and z: each "
    "block overwrites the one before. x and h act through all of them, so their shares are added, "
    "with `+=`, to what is already there.",
    see=WEIGHTS,
)
def overwritten(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    s = _sums(dh_next, h, _forward(x, h, params))
    grads = _collect(s, x, h, params)
    return {**grads, "x": s.n @ params["W_in"], "h": s.h_n @ params["W_hn"]}


@misconception(
    "gru_step_backward",
    "averaged over the batch",
    says="Your parameter gradients are divided by the number of sequences. Whether the loss is a "
    "mean or a sum is already in `dh_next`; dividing here averages a second time.",
    see=WEIGHTS,
)
def mean_over_batch(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    grads = _right(dh_next, x, h, params)
    return {k: g if k in ("x", "h") else g / len(x) for k, g in grads.items()}


@misconception(
    "gru_step_backward",
    "W_h transposed on the way back",
    says="Your gradient of h goes through `da @ W_h.T`. The forward product was `h @ W_h.T`, so "
    "the way back is `da @ W_h`. The matrices are square, and both have the same shape: only "
    "values can tell.",
    see=WEIGHTS,
)
def transposed(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    turned = {k: v.T if k.startswith("W_h") else v for k, v in params.items()}
    s = _sums(dh_next, h, _forward(x, h, params))
    return {**_collect(s, x, h, params), "h": _collect(s, x, h, turned)["h"]}


@misconception(
    "gru_step_backward",
    "writes into dh_next",
    says="The values are right, but your function changes the array `dh_next` that it was given. "
    "In a walk through time the caller still needs it. Build new arrays, `dh_next * z`, in place "
    "of `dh_next *= z`.",
    see=TIME,
)
def writes_into_dh(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    f = _forward(x, h, params)
    grads = _collect(_sums(dh_next, h, f), x, h, params)
    dh_next *= f.z
    return grads


# ---------------------------------------------------------------- gru_backward


class _Walked(NamedTuple):
    """Gradients of both sides' sums (B, T, 3H), that of h0, and states before and after."""

    da_x: Array
    da_h: Array
    dh0: Array
    before: Array
    after: Array


def _own_carry(da_h: Array, direct: Array, W_hh: Array) -> Array:
    return direct + da_h @ W_hh


def _walk(
    doutputs: Array,
    x: Array,
    h0: Array,
    params: Params,
    carry: Callable[[Array, Array, Array], Array] = _own_carry,
) -> _Walked:
    """The loop of the right answer, with one place in which to go wrong."""
    after, _ = gru_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], after[:, :-1]], axis=1)
    r, z, n = gru_gates(x, before, params)
    H = h0.shape[1]
    h_n = before @ params["W_hh"][2 * H :].T + params["b_hh"][2 * H :]
    da_x, da_h = (np.zeros((*x.shape[:2], 3 * H)) for _ in range(2))
    dh = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        values = (a[:, t] for a in (before, r, z, n, h_n))
        da_x[:, t], da_h[:, t], direct = gru_gate_gradients(dh, *values)
        dh = carry(da_h[:, t], direct, params["W_hh"])
    return _Walked(da_x, da_h, dh, before, after)


def _gradients(w: _Walked, x: Array, params: Params) -> Gradients:
    return {
        "x": w.da_x @ params["W_ih"],
        "h0": w.dh0,
        "W_ih": np.einsum("bth,btd->hd", w.da_x, x),
        "W_hh": np.einsum("bth,btk->hk", w.da_h, w.before),
        "b_ih": w.da_x.sum(axis=(0, 1)),
        "b_hh": w.da_h.sum(axis=(0, 1)),
    }


@misconception(
    "gru_backward",
    "= instead of += over time",
    says="Your parameter gradients hold what the last pass of the loop put there, the share of "
    "step 0. The same weights act at every step, so their gradient is the sum over all steps: "
    "write `+=`.",
    see=TIME,
)
def assigns(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    w = _walk(doutputs, x, h0, params)
    first = _Walked(w.da_x[:, :1], w.da_h[:, :1], w.dh0, w.before[:, :1], w.after[:, :1])
    return {**_gradients(first, x[:, :1], params), "x": w.da_x @ params["W_ih"]}


@misconception(
    "gru_backward",
    "dh not carried",
    says="At each step your code starts from `doutputs[:, t]` alone. A state also acts on all "
    "later steps, and what they send back has to be added: `dh = dh + doutputs[:, t]`, with dh "
    "the gradient of h from the step after.",
    see=TIME,
)
def not_carried(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    w = _walk(doutputs, x, h0, params, carry=lambda da_h, direct, W: np.zeros_like(direct))
    first = gru_step_backward(doutputs[:, 0], x[:, 0], h0, params)["h"]
    return {**_gradients(w, x, params), "h0": first}


@misconception(
    "gru_backward",
    "only the direct path carried",
    says="From step to step your code passes on `dh * z` and nothing else. The old state also acts "
    "through r, z and n, so the products with W_hh belong to what is carried. Over many steps the "
    "detours add up to most of the gradient.",
    see="gru_backward.html#which-way-the-gradient-takes",
)
def direct_only(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    w = _walk(doutputs, x, h0, params, carry=lambda da_h, direct, W: direct)
    return _gradients(w, x, params)


@misconception(
    "gru_backward",
    "direct path not carried",
    says="From step to step your code passes on what comes through W_hh, and forgets `dh * z`, the "
    "part of the old state that was simply kept. That is the road for which the gate was "
    "invented.",
    see="gru_backward.html#four-routes",
)
def direct_lost(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    w = _walk(doutputs, x, h0, params, carry=lambda da_h, direct, W: da_h @ W)
    return _gradients(w, x, params)


@misconception(
    "gru_backward",
    "loss at the last step only",
    says="Your code takes the gradient from `doutputs[:, -1]` and leaves the earlier ones out. The "
    "loss may read every output, so each step adds its own share, `doutputs[:, t]`.",
    see=TIME,
)
def last_loss_only(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    last = np.zeros_like(doutputs)
    last[:, -1] = doutputs[:, -1]
    return gru_backward(last, x, h0, params)


@misconception(
    "gru_backward",
    "averaged over the batch in sequences",
    says="Your parameter gradients are divided by the number of sequences. Whether the loss is a "
    "mean or a sum is already in `doutputs`; dividing here averages a second time, and the step "
    "that training takes shrinks with the batch.",
    see=WEIGHTS,
)
def mean_over_sequences(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    return {**right, **{name: right[name] / len(x) for name in PARAMETERS}}


@misconception(
    "gru_backward",
    "averaged over the steps",
    says="Your parameter gradients are divided by the number of steps. Every use of a weight adds "
    "its share, and shares are added, not averaged; how the loss weighs its steps is already in "
    "`doutputs`.",
    see=TIME,
)
def mean_over_steps(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    return {**right, **{name: right[name] / x.shape[1] for name in PARAMETERS}}


@misconception(
    "gru_backward",
    "W_hh paired with the new state",
    says="Your gradient of W_hh pairs step t with the state after it. W_hh multiplied the state "
    "before the step, h_{t-1}, and for the first step that is `h0`.",
    see=TIME,
)
def paired_with_new_state(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    w = _walk(doutputs, x, h0, params)
    return _gradients(w._replace(before=w.after), x, params)


@misconception(
    "gru_backward",
    "gradient of h0 one step short",
    says="What you return for h0 is the gradient of the first new state, h_1. One more step leads "
    "back to h0: through the gates, the candidate and the direct path of step 1.",
    see=TIME,
)
def stops_at_h1(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    rest = np.zeros_like(h0)
    if x.shape[1] > 1:
        h1 = gru_step(x[:, 0], h0, params)
        rest = gru_backward(doutputs[:, 1:], x[:, 1:], h1, params)["h0"]
    return {**right, "h0": rest + doutputs[:, 0]}


@misconception(
    "gru_backward",
    "both biases given one gradient",
    says="Your gradient of b_hh is a copy of that of b_ih. In the blocks r and z this is right, "
    "and in the last block it is not: b_hn stands inside the bracket that r multiplies, so its "
    "gradient has the factor r.",
    see="gru.html#two-biases-and-one-that-matters",
)
def one_bias_gradient(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    return {**right, "b_hh": right["b_ih"].copy()}


@misconception(
    "gru_backward",
    "blocks in the order z, r, n",
    says="Your packed gradients have the blocks in the order z, r, n, which is that of Keras. The "
    "parameters come in PyTorch's order r, z, n, and a gradient has the order of what it is a "
    "gradient of.",
    see="gru.html#one-unit-three-spellings",
)
def other_order(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    for name in PARAMETERS:
        r, z, n = np.split(right[name], 3)
        right[name] = np.concatenate([z, r, n])
    return right


@misconception(
    "gru_backward",
    "every step starts from h0",
    says="In your walk the state before every step is `h0`. The step at t started from h_{t-1}, "
    "which the forward pass has computed: keep the outputs, and use `h0` for the first step "
    "only.",
    see=TIME,
)
def always_h0(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    dh, dx = np.zeros_like(h0), np.zeros_like(x)
    total: Gradients = {name: np.zeros_like(params[name]) for name in PARAMETERS}
    for t in reversed(range(x.shape[1])):
        part = gru_step_backward(dh + doutputs[:, t], x[:, t], h0, params)
        dx[:, t], dh = part["x"], part["h"]
        total = {name: total[name] + part[name] for name in PARAMETERS}
    return {**total, "x": dx, "h0": dh}


@misconception(
    "gru_backward",
    "writes into doutputs",
    says="The values are right, but your walk adds to `doutputs` itself, as `doutputs[:, t] += dh` "
    "or `dh = doutputs[:, t]; dh += ...` would do: a slice is a view, not a copy. The caller's "
    "array is changed. Add into a new array, `dh = dh + doutputs[:, t]`.",
    see=TIME,
)
def writes_into_doutputs(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = gru_backward(doutputs, x, h0, params)
    after, _ = gru_unroll(x, h0, params)
    for t in reversed(range(1, x.shape[1])):
        step = gru_step_backward(doutputs[:, t], x[:, t], after[:, t - 1], params)
        doutputs[:, t - 1] += step["h"]
    return right


# ---------------------------------------------------------------- gru_function

Tensor = Any  # torch is loaded only where a misconception is called


def _function_forward(
    x: Tensor, h0: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    import torch

    h, kept = h0, []
    for t in range(x.shape[1]):
        x_r, x_z, x_n = (x[:, t] @ W_ih.T + b_ih).chunk(3, dim=1)
        h_r, h_z, h_n = (h @ W_hh.T + b_hh).chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
        kept.append((h, r, z, n, h_n))
    saved = tuple(torch.stack(values, dim=1) for values in zip(*kept, strict=True))
    return saved[0], h, saved


def _function_backward(
    doutputs: Tensor,
    dh_T: Tensor,
    inputs: tuple[Tensor, ...],
    saved: tuple[Tensor, ...],
    before: Tensor = None,
    slope: Callable[[Tensor], Tensor] = lambda n: 1 - n**2,
) -> tuple[Tensor, ...]:
    import torch

    x, h0, W_ih, W_hh, _, _ = inputs
    outputs, r, z, n, h_n = saved
    h = torch.cat([h0[:, None], outputs[:, :-1]], dim=1)
    da_x: list[Tensor] = []
    da_h: list[Tensor] = []
    dh = dh_T
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        da_n = dh * (1 - z[:, t]) * slope(n[:, t])
        da_z = dh * (h[:, t] - n[:, t]) * z[:, t] * (1 - z[:, t])
        da_r = da_n * h_n[:, t] * r[:, t] * (1 - r[:, t])
        da_x.insert(0, torch.cat([da_r, da_z, da_n], dim=1))
        da_h.insert(0, torch.cat([da_r, da_z, da_n * r[:, t]], dim=1))
        dh = dh * z[:, t] + da_h[0] @ W_hh
    on_x, on_h = torch.stack(da_x, dim=1), torch.stack(da_h, dim=1)
    met = h if before is None else before
    dW_ih = torch.einsum("btg,btd->gd", on_x, x)
    dW_hh = torch.einsum("btg,bth->gh", on_h, met)
    return on_x @ W_ih, dh, dW_ih, dW_hh, on_x.sum((0, 1)), on_h.sum((0, 1))


_BACKWARD = "gru_function_backward"
_NEEDS = "gru_backward.html#what-the-backward-pass-needs"


@misconception(
    "gru_function",
    "dh_T ignored",
    says="Your walk starts from zeros, and `dh_T` is never read. The operation has two results, "
    "outputs and last state, and a loss may read either; an encoder's loss reads the last state "
    "alone, and would train nothing. Start with `dh = dh_T`.",
    see=_NEEDS,
    replaces=_BACKWARD,
)
def last_state_ignored(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return _function_backward(doutputs, dh_T * 0, inputs, saved)


@misconception(
    "gru_function",
    "dh_T added at every step",
    says="Your walk adds `dh_T` at each step. It is the gradient of the last state alone, so it "
    "enters once, before the loop; from there the recurrence carries it back.",
    see=_NEEDS,
    replaces=_BACKWARD,
)
def last_state_everywhere(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return _function_backward(doutputs + dh_T[:, None], dh_T * 0, inputs, saved)


@misconception(
    "gru_function",
    "gradients in another order",
    says="Your gradients come with the parameters first and x and h0 last. Autograd knows no "
    "names: the first gradient goes to the first input, whatever it is. The order is that of the "
    "inputs, x, h0, W_ih, W_hh, b_ih, b_hh.",
    see=_NEEDS,
    replaces=_BACKWARD,
)
def other_order_of_inputs(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    dx, dh0, *rest = _function_backward(doutputs, dh_T, inputs, saved)
    return (*rest, dx, dh0)


@misconception(
    "gru_function",
    "no gradient for h0",
    says="Your gradient of h0 is zero, as if it were a constant. In most models it is, but the "
    "operation cannot know: h0 may come from an encoder. What the walk leaves in `dh` after the "
    "first step is its gradient.",
    see=TIME,
    replaces=_BACKWARD,
)
def h0_constant(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    dx, dh0, *rest = _function_backward(doutputs, dh_T, inputs, saved)
    return (dx, dh0 * 0, *rest)


@misconception(
    "gru_function",
    "b_hh given the gradient of b_ih",
    says="Your gradient of b_hh is that of b_ih. For the blocks r and z they agree; in the last "
    "block b_hn is multiplied by r, and its gradient has that factor: sum `da_h`, not `da_x`.",
    see="gru.html#two-biases-and-one-that-matters",
    replaces=_BACKWARD,
)
def one_bias_for_both(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    grads = _function_backward(doutputs, dh_T, inputs, saved)
    return (*grads[:5], grads[4].clone())


@misconception(
    "gru_function",
    "saved outputs taken for the states before",
    says="Your gradient of W_hh pairs step t with the saved output t, which is the state after the "
    "step. The state before it is output t - 1, and h0 for the first: "
    "`torch.cat([h0[:, None], outputs[:, :-1]], dim=1)`.",
    see=_NEEDS,
    replaces=_BACKWARD,
)
def outputs_as_states_before(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return _function_backward(doutputs, dh_T, inputs, saved, before=saved[0])


@misconception(
    "gru_function",
    "tanh taken twice",
    says="Your slope is `1 - torch.tanh(n)**2`, but the saved n is a tanh already. The slope is "
    "`1 - n**2`, and this is why the value is saved and not the sum.",
    see=_NEEDS,
    replaces=_BACKWARD,
)
def tanh_twice(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    return _function_backward(doutputs, dh_T, inputs, saved, slope=lambda n: 1 - n.tanh() ** 2)


@misconception(
    "gru_function",
    "divided by the batch size",
    says="Your gradients of the weights are divided by the number of sequences. Autograd hands you "
    "the gradient of the loss as it is, and the mean, if there is one, is in it already.",
    see=WEIGHTS,
    replaces=_BACKWARD,
)
def mean_of_batch(
    doutputs: Tensor, dh_T: Tensor, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    dx, dh0, *rest = _function_backward(doutputs, dh_T, inputs, saved)
    return (dx, dh0, *(g / len(dx) for g in rest))


@misconception(
    "gru_function",
    "saved h_n already multiplied by r",
    says="The last tensor that you save is r * (W_hn h + b_hn). Asked for is the bracket before r "
    "multiplies it, because it is the factor in the gradient of r; dividing by r afterwards would "
    "fail wherever r is 0.",
    see=_NEEDS,
    replaces="gru_function_forward",
)
def saves_the_product(
    x: Tensor, h0: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    outputs, last, (h, r, z, n, h_n) = _function_forward(x, h0, W_ih, W_hh, b_ih, b_hh)
    return outputs, last, (h, r, z, n, r * h_n)


@misconception(
    "gru_function",
    "saved h_n without its bias",
    says="The last tensor that you save is W_hn h, and b_hn is missing from it. r multiplies "
    "both, so both stand in the gradient of r.",
    see=_NEEDS,
    replaces="gru_function_forward",
)
def saves_without_bias(
    x: Tensor, h0: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    outputs, last, (h, r, z, n, h_n) = _function_forward(x, h0, W_ih, W_hh, b_ih, b_hh)
    return outputs, last, (h, r, z, n, h_n - b_hh.chunk(3)[2])


@misconception(
    "gru_function",
    "saved states before the steps",
    says="The first tensor that you save holds the state before each step. Asked for are the "
    "outputs, which the caller keeps anyway, so that they cost no memory of their own; h0 is among "
    "the inputs, and together they give the states before.",
    see=_NEEDS,
    replaces="gru_function_forward",
)
def saves_states_before(
    x: Tensor, h0: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    import torch

    outputs, last, saved = _function_forward(x, h0, W_ih, W_hh, b_ih, b_hh)
    return outputs, last, (torch.cat([h0[:, None], outputs[:, :-1]], dim=1), *saved[1:])


@misconception(
    "gru_function",
    "h0 ignored on the way forward",
    says="Your forward loop starts from zeros, whatever `h0` is. Zero is a common choice, but it "
    "is the caller's; and your backward pass then returns a gradient for an input that was never "
    "read.",
    see="rnn.html#a-whole-sequence",
    replaces="gru_function_forward",
)
def starts_at_zero(
    x: Tensor, h0: Tensor, W_ih: Tensor, W_hh: Tensor, b_ih: Tensor, b_hh: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    return _function_forward(x, h0 * 0, W_ih, W_hh, b_ih, b_hh)


# ---------------------------------------------------------------- route_norms

_ROUTES = "gru_backward.html#four-routes"


@misconception(
    "route_norms",
    "direct part with 1 - z",
    says="Your direct part is `dh_next * (1 - z)`. In h' = (1 - z) n + z h it is z that stands "
    "beside the old state; 1 - z is the weight of the candidate.",
    see=_ROUTES,
    replaces="gru_routes",
)
def direct_with_one_minus_z(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    _, z, _ = gru_gates(x, h, params)
    return {**right_routes(dh_next, x, h, params), "direct": dh_next * (1 - z)}


@misconception(
    "route_norms",
    "r counted in the route of n as well",
    says="Your part for n holds all that comes back through the candidate, and so what goes by r "
    "is counted twice: once there and once by itself. In the route n only the h inside W_hn h "
    "moves, and r stays still. The four parts must add up.",
    see=_ROUTES,
    replaces="gru_routes",
)
def r_inside_n(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    routes = right_routes(dh_next, x, h, params)
    return {**routes, "n": routes["n"] + routes["r"]}


@misconception(
    "route_norms",
    "n without the factor r",
    says="Your part for n goes through W_hn without the factor r. The bracket W_hn h + b_hn was "
    "multiplied by r on the way forward, and the gradient is on the way back.",
    see=_ROUTES,
    replaces="gru_routes",
)
def n_without_r(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    _, z, n = gru_gates(x, h, params)
    W_hn = np.split(params["W_hh"], 3)[2]
    part = (dh_next * (1 - z) * (1 - n**2)) @ W_hn
    return {**right_routes(dh_next, x, h, params), "n": part}


@misconception(
    "route_norms",
    "sign of the route through z",
    says="Your part for z has the factor `n - h`. More z means more of the old state and less of "
    "the candidate, so the factor is `h - n`. A norm alone would not show the sign; the sum of the "
    "four parts does.",
    see=_ROUTES,
    replaces="gru_routes",
)
def sign_of_z_route(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    routes = right_routes(dh_next, x, h, params)
    return {**routes, "z": -routes["z"]}


@misconception(
    "route_norms",
    "route through r without b_hn",
    says="Your part for r has the factor W_hn h, and b_hn is missing. r multiplies W_hn h + b_hn, "
    "so moving r moves the bias's share too.",
    see=_ROUTES,
    replaces="gru_routes",
)
def r_without_bias(dh_next: Array, x: Array, h: Array, params: Params) -> Gradients:
    r, z, n = gru_gates(x, h, params)
    W_hr, _, W_hn = np.split(params["W_hh"], 3)
    part = (dh_next * (1 - z) * (1 - n**2) * (h @ W_hn.T) * r * (1 - r)) @ W_hr
    return {**right_routes(dh_next, x, h, params), "r": part}


@misconception(
    "route_norms",
    "total as the sum of the norms",
    says="Your total adds the four norms. The parts are vectors that point in different "
    "directions, so add the vectors first and take the norm of the sum; the sum of the norms is "
    "always larger.",
    see=_ROUTES,
)
def sum_of_norms(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    norms = right_norms(dh_T, x, h0, params)
    return {**norms, "total": np.sum([norms[name] for name in ROUTES], axis=0)}


@misconception(
    "route_norms",
    "each route walks alone",
    says="In your walk each route carries on only what came by itself. At every step the whole "
    "gradient splits anew into four: what came through n may go on directly, and so on. The sum of "
    "the four parts is what walks on.",
    see="gru_backward.html#which-way-the-gradient-takes",
)
def walks_alone(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    states = _states_before(x, h0, params)
    norms: dict[str, list[float]] = {name: [] for name in (*ROUTES, "total")}
    walkers = dict.fromkeys(ROUTES, dh_T)
    for t in reversed(range(x.shape[1])):
        for name in ROUTES:
            walkers[name] = right_routes(walkers[name], x[:, t], states[:, t], params)[name]
            norms[name].append(float(np.linalg.norm(walkers[name])))
        norms["total"].append(float(np.linalg.norm(sum(walkers.values()))))
    return {name: np.array(values) for name, values in norms.items()}


def _states_before(x: Array, h0: Array, params: Params) -> Array:
    return np.concatenate([h0[:, None], gru_unroll(x, h0, params)[0][:, :-1]], axis=1)


@misconception(
    "route_norms",
    "in the order of time",
    says="Your norms are in the order of time: the first entry is that of the first step. Asked "
    "for is the order of lags, in which entry 0 belongs to the last step, where the gradient "
    "starts.",
    see=_ROUTES,
)
def order_of_time(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    return {name: norms[::-1] for name, norms in right_norms(dh_T, x, h0, params).items()}


@misconception(
    "route_norms",
    "mean of the sequences' norms",
    says="Your norms are taken sequence by sequence and then averaged. Asked for is one norm over "
    "batch and units together, the root of the sum of all squared entries.",
    see=_ROUTES,
)
def mean_of_norms(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    rows = [slice(i, i + 1) for i in range(len(dh_T))]
    each = [right_norms(dh_T[i], x[i], h0[i], params) for i in rows]
    return {name: np.mean([one[name] for one in each], axis=0) for name in each[0]}


@misconception(
    "route_norms",
    "square root missing in the norms",
    says="Your entries are sums of squares. The norm is the square root of that sum; without it a "
    "gradient that halves seems to lose three quarters.",
    see=_ROUTES,
)
def squared_norms(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    return {name: norms**2 for name, norms in right_norms(dh_T, x, h0, params).items()}


@misconception(
    "route_norms",
    "total one step late",
    says="Your total is noted before each step, so that it begins with the norm of `dh_T` itself. "
    "Its entry belongs to the same step as the four parts: it is the norm of their sum.",
    see=_ROUTES,
)
def total_one_step_late(dh_T: Array, x: Array, h0: Array, params: Params) -> Gradients:
    norms = right_norms(dh_T, x, h0, params)
    start = float(np.linalg.norm(dh_T))
    return {**norms, "total": np.array([start, *norms["total"][:-1]])}
