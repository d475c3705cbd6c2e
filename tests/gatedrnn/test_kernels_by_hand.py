"""Two plain functions as one operation of autograd: gradients, order, and no second derivative."""

import pytest
import torch
from torch.autograd.gradcheck import GradcheckError, gradcheck

from gatedrnn.kernels.by_hand import by_hand


def forward(a, b, c):
    """outputs = a sin(b) + c, and a "last state" b c; the saved tensors are no inputs."""
    return a * b.sin() + c, b * c, (b.sin(), b.cos())


def backward(doutputs, dlast, inputs, saved):
    (a, b, c), (sin, cos) = inputs, saved
    return doutputs * sin, doutputs * a * cos + dlast * c, doutputs + dlast * b


def draw():
    torch.manual_seed(0)
    return [torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(3)]


def test_it_passes_gradcheck_and_gives_the_forward_values():
    function, inputs = by_hand(forward, backward), draw()
    assert gradcheck(function, inputs)
    for ours, plain in zip(function(*inputs), forward(*inputs)[:2], strict=True):
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("position", range(3))
def test_a_wrong_gradient_of_any_input_fails_gradcheck(position):
    def wrong(*arguments):
        gradients = list(backward(*arguments))
        gradients[position] = gradients[position] * 1.01
        return gradients

    with pytest.raises(GradcheckError):
        gradcheck(by_hand(forward, wrong), draw())


def test_an_output_that_the_loss_does_not_read_counts_as_zero():
    function, inputs = by_hand(forward, backward), draw()
    function(*inputs)[1].sum().backward()
    assert torch.equal(inputs[0].grad, torch.zeros_like(inputs[0]))
    assert torch.equal(inputs[1].grad, inputs[2].detach())


def test_a_second_derivative_is_refused():
    function, inputs = by_hand(forward, backward), draw()
    with pytest.raises(RuntimeError, match="create_graph=True asks for second ones"):
        torch.autograd.grad(function(*inputs)[0].sum(), inputs[1], create_graph=True)
