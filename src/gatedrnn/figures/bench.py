"""Figures of the benchmarks: ratios to a reference, and how time and memory grow with a size."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gatedrnn.figures import style

_MARKERS = ("o", "^", "s", "D", "v")
_DASHES = ("-", "--", ":", "-.")
_COLOURS = (style.STATE, style.UPDATE, style.RESET, style.CANDIDATE)


def ratio_bars(
    names: Sequence[str],
    medians: np.ndarray,
    intervals: np.ndarray,
    reference: str,
    floor: float | None = None,
) -> Figure:
    """Time of each competitor as a multiple of the reference's, with its interval.

    Takes medians (N,) and intervals (N, 2) for N names; ``floor`` is the ratio of the matrix
    products alone, drawn across. Raises ValueError for other shapes.
    """
    medians, intervals = np.asarray(medians, float), np.asarray(intervals, float)
    if medians.shape != (len(names),) or intervals.shape != (len(names), 2):
        raise ValueError(
            f"{len(names)} names need as many medians and an interval (N, 2), got the shapes "
            f"{medians.shape} and {intervals.shape}."
        )
    fig = Figure(figsize=(6.4, 0.6 + 0.34 * len(names)), layout="constrained")
    ax: Any = fig.subplots()
    rows = np.arange(len(names))
    errors = np.abs(intervals.T - medians)
    ax.barh(rows, medians, height=0.6, color=style.INPUT)
    ax.errorbar(medians, rows, xerr=errors, fmt="none", ecolor=style.INK, elinewidth=1.5)
    for row, median, end in zip(rows, medians, intervals[:, 1], strict=True):
        ax.annotate(
            f"{median:.2f}",
            (max(median, end), row),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    ax.axvline(1.0, color=style.INK, linestyle="--", linewidth=1.5)
    if floor is not None:
        ax.axvline(floor, color=style.UPDATE, linestyle=":", linewidth=2)
        ax.annotate(
            "matrix products alone",
            (floor, 1.0),
            (3, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=style.UPDATE,
        )
    ax.set_yticks(rows, names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.15 * float(intervals.max()))
    ax.set_xlabel(f"time / time of {reference}")
    return fig


def growth_curves(
    sizes: np.ndarray,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    size_name: str,
    reference: str,
) -> Figure:
    """Ratios to the reference against one size, on a logarithmic axis, with intervals as bands.

    Takes sizes (N,) and for each name medians (N,) and intervals (N, 2).
    Raises ValueError for other shapes.
    """
    fig = Figure(figsize=(5.2, 3.6), layout="constrained")
    ax: Any = fig.subplots()
    for index, (name, (medians, intervals)) in enumerate(curves.items()):
        medians, intervals = np.asarray(medians, float), np.asarray(intervals, float)
        if medians.shape != (len(sizes),) or intervals.shape != (len(sizes), 2):
            raise ValueError(
                f"{name} needs {len(sizes)} medians and as many intervals, got the shapes "
                f"{medians.shape} and {intervals.shape}."
            )
        colour = _COLOURS[index % len(_COLOURS)]
        ax.plot(
            sizes,
            medians,
            label=name,
            color=colour,
            linestyle=_DASHES[index % len(_DASHES)],
            marker=_MARKERS[index % len(_MARKERS)],
        )
        ax.fill_between(sizes, *intervals.T, color=colour, alpha=0.2, linewidth=0)
    ax.axhline(1.0, color=style.INK, linestyle="--", linewidth=1.5)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(int(size)) for size in sizes])
    ax.set_ylim(bottom=0)
    ax.set_xlabel(size_name)
    ax.set_ylabel(f"time / time of {reference}")
    ax.legend()
    return fig


def class_sizes(
    hand_ins: Sequence[int], seconds: Sequence[float], memory: Sequence[float]
) -> Figure:
    """Time and memory that marking takes, against the number of hand-ins, one above the other.

    Takes N numbers of hand-ins, N times in seconds and N peaks in MiB; the dashed line goes from
    nothing to the largest class, so that points on it mean linear growth.
    Raises ValueError for other lengths.
    """
    if not len(hand_ins) == len(seconds) == len(memory):
        raise ValueError(
            f"{len(hand_ins)} classes need as many times and peaks, got {len(seconds)} and "
            f"{len(memory)}."
        )
    fig = Figure(figsize=(5.2, 4.8), layout="constrained")
    axes: Any = fig.subplots(2, 1, sharex=True)
    for ax, values, name, colour, marker in (
        (axes[0], seconds, "seconds", style.STATE, "o"),
        (axes[1], memory, "at most, MiB", style.UPDATE, "^"),
    ):
        ax.plot(hand_ins, values, color=colour, marker=marker)
        ax.set_xlim(0, 1.05 * max(hand_ins))
        ax.set_ylim(0, 1.15 * max(values))
        ax.set_ylabel(name)
    axes[1].set_xlabel("hand-ins")
    axes[0].plot([0, hand_ins[-1]], [0, seconds[-1]], color=style.INK, ls="--", lw=1.5)
    return fig
