"""Figures of the report on a class: marks, items, and what was misunderstood."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from gatedrnn.figures import style

# As wide as a phone shows it with legible text.
_WIDTH = 5.2


def distribution(tenths: Sequence[int], median: float | None = None) -> Figure:
    """How many hand-ins earned each tenth of the points; takes ten counts and the median share.

    Raises ValueError for another number of counts.
    """
    if len(tenths) != 10:
        raise ValueError(f"expected the counts of ten tenths, got {len(tenths)}")
    fig = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
    ax = fig.add_subplot()
    bars = ax.bar(np.arange(10) + 0.5, tenths, width=0.92, color=style.STATE)
    ax.bar_label(bars, [str(count) if count else "" for count in tenths], padding=2)
    if median is not None:
        ax.axvline(10 * median, color=style.UPDATE, ls="--", lw=1.6)
        ax.annotate(
            f"median {median:.0%}",
            (10 * median, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(-5 if median > 0.5 else 5, 2),
            textcoords="offset points",
            ha="right" if median > 0.5 else "left",
            color=style.UPDATE,
        )
    ax.set_xticks(range(0, 11, 2), [f"{10 * x}%" for x in range(0, 11, 2)])
    ax.set(xlabel="share of the points", ylabel="hand-ins", xlim=(0, 10))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    ax.margins(y=0.18)
    return fig


def closeness(tenths: Sequence[int], threshold: float) -> Figure:
    """How many hand-ins share each tenth of their code with the closest other one.

    Takes ten counts, and the share from which on a pair is looked at. Raises ValueError for another
    number of counts.
    """
    if len(tenths) != 10:
        raise ValueError(f"expected the counts of ten tenths, got {len(tenths)}")
    fig = Figure(figsize=(_WIDTH, 2.4), layout="constrained")
    ax = fig.add_subplot()
    colors = [style.UPDATE if i >= 10 * threshold else style.STATE for i in range(10)]
    bars = ax.bar(np.arange(10) + 0.5, tenths, width=0.92, color=colors)
    ax.bar_label(bars, [str(count) if count else "" for count in tenths], padding=2)
    ax.axvline(10 * threshold, color=style.INK, ls="--", lw=1.2)
    ax.set_xticks(range(0, 11, 2), [f"{10 * x}%" for x in range(0, 11, 2)])
    ax.set(xlabel="share in common with the closest other", ylabel="hand-ins", xlim=(0, 10))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    ax.margins(y=0.2)
    return fig


def items(
    names: Sequence[str],
    means: Sequence[float],
    properties: Sequence[Sequence[float]],
    correlations: Sequence[tuple[float, float, float] | None],
) -> Figure:
    """Exercises with their mean shares, those of their properties, and their discrimination.

    `properties` holds the shares of each exercise's properties. `correlations` holds value, lower
    and upper end for each exercise; where all are None there is no second panel.
    """
    drawn = any(c is not None for c in correlations)
    height = 1.1 + 0.42 * len(names)
    fig = Figure(figsize=(_WIDTH, height), layout="constrained")
    ratios = [3, 2] if drawn else [1]
    axes = fig.subplots(1, len(ratios), sharey=True, squeeze=False, width_ratios=ratios)[0]
    places = np.arange(len(names))
    left = axes[0]
    left.barh(places, means, height=0.55, color=style.STATE, alpha=0.45)
    for place, shares in zip(places, properties, strict=True):
        left.plot(shares, np.full(len(shares), place), "o", ms=6, mfc="none", color=style.UPDATE)
    left.set_yticks(places, names)
    left.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5), xlabel="mean share of the points")
    left.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.set_xticks([0, 0.5, 1])
    left.grid(axis="x")
    if drawn:
        _correlations(axes[1], correlations)
    return fig


def _correlations(ax: Axes, correlations: Sequence[tuple[float, float, float] | None]) -> None:
    for place, found in enumerate(correlations):
        if found is not None:
            value, low, high = found
            ax.plot([low, high], [place, place], color=style.RESET, lw=2)
            ax.plot([value], [place], "D", ms=7, color=style.RESET)
    ax.axvline(0, color=style.INK, lw=1)
    ax.set(xlim=(-1.03, 1.03), xlabel="discrimination")
    ax.set_xticks([-1, 0, 1])
    ax.grid(axis="x")


def counts(labels: Sequence[str], numbers: Sequence[int], what: str = "students") -> Figure:
    """Bars to the right, the label of each above it: for names as long as a line."""
    fig = Figure(figsize=(_WIDTH, 0.9 + 0.55 * len(labels)), layout="constrained")
    ax = fig.add_subplot()
    places = np.arange(len(labels))
    bars = ax.barh(places + 0.18, numbers, height=0.34, color=style.UPDATE)
    ax.bar_label(bars, padding=4)
    for place, label in zip(places, labels, strict=True):
        ax.annotate(label, (0, place), xytext=(2, 1), textcoords="offset points", va="bottom")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set(xlabel=what, ylim=(len(labels) - 0.4, -0.55))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.margins(x=0.08)
    return fig
