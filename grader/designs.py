"""Six ways to test a GRU cell, and which of nine wrong cells each of them lets through.

The nine are the misconceptions that the notebook knows by name. A wrong cell survives a design when
its last state differs from the right one by less than the design's tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gatedrnn.equations import gru_unroll
from grader.draw import parameters
from grader.exercise import Misconception
from grader.misconceptions.gru import NINE_WRONG_CELLS

Params = dict[str, np.ndarray]
Inputs = tuple[np.ndarray, np.ndarray, Params]


@dataclass(frozen=True)
class Design:
    """How a test draws its x (B, T, D), h0 (B, H) and parameters, and how closely it looks."""

    words: str
    draw: Callable[[np.random.Generator], Inputs]
    atol: float


def survivors(design: Design, seed: int) -> list[str]:
    """The names of the wrong cells that this test would accept, for one seed."""
    x, h0, params = design.draw(np.random.default_rng(seed))
    _, expected = gru_unroll(x, h0, params)
    return [
        wrong.name
        for wrong in NINE_WRONG_CELLS
        if np.abs(_last_state(wrong, x, h0, params) - expected).max() < design.atol
    ]


def _last_state(wrong: Misconception, x: np.ndarray, h: np.ndarray, params: Params) -> np.ndarray:
    for t in range(x.shape[1]):
        h = wrong.function(x[:, t], h, params)
    return h


def _random(rng: np.random.Generator, *, hidden: int = 4, steps: int = 1) -> Inputs:
    batch, inputs = 3, 5
    x, h0 = rng.normal(size=(batch, steps, inputs)), rng.normal(size=(batch, hidden))
    return x, h0, parameters(rng, 3, inputs, hidden)


def _by_hand(rng: np.random.Generator) -> Inputs:
    """Numbers that a person would type into a test; nothing is drawn."""
    eye = np.tile(np.eye(2), (3, 1))
    params = {"W_ih": eye, "W_hh": eye, "b_ih": np.ones(6), "b_hh": np.zeros(6)}
    return np.array([[[-0.3, -0.2]]]), np.array([[0.1, 0.05]]), params


def _zero_biases(inputs: Inputs) -> Inputs:
    x, h0, params = inputs
    return x, h0, params | {"b_ih": 0 * params["b_ih"], "b_hh": 0 * params["b_hh"]}


def _zero_state(inputs: Inputs) -> Inputs:
    x, h0, params = inputs
    return x, 0 * h0, params


DESIGNS = (
    Design("identity weights, biases 1, one step, atol 1e-2", _by_hand, 1e-2),
    Design(
        "random weights, zero biases, h0 = 0, one step",
        lambda rng: _zero_state(_zero_biases(_random(rng))),
        1e-6,
    ),
    Design(
        "random weights and biases, h0 = 0, one step", lambda rng: _zero_state(_random(rng)), 1e-6
    ),
    Design(
        "random weights, zero biases, random h0, one step",
        lambda rng: _zero_biases(_random(rng)),
        1e-6,
    ),
    Design("hidden size 1, all random, 6 steps", lambda rng: _random(rng, hidden=1, steps=6), 1e-6),
    Design(
        "all random, d ≠ h, random h0, 6 steps, atol 1e-6",
        lambda rng: _random(rng, steps=6),
        1e-6,
    ),
)
