"""Figures of the chapter on the LSTM, its relatives and its parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatedrnn.figures import style

_MARKERS = {"RNN": "s", "GRU": "o", "LSTM": "^"}


def cell_states(states: Mapping[str, np.ndarray]) -> Figure:
    """Cell states over a long stream, a panel for each cell and a line for each unit.

    Takes states (T, H) for each label.
    """
    fig = Figure(figsize=(4.4, 3.8), layout="constrained")
    panels = fig.subplots(len(states), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (label, values) in zip(panels, states.items(), strict=True):
        ax.plot(values, color=style.STATE, lw=1.0)
        ax.set_title(label)
        ax.set_ylabel("cell state")
    panels[-1].set_xlabel("step")
    return fig


def adding_chart(rows: Mapping[str, Mapping[str, Any]], last: int) -> Figure:
    """Steps until the adding problem is solved: a dot for each seed, and a bar at the median.

    Takes for each variant ``steps_to_solve``, None for a seed that did not get there in ``last``
    steps; such seeds stand in a column of their own, on the right.
    """
    fig, ax = _rows_of_variants(rows)
    never = 1.12 * last
    for place, (name, row) in enumerate(rows.items()):
        steps = [never if step is None else step for step in row["steps_to_solve"]]
        colour, marker = _look(name)
        spread = _spread(steps)
        ax.plot(steps, place + spread, marker, mfc="none", color=colour, ms=6)
        middle = float(np.median(steps))
        if row["median_steps"] is not None:
            ax.plot([middle, middle], [place - 0.38, place + 0.38], color=colour, lw=3)
    ax.axvline(1.04 * last, color=style.INK, lw=1, ls=(0, (4, 3)))
    ticks = np.linspace(0, last, 4)[:-1]  # the last would touch the word
    ax.set_xticks([*ticks, never], [*(f"{tick:.0f}" for tick in ticks), "never"])
    ax.set(xlabel="training steps until solved", xlim=(0, 1.2 * last))
    return fig


def chorales_chart(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Test NLL a frame: a dot for each seed, and the mean with its interval.

    Takes ``test_nll`` and ``test_interval`` for each variant.
    """
    fig, ax = _rows_of_variants(rows)
    for place, (name, row) in enumerate(rows.items()):
        colour, marker = _look(name)
        interval = row["test_interval"]
        ax.plot([interval["low"], interval["high"]], [place - 0.12] * 2, color=colour, lw=3)
        ax.plot(interval["mean"], place - 0.12, marker, color=colour, ms=7)
        dots = row["test_nll"]
        ax.plot(dots, np.full(len(dots), place + 0.24), marker, mfc="none", color=style.INK, ms=4)
    ax.set(xlabel="test nats per frame (lower is better)")
    return fig


def adding_curves(curves: Mapping[str, tuple[Sequence[int], Sequence[Sequence[Any]]]]) -> Figure:
    """Validation error on the adding problem while training, a panel a cell and a line a seed.

    Takes (steps (N,), errors (S, N)) for each label; None is drawn as a gap.
    """
    fig = Figure(figsize=(4.4, 4.4), layout="constrained")
    panels = fig.subplots(len(curves), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, (name, (steps, errors)) in zip(panels, curves.items(), strict=True):
        colour, _ = _look(name)
        for seed in errors:
            values = np.array([np.nan if e is None else e for e in seed])
            ax.semilogy(steps, values, color=colour, lw=1.4)
        ax.axhline(1 / 6, color=style.INK, lw=1, ls=(0, (4, 3)))
        ax.set_title(name)
    panels[len(panels) // 2].set_ylabel("validation error (dashed: always answering 1)")
    panels[-1].set_xlabel("training steps")
    return fig


def _rows_of_variants(rows: Mapping[str, Any]) -> tuple[Figure, Axes]:
    fig = Figure(figsize=(4.6, 0.6 + 0.34 * len(rows)), layout="constrained")
    ax = fig.subplots()
    labels = [name.replace("LSTM, ", "… ").replace("GRU, ", "… ") for name in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize=10)
    for label, name in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if "," not in name else "normal")
    ax.set_ylim(len(rows) - 0.4, -0.7)
    ax.grid(True, axis="x")
    return fig, ax


def _look(name: str) -> tuple[str, str]:
    cell = name.split(",")[0]
    return style.CELLS[cell]["color"], _MARKERS[cell]


def _spread(values: Sequence[float]) -> np.ndarray:
    """Small offsets that keep apart the dots of equal values."""
    offsets = np.zeros(len(values))
    for value in set(values):
        at = np.flatnonzero(np.asarray(values) == value)
        offsets[at] = 0.15 * (np.arange(len(at)) - (len(at) - 1) / 2)
    return offsets
