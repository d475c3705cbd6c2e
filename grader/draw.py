"""Inputs for checks, drawn so that wrong answers cannot hide.

Weights and biases are all random; the sizes differ from one another; nothing is zero by default.
"""

from __future__ import annotations

import numpy as np


def parameters(
    rng: np.random.Generator, blocks: int, inputs: int, hidden: int
) -> dict[str, np.ndarray]:
    """Random parameters of a cell with `blocks` gates and candidates, under PyTorch's names."""
    scale = 1 / np.sqrt(hidden)
    shapes = {
        "W_ih": (blocks * hidden, inputs),
        "W_hh": (blocks * hidden, hidden),
        "b_ih": (blocks * hidden,),
        "b_hh": (blocks * hidden,),
    }
    return {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
