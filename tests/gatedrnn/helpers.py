"""Inputs in which a wrong answer cannot hide, and comparisons that say what differs and where.

Random weights and biases, D != H, several sequences and steps, a random initial state, float64.
"""

from collections.abc import Mapping

import numpy as np

BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}
B, T, D, H = 3, 5, 4, 6


def random_params(
    rng: np.random.Generator, kind: str, D: int = D, H: int = H, biases: str = "both"
) -> dict[str, np.ndarray]:
    rows = BLOCKS[kind] * H
    params = {"W_ih": rng.normal(size=(rows, D)) / 2, "W_hh": rng.normal(size=(rows, H)) / 2}
    if biases in ("both", "ih"):
        params["b_ih"] = rng.normal(size=rows)
    if biases in ("both", "hh"):
        params["b_hh"] = rng.normal(size=rows)
    return params


def assert_close(
    got: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], tolerance: float
) -> None:
    """The same names and shapes, and no value further away than the tolerance."""
    assert set(got) == set(expected)
    for name, value in expected.items():
        assert got[name].shape == value.shape, f"{name}: {got[name].shape}, not {value.shape}"
        difference = np.abs(got[name] - value).max(initial=0.0)
        assert difference <= tolerance, f"{name}: largest difference {difference:.3g}"


def finite_differences(loss, arguments: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Central differences of ``loss(arguments)`` with respect to every entry of every argument."""
    step = 1e-5
    gradients = {}
    for name, value in arguments.items():
        gradient = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            moved = dict(arguments)
            for sign in (1, -1):
                moved[name] = value.copy()
                moved[name][index] += sign * step
                gradient[index] += sign * loss(moved) / (2 * step)
        gradients[name] = gradient
    return gradients
