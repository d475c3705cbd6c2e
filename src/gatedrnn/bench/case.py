"""One case of the benchmark: sizes, data and weights that all competitors share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_NAMES = {"W_ih": "weight_ih", "W_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}


@dataclass(frozen=True)
class Size:
    """Batch B, time steps T, input size D, hidden size H."""

    B: int
    T: int
    D: int
    H: int

    @property
    def label(self) -> str:
        """The four numbers, as the tables write them."""
        return f"({self.B}, {self.T}, {self.D}, {self.H})"

    @property
    def values(self) -> int:
        """T * B * H: the outputs of a layer."""
        return self.T * self.B * self.H


@dataclass
class Case:
    """A cell's size, its input, the gradient of its outputs, and its weights."""

    cell: str
    size: Size
    device: torch.device
    x: Tensor = field(init=False)
    dout: Tensor = field(init=False)
    weights: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        B, T, D, H = self.size.B, self.size.T, self.size.D, self.size.H
        library = {"gru": nn.GRU, "lstm": nn.LSTM}[self.cell](D, H)
        self.weights = {
            name: value.detach().to(self.device)
            for name, value in zip(_NAMES, self.weights_of(library), strict=True)
        }
        self.x = torch.randn(T, B, D).to(self.device)
        self.dout = torch.randn(T, B, H).to(self.device)

    def load(self, module: nn.Module) -> nn.Module:
        """A module of one layer or cell, with the weights of the case."""
        suffix = "" if hasattr(module, "weight_ih") else "_l0"
        state = {f"{_NAMES[name]}{suffix}": value for name, value in self.weights.items()}
        module.to(self.device).load_state_dict(state)
        return module

    def weights_of(self, module: nn.Module) -> list[Tensor]:
        """W_ih, W_hh, b_ih and b_hh of a module of one layer."""
        return [module.get_parameter(f"{name}_l0") for name in _NAMES.values()]

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights as arrays."""
        return {name: value.cpu().numpy() for name, value in self.weights.items()}


@dataclass
class Competitor:
    """What is timed: a forward pass without gradients, and a training step.

    ``forward`` returns the outputs (T, B, H), ``training`` the gradient of W_hh, so that both can
    be held against the reference before anything is timed; None where there is no such pass.
    ``saving`` is a forward pass with gradients, whose kept bytes can be counted.
    """

    name: str
    forward: Callable[[], Any] | None = None
    training: Callable[[], Any] | None = None
    saving: Callable[[], Any] | None = None
    given: tuple[Tensor, ...] = ()
    compile_seconds: float | None = None
    checked: bool = True  # False for work that is no recurrent layer: the floor, another cell
