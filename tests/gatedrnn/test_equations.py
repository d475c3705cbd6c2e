"""The equations against torch's modules, torch's autograd and finite differences."""

from functools import partial

import numpy as np
import pytest
import torch

from gatedrnn import equations

from .helpers import BLOCKS, B, D, H, T, assert_close, finite_differences, random_params

# name -> kind of cell, what the functions' names end in, arguments after params
VARIANTS = {
    "rnn_tanh": ("rnn", "", {"nonlinearity": "tanh"}),
    "rnn_relu": ("rnn", "", {"nonlinearity": "relu"}),
    "gru": ("gru", "", {}),
    "gru_reset_before": ("gru", "_reset_before", {}),
    "lstm": ("lstm", "", {}),
}
BIASES = ("both", "ih", "hh", "none")


class Case:
    """One variant with random arguments, its functions, and a random linear loss."""

    def __init__(self, variant, biases="both", seed=0):
        self.kind, self.suffix, self.options = VARIANTS[variant]
        rng = np.random.default_rng(seed)
        self.params = random_params(rng, self.kind, biases=biases)
        self.x = rng.normal(size=(B, T, D))
        self.h0, self.c0 = rng.normal(size=(2, B, H))
        self.doutputs = rng.normal(size=(B, T, H))
        self.dh_T, self.dc_T = rng.normal(size=(2, B, H))

    def function(self, name):
        function = getattr(equations, f"{self.kind}_{name}{self.suffix}")
        return partial(function, **self.options)

    def arguments(self):
        states = {"h0": self.h0, "c0": self.c0} if self.kind == "lstm" else {"h0": self.h0}
        return {"x": self.x, **states, **self.params}

    def unroll(self, arguments):
        """Outputs and the last states, a tuple, for arguments by name."""
        a = dict(arguments)
        x, h0, c0 = a.pop("x"), a.pop("h0"), a.pop("c0", None)
        outputs, last = self.function("unroll")(x, (h0, c0) if self.kind == "lstm" else h0, a)
        return outputs, last if self.kind == "lstm" else (last,)

    def loss(self, arguments):
        outputs, last = self.unroll(arguments)
        weights = (self.dh_T, self.dc_T)[: len(last)]
        return (outputs * self.doutputs).sum() + sum(
            (s * w).sum() for s, w in zip(last, weights, strict=True)
        )

    def backward(self):
        function = self.function("backward")
        if self.kind == "lstm":
            state0 = (self.h0, self.c0)
            return function(self.doutputs, self.x, state0, self.params, self.dh_T, self.dc_T)
        return function(self.doutputs, self.x, self.h0, self.params, self.dh_T)

    def torch_module(self):
        """torch.nn's layer with the same parameters; a missing bias is a zero."""
        layer = getattr(torch.nn, self.kind.upper())
        module = layer(D, H, batch_first=True, dtype=torch.float64, **self.options)
        zeros = np.zeros(BLOCKS[self.kind] * H)
        state = {
            "weight_ih_l0": self.params["W_ih"],
            "weight_hh_l0": self.params["W_hh"],
            "bias_ih_l0": self.params.get("b_ih", zeros),
            "bias_hh_l0": self.params.get("b_hh", zeros),
        }
        module.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
        return module


@pytest.mark.equation(
    "eq-rnn-step", "eq-rnn-slope", "eq-rnn-backward", "eq-rnn-weights", cases=("rnn_tanh",)
)
@pytest.mark.equation(
    "eq-gru-r",
    "eq-gru-z",
    "eq-gru-n",
    "eq-gru-h",
    "eq-gru-backward",
    "eq-gru-backward-weights",
    "eq-gru-backward-time",
    cases=("gru",),
)
@pytest.mark.equation(
    "eq-lstm-step", "eq-lstm-join", "eq-lstm-backward", "eq-lstm-backward-time", cases=("lstm",)
)
@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "gru_reset_before"])
def test_outputs_and_gradients_agree_with_torch(variant, biases):
    case = Case(variant, biases)
    module = case.torch_module()
    inputs = {
        name: torch.tensor(value, requires_grad=True)
        for name, value in case.arguments().items()
        if name in ("x", "h0", "c0")
    }
    states = tuple(inputs[name][None] for name in ("h0", "c0") if name in inputs)
    outputs, last = module(inputs["x"], states if case.kind == "lstm" else states[0])
    last = last if case.kind == "lstm" else (last,)
    loss = (outputs * torch.tensor(case.doutputs)).sum()
    for state, weight in zip(last, (case.dh_T, case.dc_T), strict=False):
        loss = loss + (state[0] * torch.tensor(weight)).sum()
    loss.backward()

    our_outputs, our_last = case.unroll(case.arguments())
    expected_last = {f"state {k}": s[0].detach().numpy() for k, s in enumerate(last)}
    assert_close({"outputs": our_outputs}, {"outputs": outputs.detach().numpy()}, 1e-12)
    assert_close({f"state {k}": s for k, s in enumerate(our_last)}, expected_last, 1e-12)
    names = {"W_ih": "weight_ih_l0", "W_hh": "weight_hh_l0"}
    names |= {"b_ih": "bias_ih_l0", "b_hh": "bias_hh_l0"}
    gradients = {name: tensor.grad for name, tensor in inputs.items()}
    gradients |= {name: getattr(module, names[name]).grad for name in case.params}
    expected = {name: gradient.numpy() for name, gradient in gradients.items()}
    assert_close(case.backward(), expected, 1e-11)


@pytest.mark.equation("eq-rnn-slope", "eq-rnn-backward", "eq-rnn-weights", cases=("rnn_tanh",))
@pytest.mark.equation(
    "eq-gru-backward", "eq-gru-backward-weights", "eq-gru-backward-time", cases=("gru",)
)
@pytest.mark.equation("eq-gru-backward-before", cases=("gru_reset_before",))
@pytest.mark.equation("eq-lstm-join", "eq-lstm-backward", "eq-lstm-backward-time", cases=("lstm",))
@pytest.mark.parametrize("biases", ["both", "none"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_backward_agrees_with_finite_differences(variant, biases):
    case = Case(variant, biases, seed=1)
    assert_close(case.backward(), finite_differences(case.loss, case.arguments()), 1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_backward_without_last_state_gradient(variant):
    case = Case(variant)
    case.dh_T, case.dc_T = np.zeros((2, B, H))
    with_zeros = case.backward()
    case.dh_T = case.dc_T = None
    assert_close(case.backward(), with_zeros, 0)


@pytest.mark.equation("eq-rnn-slope", "eq-rnn-backward", cases=("rnn_tanh",))
@pytest.mark.equation("eq-gru-backward", "eq-gru-backward-weights", "eq-gru-routes", cases=("gru",))
@pytest.mark.equation("eq-gru-backward-before", cases=("gru_reset_before",))
@pytest.mark.equation("eq-lstm-join", "eq-lstm-backward", "eq-lstm-backward-time", cases=("lstm",))
@pytest.mark.parametrize("variant", VARIANTS)
def test_step_backward_agrees_with_finite_differences(variant):
    case = Case(variant, seed=2)
    x, step, lstm = case.x[:, 0], case.function("step"), case.kind == "lstm"

    def loss(arguments):
        a = dict(arguments)
        x, h, c = a.pop("x"), a.pop("h"), a.pop("c", None)
        if lstm:
            h_next, c_next = step(x, (h, c), a)
            return (h_next * case.dh_T).sum() + (c_next * case.dc_T).sum()
        return (step(x, h, a) * case.dh_T).sum()

    if lstm:
        state = {"h": case.h0, "c": case.c0}
        got = case.function("step_backward")(
            case.dh_T, case.dc_T, x, (case.h0, case.c0), case.params
        )
    else:
        state = {"h": case.h0}
        got = case.function("step_backward")(case.dh_T, x, case.h0, case.params)
    assert_close(got, finite_differences(loss, {"x": x, **state, **case.params}), 1e-8)


@pytest.mark.equation(
    "eq-gru-r", "eq-gru-z", "eq-gru-n-before", "eq-gru-h", "eq-gru-backward-before"
)
def test_reset_before_agrees_with_autograd_of_the_written_formula():
    case = Case("gru_reset_before", seed=3)
    t = {k: torch.tensor(v, requires_grad=True) for k, v in case.arguments().items()}
    W_ir, W_iz, W_in = t["W_ih"].chunk(3)
    W_hr, W_hz, W_hn = t["W_hh"].chunk(3)
    b_r, b_z, b_n = (t["b_ih"] + t["b_hh"]).chunk(3)
    h, loss = t["h0"], 0
    for step in range(T):
        x = t["x"][:, step]
        r = torch.sigmoid(x @ W_ir.T + h @ W_hr.T + b_r)
        z = torch.sigmoid(x @ W_iz.T + h @ W_hz.T + b_z)
        n = torch.tanh(x @ W_in.T + (r * h) @ W_hn.T + b_n)
        h = (1 - z) * n + z * h
        loss = loss + (h * torch.tensor(case.doutputs[:, step])).sum()
    (loss + (h * torch.tensor(case.dh_T)).sum()).backward()
    assert_close({"h": case.unroll(case.arguments())[1][0]}, {"h": h.detach().numpy()}, 1e-13)
    assert_close(case.backward(), {k: v.grad.numpy() for k, v in t.items()}, 1e-12)


def test_reset_before_and_after_are_different_functions():
    case = Case("gru")
    after, _ = equations.gru_unroll(case.x, case.h0, case.params)
    before, _ = equations.gru_unroll_reset_before(case.x, case.h0, case.params)
    assert np.abs(after - before).max() > 0.05


def test_reset_before_and_after_coincide_for_a_diagonal_candidate_weight():
    # r * (w * h) = w * (r * h) where W_hn is diagonal; b_hn must be zero, since only one form
    # multiplies it by r.
    case = Case("gru")
    case.params["W_hh"][2 * H :] = np.diag(np.arange(1.0, H + 1) / H)
    case.params["b_hh"][2 * H :] = 0
    after, _ = equations.gru_unroll(case.x, case.h0, case.params)
    before, _ = equations.gru_unroll_reset_before(case.x, case.h0, case.params)
    assert_close({"outputs": before}, {"outputs": after}, 1e-14)


def test_a_gru_of_zeros_halves_its_state():
    # By hand: r = z = 1/2, n = tanh(0) = 0, so that h' = h/2.
    params = {"W_ih": np.zeros((3 * H, D)), "W_hh": np.zeros((3 * H, H))}
    h = np.random.default_rng(0).normal(size=(B, H))
    for step in (equations.gru_step, equations.gru_step_reset_before):
        assert_close({"h": step(np.ones((B, D)), h, params)}, {"h": h / 2}, 0)


def test_steps_chained_by_hand_are_the_unroll():
    case = Case("lstm")
    state = (case.h0, case.c0)
    outputs, last = equations.lstm_unroll(case.x, state, case.params)
    for t in range(T):
        state = equations.lstm_step(case.x[:, t], state, case.params)
        assert_close({"h": outputs[:, t]}, {"h": state[0]}, 0)
    assert_close({"c": last[1]}, {"c": state[1]}, 0)


def test_sigmoid_does_not_overflow_and_keeps_small_values():
    a = np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0])
    expected = torch.sigmoid(torch.tensor(a)).numpy()
    np.testing.assert_allclose(equations.sigmoid(a), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_arguments_are_left_as_they_were(variant):
    case = Case(variant)
    before = {name: value.copy() for name, value in case.arguments().items()}
    case.unroll(case.arguments())
    case.backward()
    assert_close(case.arguments(), before, 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_single_precision_stays_single(variant):
    case = Case(variant)
    for name in ("x", "h0", "c0", "doutputs", "dh_T", "dc_T"):
        setattr(case, name, getattr(case, name).astype(np.float32))
    case.params = {name: value.astype(np.float32) for name, value in case.params.items()}
    outputs, _ = case.unroll(case.arguments())
    assert outputs.dtype == np.float32
    assert {name: g.dtype for name, g in case.backward().items() if g.dtype != np.float32} == {}


def changed(**changes):
    """Arguments of gru_unroll with some shapes replaced; None takes the parameter out."""
    shapes = {"x": (B, T, D), "h0": (B, H), "W_ih": (3 * H, D), "W_hh": (3 * H, H)}
    shapes |= {"b_ih": (3 * H,), "b_hh": (3 * H,)} | changes
    arrays = {name: np.zeros(shape) for name, shape in shapes.items() if shape is not None}
    return arrays.pop("x"), arrays.pop("h0"), arrays


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": (B, D)}, "x must have shape (B, T, D)"),
        ({"x": (B, 0, D)}, "at least one time step, but it has (3, 0, 4)"),
        ({"x": (B, T, 7)}, "must have D = 4 features to go with W_ih (18, 4), but x has"),
        ({"h0": (B, 5)}, "the state must have shape (3, 6) to go with x (3, 4)"),
        ({"h0": (2, H)}, "but it has (2, 6)"),
        ({"h0": (H,)}, "but it has (6,)"),
        ({"W_ih": (D, 3 * H)}, "W_ih must have shape (3*H, D) = (18, D)"),
        ({"W_hh": (H, 3 * H)}, "W_hh must have shape (3*H, H), but it has (6, 18)"),
        ({"b_ih": (H,)}, "b_ih must have shape (3*H,) = (18,), but it has (6,)"),
        ({"b_hh": (3, H)}, "b_hh must have shape (3*H,) = (18,), but it has (3, 6)"),
        ({"W_hh": None}, "params needs the key 'W_hh', but it has ['W_ih', 'b_hh', 'b_ih']"),
    ],
)
def test_a_wrong_shape_is_refused_in_one_sentence(changes, words):
    for unroll in (equations.gru_unroll, equations.gru_unroll_reset_before):
        with pytest.raises(ValueError) as error:
            unroll(*changed(**changes))
        assert words in str(error.value)


def test_a_gradient_of_the_wrong_shape_is_refused():
    case = Case("gru")
    with pytest.raises(ValueError, match=r"doutputs must have shape \(3, 5, 6\)"):
        equations.gru_backward(case.doutputs[:, :1], case.x, case.h0, case.params)
    with pytest.raises(ValueError, match=r"dh_T must have shape \(3, 6\)"):
        equations.gru_backward(case.doutputs, case.x, case.h0, case.params, case.dh_T[:1])
    with pytest.raises(ValueError, match=r"c must have the shape of h, \(3, 6\)"):
        equations.lstm_step(case.x[:, 0], (case.h0, case.c0[:1]), Case("lstm").params)


def test_an_unknown_nonlinearity_is_refused():
    case = Case("rnn_tanh")
    with pytest.raises(ValueError, match='must be "tanh" or "relu", but it is \'sigmoid\''):
        equations.rnn_step(case.x[:, 0], case.h0, case.params, "sigmoid")
