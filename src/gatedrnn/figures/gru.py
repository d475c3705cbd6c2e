"""Figures of the chapter on the gated recurrent unit."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gatedrnn.figures import style

# On the filled colours, which are the same on a white and on a dark page.
_LINES = "#333333"


def forced_gates(traces: Mapping[tuple[int, int], np.ndarray]) -> Figure:
    """State of one unit over time with both gates forced.

    Takes a trace (T+1,) for each pair (r, z) of 0 or 1; one panel for z = 1 and one for z = 0.
    """
    fig = Figure(figsize=(4.4, 3.8), layout="constrained")
    panels = fig.subplots(2, 1, sharex=True, sharey=True)
    for ax, z in zip(panels, (1, 0), strict=True):
        for r, dashes, width in ((0, "-", 5.0), (1, "--", 2.0)):
            colour = style.RESET if r == 0 else style.STATE
            ax.plot(traces[r, z], dashes, color=colour, lw=width, label=f"r = {r}")
        ax.set_title(f"z = {z}: {'the state is kept' if z else 'the candidate is written'}")
        ax.set(ylabel="state", ylim=(-1.1, 1.1))
    panels[0].legend(loc="lower right", frameon=False, ncols=2)
    last = len(traces[0, 0]) - 1
    panels[1].set(xlabel="step", xlim=(0, last), xticks=range(0, last + 1, 5))
    return fig


def gate_response(
    inputs: np.ndarray, states: np.ndarray, surfaces: Mapping[float, np.ndarray]
) -> Figure:
    """New state of one unit against its input and its old state, a panel for each bias of z.

    Takes inputs (X,), old states (S,) and for each bias a surface (S, X) of new states.
    """
    fig = Figure(figsize=(4.4, 3.1), layout="constrained")
    panels = fig.subplots(1, len(surfaces), sharex=True, sharey=True)
    colours = LinearSegmentedColormap.from_list(
        "below and above zero", [style.STATE, "#f4f4f4", style.UPDATE]
    )
    levels = np.linspace(-1, 1, 11)
    for ax, (bias, surface) in zip(panels, surfaces.items(), strict=True):
        filled = ax.contourf(inputs, states, surface, levels, cmap=colours)
        steps = levels[1:-1:2]
        lines = ax.contour(inputs, states, surface, steps, colors=_LINES, linewidths=0.8)
        ax.clabel(lines, fmt="%.1f", fontsize=9)
        ax.set_title(f"$b_z$ = {bias:.0f}".replace("-", "\N{MINUS SIGN}"))
        ax.set_xticks([-2, 0, 2])
    panels[len(panels) // 2].set_xlabel("input x")
    panels[0].set_ylabel("old state h")
    fig.colorbar(
        filled, ax=panels, location="bottom", shrink=0.7, aspect=40, ticks=[-1, 0, 1],
        label="new state",
    )  # fmt: skip
    return fig
