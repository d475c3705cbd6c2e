"""Cells whose weights were chosen to compute something: strings to try them on, and what they do.

A state above `MARGIN` counts as on, one below -`MARGIN` as off, and anything between as neither.
"""

import math
from collections.abc import Sequence

import numpy as np

from gatedrnn.equations import gru_unroll, lstm_step, sigmoid

Array = np.ndarray
Params = dict[str, Array]

#: A state this far from zero, or further, has a side.
MARGIN = 0.5


def scalar_cell(*blocks: tuple[Sequence[float], float, float, float]) -> Params:
    """Parameters of a cell with one unit, a tuple (input weights, w_h, b_i, b_h) for each block.

    Blocks in the order r, z, n for a GRU and i, f, g, o for an LSTM.
    """
    return {
        "W_ih": np.array([block[0] for block in blocks], dtype=float),
        "W_hh": np.array([[block[1]] for block in blocks], dtype=float),
        "b_ih": np.array([block[2] for block in blocks], dtype=float),
        "b_hh": np.array([block[3] for block in blocks], dtype=float),
    }


def all_strings(symbols: int, length: int) -> Array:
    """All strings of so many symbols, as whole numbers (symbols**length, length), in order."""
    grid = np.indices((symbols,) * length)
    return grid.reshape(length, -1).T


def code(strings: Array, inputs: int) -> Array:
    """Strings (B, T) as inputs (B, T, inputs): symbol s sets channel s, a symbol past them none."""
    return np.eye(inputs + 1)[np.minimum(strings, inputs)][..., :inputs]


def gru_states(x: Array, h0: Array, params: Params) -> Array:
    """State of a GRU with one unit after each step, (B, T), from h0 (B,).

    Equation ``eq-gru-h``.
    """
    return gru_unroll(x, np.asarray(h0, dtype=float)[:, None], params)[0][:, :, 0]


def lstm_states(x: Array, h0: Array, c0: Array, params: Params) -> tuple[Array, Array]:
    """States h and c of an LSTM with one unit after each step, each (B, T), from h0, c0 (B,).

    Equation ``eq-lstm-step``.
    """
    state = (np.asarray(h0, dtype=float)[:, None], np.asarray(c0, dtype=float)[:, None])
    steps = []
    for t in range(x.shape[1]):
        state = lstm_step(x[:, t], state, params)
        steps.append(state)
    h, c = (np.stack([step[part][:, 0] for step in steps], axis=1) for part in (0, 1))
    return h, c


def sides(states: Array) -> Array:
    """+1 where a state is on, -1 where it is off, and 0 where it is neither."""
    return np.sign(states) * (np.abs(states) >= MARGIN)


def latched(strings: Array, start: Array) -> Array:
    """What a latch should hold after each step, (B, T): symbol 0 sets, 1 resets, others hold.

    `start` (B,) is +1 or -1.
    """
    held, now = [], start
    for symbol in strings.T:
        now = np.where(symbol == 0, 1, np.where(symbol == 1, -1, now))
        held.append(now)
    return np.stack(held, axis=1)


def toggled(bits: Array, start: Array) -> Array:
    """What a toggle should hold after each step, (B, T): a 1 turns the sign of `start` (B,)."""
    return start[:, None] * (-1) ** np.cumsum(bits, axis=1)


def half_life(total: float) -> float:
    """Steps after which a state held by a gate of sigma(total), and nothing else, has halved.

    Equation ``eq-automata-half-life``.
    """
    return -math.log(2) / math.log(float(sigmoid(np.array(total))))


def anbn(longest: int, shortest: int = 1) -> tuple[Array, Array]:
    """The strings a^n b^n for n from `shortest` to `longest`, one a row: symbols, and lengths.

    Symbols (N, 2 * longest) are 0 for a, 1 for b, and 2 after the end of a string.
    """
    n = np.arange(shortest, longest + 1)[:, None]
    t = np.arange(2 * longest)[None, :]
    return np.where(t < n, 0, np.where(t < 2 * n, 1, 2)), 2 * n[:, 0]
