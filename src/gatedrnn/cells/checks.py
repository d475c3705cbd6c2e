"""Checks of arguments: the exception types of ``torch.nn``, and what was expected and what came."""

import numbers
import warnings
from typing import Any

import torch
from torch import Tensor


def check_layer_options(
    input_size: Any,
    hidden_size: Any,
    num_layers: Any,
    bias: Any,
    batch_first: Any,
    dropout: Any,
) -> None:
    """Raise TypeError or ValueError for a constructor argument that no layer can have."""
    if not isinstance(dropout, numbers.Real | str):
        raise TypeError(f"dropout must be a number from 0 to 1, got {_type_name(dropout)}")
    if isinstance(dropout, bool | str) or not 0 <= float(dropout) <= 1:
        raise ValueError(f"dropout must be a probability from 0 to 1, got {dropout!r}")
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be a bool, got {_type_name(value)}: {value!r}")
    sizes = (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers))
    for name, value in sizes:
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {_type_name(value)}: {value!r}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero, got {value}")
    if float(dropout) > 0 and num_layers == 1:
        warnings.warn(
            "dropout acts between the layers, after all but the last, so non-zero dropout expects "
            f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )


def check_cell_sizes(input_size: Any, hidden_size: Any) -> None:
    """Raise TypeError or RuntimeError for the sizes that a single cell cannot have."""
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an int, got {_type_name(value)}: {value!r}")
        if value < 0:
            raise RuntimeError(f"{name} must not be negative, got {value}")


def check_is_tensor(owner: str, name: str, value: Any) -> None:
    """Raise AttributeError, as ``torch.nn`` does, for something that is not a tensor."""
    if not isinstance(value, Tensor):
        raise AttributeError(f"{owner}: expected {name} to be a tensor, got {_type_name(value)}")


def check_is_pair(owner: str, hx: Any) -> None:
    """Raise TypeError or RuntimeError when an LSTM's state is not two tensors (h, c)."""
    if not isinstance(hx, tuple | list):
        raise TypeError(f"{owner}: expected hx to be a tuple (h, c), got {_type_name(hx)}")
    if len(hx) != 2:
        raise RuntimeError(f"{owner}: expected hx to hold two states (h, c), got {len(hx)}")


def check_features(name: str, value: Tensor, size_name: str, size: int) -> None:
    """Raise RuntimeError when the last axis of a tensor has the wrong size."""
    if value.shape[-1] != size:
        raise RuntimeError(
            f"{name}.size(-1) must be equal to {size_name}: expected {size}, got {value.shape[-1]} "
            f"({name} has shape {tuple(value.shape)})"
        )


def check_shape(name: str, value: Tensor, expected: tuple[int, ...]) -> None:
    """Raise RuntimeError when a tensor has not the shape that the input and the layer call for."""
    if tuple(value.shape) != expected:
        raise RuntimeError(f"expected {name} of shape {expected}, got {tuple(value.shape)}")


def check_same_dtype(
    name: str, value: Tensor, weight: Tensor, error: type[Exception] = RuntimeError
) -> None:
    """Raise ``error`` when a tensor has not the dtype of the weights, unless autocast mends it."""
    if value.dtype != weight.dtype and not torch.is_autocast_enabled(value.device.type):
        raise error(
            f"{name} has dtype {value.dtype} but the weights have {weight.dtype}: convert it with "
            f"{name}.to({weight.dtype}), or the model with model.to({value.dtype})"
        )


def _type_name(value: Any) -> str:
    return type(value).__name__
