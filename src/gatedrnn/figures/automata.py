"""Figures of the chapter on what gates can compute."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gatedrnn.figures import style

# What a symbol looks like in every portrait: colour and dash.
_SYMBOLS: Sequence[dict[str, Any]] = (
    {"color": style.STATE, "ls": "-"},
    {"color": style.UPDATE, "ls": "--"},
    {"color": style.RESET, "ls": ":"},
)


def portraits(
    states: np.ndarray,
    maps: Mapping[str, Mapping[str, np.ndarray]],
    boxes: Mapping[str, Sequence[tuple[int, int, int]]],
    start: float,
    side: float,
) -> Figure:
    """New state against old state, one panel a machine and one curve a symbol.

    Takes states (S,), for each machine its symbols with new states (S,), and for each machine the
    boxes (sign of the old state, sign of the new state, index of the symbol) that a curve must not
    leave: old states from `start` to 1, new ones from `side` to 1.
    """
    fig = Figure(figsize=(4.6, 4.4 * len(maps) / 2 if len(maps) > 2 else 3.0), layout="constrained")
    columns = 2
    panels = fig.subplots(-(-len(maps) // columns), columns, sharex=True, sharey=True).ravel()
    for ax, (name, curves) in zip(panels, maps.items(), strict=False):
        _square(ax, name)
        for old, new, index in boxes.get(name, ()):
            _box(ax, (old, start), (new, side), _SYMBOLS[index]["color"])
        for (symbol, new_states), look in zip(curves.items(), _SYMBOLS, strict=False):
            ax.plot(states, new_states, label=symbol, lw=2.2, **look)
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, -0.02), ncols=3, frameon=False, fontsize=9,
            handlelength=1.3, columnspacing=0.8, handletextpad=0.4,
        )  # fmt: skip
    for ax in panels[len(maps) :]:
        ax.set_visible(False)
    for ax in panels[-columns:]:
        ax.set_xlabel("old state h")
    for ax in panels[::columns]:
        ax.set_ylabel("new state h'")
    return fig


def _square(ax: Axes, title: str) -> None:
    ax.plot([-1, 1], [-1, 1], color=style.MUTED, lw=0.8)
    ax.set(xlim=(-1.08, 1.08), ylim=(-1.45, 1.08), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    ax.set_title(title)


def _box(ax: Axes, old: tuple[int, float], new: tuple[int, float], colour: str) -> None:
    left, below = (least if sign > 0 else -1.0 for sign, least in (old, new))
    ax.add_patch(Rectangle((left, below), 1 - old[1], 1 - new[1], fc=colour, ec="none", alpha=0.22))


def drift(steps: np.ndarray, held: Mapping[float, np.ndarray], restored: np.ndarray) -> Figure:
    """A state that is held, against time: one leaking curve for each k, and one that is restored.

    Takes steps (T,), states (T,) by saturation factor, and the states (T,) of the restoring latch.
    """
    fig = Figure(figsize=(4.6, 3.2), layout="constrained")
    ax = fig.subplots()
    ax.grid(True)
    dashes = ((0, (1, 1)), "-.", "--", (0, (6, 2)))
    for (k, states), dash in zip(held.items(), dashes, strict=False):
        ax.semilogx(steps, states, color=style.UPDATE, ls=dash, label=f"k = {k:g}")
    ax.semilogx(steps, restored, color=style.STATE, lw=2.6)
    ax.annotate(
        "restored, k = 2", (steps[-1], restored[-1]), xytext=(0, 6), textcoords="offset points",
        ha="right",
    )  # fmt: skip
    ax.set(xlabel="steps of holding", ylabel="state", ylim=(-0.05, 1.15))
    ax.legend(
        loc="lower left", bbox_to_anchor=(-0.14, 1.0), ncols=4, frameon=False, fontsize=10,
        columnspacing=1.0, handlelength=1.8,
    )  # fmt: skip
    return fig


def counting(
    lengths: int, cell_state: np.ndarray, unit_state: np.ndarray, wanted: np.ndarray
) -> Figure:
    """c of a counting LSTM and h of a GRU that does its best, while they read a^n b^n."""
    fig = Figure(figsize=(4.6, 3.9), layout="constrained")
    panels = fig.subplots(2, 1, sharex=True)
    steps = np.arange(len(wanted))
    for ax in panels:
        ax.axvline(lengths, color=style.MUTED, lw=1, ls=":")
        ax.axhline(0, color=style.MUTED, lw=0.8)
    look = {name: style.CELLS[name]["color"] for name in ("LSTM", "GRU")}
    panels[0].plot(steps, cell_state, color=look["LSTM"], lw=2.4)
    panels[0].set(ylabel="c")
    panels[0].set_title("LSTM: the cell state")
    panels[1].plot(steps, unit_state, color=look["GRU"], lw=2.4)
    panels[1].set(ylabel="h", ylim=(-1.1, 1.1), xlabel="letters read: first a, then b")
    panels[1].set_title("GRU: the state")
    return fig


def generalisation(
    shares: Mapping[str, np.ndarray], trained: int, furthest: Mapping[str, Sequence[int]]
) -> Figure:
    """Share of seeds that are right at each n, by cell, with the trained range shaded.

    Takes shares (N,) for n from 1, and for each cell how far each seed came without a mistake.
    """
    fig = Figure(figsize=(4.6, 4.4), layout="constrained")
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for ax in (top, bottom):
        ax.axvspan(1, trained, color=style.MUTED, alpha=0.18, lw=0)
    for row, (name, share) in enumerate(shares.items()):
        look = {key: style.CELLS[name][key] for key in ("color", "linestyle")}
        top.plot(np.arange(1, len(share) + 1), share, label=name, **look)
        reached = np.asarray(furthest[name], dtype=float)
        spread = np.linspace(-0.22, 0.22, len(reached))
        bottom.plot(
            np.maximum(reached, 1), row + spread, style.CELLS[name]["marker"],
            color=look["color"], ms=5, mfc="none",
        )  # fmt: skip
    top.set(ylabel="share of seeds right", ylim=(-0.03, 1.05), xscale="log")
    top.annotate("trained", (1.1, 0.05))
    top.legend(frameon=False)
    ticks = [1, 3, 10, 30, 60, 100, 256]
    bottom.set_xticks(ticks, [str(tick) for tick in ticks])
    bottom.minorticks_off()
    bottom.set_yticks(range(len(shares)), list(shares))
    bottom.set(xlabel="n", ylabel="furthest n", ylim=(len(shares) - 0.5, -0.5))
    return fig


def trained_memory(memories: Mapping[str, np.ndarray], n: int, trained: int) -> Figure:
    """What every unit of a trained network carries while it reads a^n b^n, a panel for each cell.

    Takes arrays (H, 2n) by name: c of an LSTM, h of the others.
    """
    fig = Figure(figsize=(4.6, 2.0 * len(memories)), layout="constrained")
    panels = np.atleast_1d(fig.subplots(len(memories), 1, sharex=True))
    for ax, (name, units) in zip(panels, memories.items(), strict=True):
        ax.axvline(n, color=style.MUTED, lw=1, ls=":")
        ax.axvspan(1, trained, color=style.MUTED, alpha=0.18, lw=0)
        colour = style.CELLS[name]["color"]
        ax.plot(np.arange(1, units.shape[1] + 1), units.T, color=colour, lw=1.1, alpha=0.85)
        ax.set_title(name)
        ax.set_ylabel("c" if name == "LSTM" else "h")
    panels[-1].set_xlabel("letters read: first a, then b")
    return fig
