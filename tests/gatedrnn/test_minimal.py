"""minGRU and minLSTM: every method against the step, and against a loop written here."""

import math

import pytest
import torch

from gatedrnn.cells.minimal import METHODS, MinGRU, MinLSTM, mingru_step, minlstm_step
from gatedrnn.kernels.minimal import mix_fused
from gatedrnn.kernels.scan import scan_doubling, scan_log, scan_log_cumulative, scan_steps

CELLS = {"mingru": MinGRU, "minlstm": MinLSTM}
# Logarithms are for the positive form only.
FORMS = [(m, p) for m in METHODS for p in (False, True) if p or not m.startswith("log")]


def numbers(*shape, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def by_definition(kind, x, h, W, b, positive):
    """The paper's sequential algorithms, value by value in Python floats.

    Its minGRU has h' = (1 - z) h + z n; the keep gate here is its 1 - z, so the sign of the rows
    of z is changed. Its minLSTM divides both gates by f + i.
    """
    T, B, D = x.shape
    H = h.shape[1]
    outputs = torch.empty(T, B, H, dtype=torch.float64)
    state = h.tolist()
    for t in range(T):
        for k in range(B):
            rows = [sum(w * v for w, v in zip(row, x[t, k].tolist(), strict=True)) for row in W]
            sums = [float(s) + float(c) for s, c in zip(rows, b, strict=True)]
            for j in range(H):
                a = sums[-H + j]
                n = a
                if positive:
                    n = a + 0.5 if a >= 0 else 1 / (1 + math.exp(-a))
                if kind == "mingru":
                    z = 1 / (1 + math.exp(sums[j]))
                    state[k][j] = (1 - z) * state[k][j] + z * n
                else:
                    f, i = (1 / (1 + math.exp(-sums[g * H + j])) for g in (0, 1))
                    state[k][j] = f / (f + i) * state[k][j] + i / (f + i) * n
                outputs[t, k, j] = state[k][j]
    return outputs


def cell(kind, method, positive, D=3, H=4, dtype=torch.float64):
    torch.manual_seed(0)
    layer = CELLS[kind](D, H, method=method, positive=positive).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(3)  # gates that are far from one half as well
    return layer


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("method", "positive"), FORMS)
def test_every_method_is_the_definition(kind, method, positive):
    layer = cell(kind, method, positive)
    x, h = numbers(5, 2, 3, seed=1), numbers(2, 4, seed=2).abs()
    expected = by_definition(
        kind, x, h, layer.weight_ih.detach().tolist(), layer.bias_ih.detach().tolist(), positive
    )
    outputs, final = layer(x, h.unsqueeze(0))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(final[0], expected[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("method", "positive"), [f for f in FORMS if f[0] != "steps"])
@pytest.mark.parametrize("T", [1, 2, 3, 7, 8, 33])
@pytest.mark.parametrize("with_state", [True, False])
def test_every_method_has_the_gradients_of_the_steps(kind, method, positive, T, with_state):
    found = []
    for chosen in (method, "steps"):
        layer = cell(kind, chosen, positive)
        x = numbers(T, 2, 3, seed=1).requires_grad_()
        h = (numbers(1, 2, 4, seed=2).abs() + 0.1).requires_grad_()
        outputs, final = layer(x, h if with_state else None)
        weights = numbers(T, 2, 4, seed=3)
        loss = (outputs * weights).sum() + (final * numbers(1, 2, 4, seed=4)).sum()
        sources = [x, *layer.parameters()] + ([h] if with_state else [])
        found.append([outputs, final, *torch.autograd.grad(loss, sources)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("method", ["steps", "fused", "doubling", "log"])
@pytest.mark.parametrize("split", [1, 6, 12])
def test_a_carried_state_joins_two_halves(kind, method, split):
    layer = cell(kind, method, positive=True)
    x, h = numbers(13, 2, 3, seed=1), numbers(1, 2, 4, seed=2).abs()
    whole, final = layer(x, h)
    first, carried = layer(x[:split], h)
    second, last = layer(x[split:], carried)
    torch.testing.assert_close(torch.cat((first, second)), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, final, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kind", "step"), [("mingru", mingru_step), ("minlstm", minlstm_step)])
@pytest.mark.parametrize("positive", [False, True])
def test_the_step_function_is_one_step_of_the_layer(kind, step, positive):
    layer = cell(kind, "steps", positive)
    x, h = numbers(1, 2, 3, seed=1), numbers(1, 2, 4, seed=2)
    ours = step(x[0], h[0], layer.weight_ih, layer.bias_ih, positive)
    torch.testing.assert_close(ours, layer(x, h)[0][0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", CELLS)
def test_batch_first_is_a_transposition(kind):
    layer = cell(kind, "fused", positive=False)
    x, h = numbers(5, 2, 3, seed=1), numbers(1, 2, 4, seed=2)
    outputs, final = layer(x, h)
    layer.batch_first = True
    swapped, same = layer(x.transpose(0, 1), h)
    assert torch.equal(swapped.transpose(0, 1), outputs)
    assert torch.equal(same, final)


# ---------------------------------------------------------------- long sequences in float32


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("method", ["steps", "fused", "doubling", "log"])
def test_ten_thousand_steps_in_float32(kind, method):
    T = 10_000
    x = numbers(T, 1, 3, seed=1)
    x[2000:4000] *= 30  # gates that are shut or open to the last bit, for a long time
    x[6000:6500] = 0
    h = torch.ones(1, 1, 4, dtype=torch.float64)
    found = []
    for chosen, dtype in ((method, torch.float32), ("steps", torch.float64)):
        layer = cell(kind, chosen, positive=True, dtype=dtype)
        x_own = x.to(dtype).requires_grad_()
        outputs, _ = layer(x_own, h.to(dtype))
        loss = (outputs * numbers(T, 1, 4, seed=3).to(dtype)).sum()
        found.append([outputs, *torch.autograd.grad(loss, [x_own, *layer.parameters()])])
    for ours, exact in zip(*found, strict=True):
        assert torch.isfinite(ours).all()
        error = (ours.double() - exact).abs().max() / exact.abs().max()
        assert error < 1e-5


def test_the_published_formula_loses_digits_over_ten_thousand_steps_and_ours_does_not():
    T = 10_000
    log_a = torch.full((T, 1, 1), math.log(0.5), dtype=torch.float64)
    log_b = numbers(T, 1, 1, seed=1) - 1
    exact = scan_steps(log_a.exp(), log_b.exp(), torch.zeros(1, 1, dtype=torch.float64))

    def error(scan):
        states = scan(log_a.float(), log_b.float(), None).exp()
        return float(((states - exact) / exact).abs().max())

    assert error(scan_log) < 1e-5
    assert error(scan_log_cumulative) > 1e-4


# ---------------------------------------------------------------- the scans and the fused mix


@pytest.mark.parametrize("T", [1, 2, 5, 8, 17])
def test_doubling_is_the_recurrence_and_can_be_differentiated_twice(T):
    a, b = numbers(T, 2, 3, seed=1).sigmoid(), numbers(T, 2, 3, seed=2)
    h0 = numbers(2, 3, seed=3)
    torch.testing.assert_close(scan_doubling(a, b, h0), scan_steps(a, b, h0), rtol=0, atol=1e-13)
    inputs = [v.requires_grad_() for v in (a, b, h0)]
    assert torch.autograd.gradcheck(scan_doubling, inputs)
    assert torch.autograd.gradgradcheck(scan_doubling, inputs)


@pytest.mark.parametrize("T", [1, 4])
def test_the_fused_mix_has_the_gradients_of_finite_differences(T):
    logits, n = numbers(T, 2, 3, seed=1), numbers(T, 2, 3, seed=2)
    inputs = [v.requires_grad_() for v in (logits, n, numbers(2, 3, seed=3))]
    assert torch.autograd.gradcheck(mix_fused, inputs)


@pytest.mark.parametrize("source", [0, 1, 2])
def test_the_fused_mix_refuses_second_derivatives_in_words(source):
    arguments = [numbers(4, 2, 3, seed=1), numbers(4, 2, 3, seed=2), numbers(2, 3, seed=3)]
    arguments[source].requires_grad_()
    loss = mix_fused(*arguments).square().sum()
    (gradient,) = torch.autograd.grad(loss, arguments[source], create_graph=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        gradient.sum().backward()


def test_one_layer_cannot_hold_what_depends_on_the_order_of_its_past():
    # Two sequences whose last inputs are equal keep their states' difference times the gates: the
    # gates do not see the state, so the difference can only shrink.
    layer = cell("mingru", "steps", positive=False)
    x = numbers(6, 1, 3, seed=1)
    one, other = (layer(x, numbers(1, 1, 4, seed=s))[0] for s in (2, 3))
    difference = (one - other).abs()
    assert (difference[1:] < difference[:-1]).all()


# ---------------------------------------------------------------- what is refused


def test_bad_arguments_are_refused_in_words():
    with pytest.raises(ValueError, match="one of steps, fused, doubling, log.*got 'fast'"):
        MinGRU(3, 4, method="fast")
    with pytest.raises(ValueError, match="needs positive=True"):
        MinGRU(3, 4, method="log")
    with pytest.raises(ValueError, match="input_size to be a whole number above zero, got 0"):
        MinLSTM(0, 4)
    layer = MinLSTM(3, 4, method="log", positive=True)
    with pytest.raises(ValueError, match="leave hx out to begin from zero"):
        layer(torch.randn(5, 2, 3), torch.zeros(1, 2, 4))
    with pytest.raises(ValueError, match="expected input to be 3D, got 2D"):
        layer(torch.randn(5, 3))
    with pytest.raises(ValueError, match="at least one time step"):
        layer(torch.randn(0, 2, 3))
    with pytest.raises(RuntimeError, match="input_size"):
        layer(torch.randn(5, 2, 4))
    with pytest.raises(RuntimeError, match="hx"):
        layer(torch.randn(5, 2, 3), torch.ones(1, 3, 4))
