"""A forward and a backward pass written as plain functions, made one operation for autograd."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function

Forward = Callable[..., tuple[Tensor, Tensor, Sequence[Tensor]]]
Backward = Callable[[Tensor, Tensor, tuple[Tensor, ...], tuple[Tensor, ...]], Sequence[Any]]


def by_hand(forward: Forward, backward: Backward) -> Callable[..., tuple[Tensor, Tensor]]:
    """A differentiable function of tensors, from a forward and a backward pass written by hand.

    ``forward(*inputs)`` returns the outputs, the last state and the tensors to save;
    ``backward(doutputs, dh_T, inputs, saved)`` returns one gradient for each input, in the same
    order. The result takes the inputs and returns outputs and last state.
    It raises RuntimeError when a second derivative is asked for: autograd sees neither pass, and
    the answer would silently lack what goes through the saved tensors.
    """

    class ByHand(Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> tuple[Tensor, Tensor]:
            outputs, last, saved = forward(*inputs)
            ctx.save_for_backward(*inputs, *saved)
            ctx.number_of_inputs = len(inputs)
            return outputs, last

        @staticmethod
        def backward(ctx: Any, doutputs: Tensor, dh_T: Tensor) -> Any:
            # PyTorch's once_differentiable would speak only if doutputs needed a gradient itself.
            if torch.is_grad_enabled():
                raise RuntimeError(
                    "this backward pass was written by hand for first derivatives, and "
                    "create_graph=True asks for second ones"
                )
            inputs = ctx.saved_tensors[: ctx.number_of_inputs]
            saved = ctx.saved_tensors[ctx.number_of_inputs :]
            return tuple(backward(doutputs, dh_T, inputs, saved))

    apply: Callable[..., tuple[Tensor, Tensor]] = ByHand.apply
    return apply
