"""Figures of the chapter on the plain recurrent network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from gatedrnn.figures import style

# A phone shows a figure at about 350 px: narrow and with few labels, it stays legible there.
_SIZE = (5.2, 3.8)


def gradcheck_error(
    eps: np.ndarray, curves: Mapping[str, np.ndarray], best: Mapping[str, float]
) -> Figure:
    """Error of finite differences against their step, one curve for each kind.

    Takes eps (S,), curves of (S,) relative errors by name, and the predicted best step by name.
    """
    fig, ax = _axes()
    looks = zip((style.GRADIENT, style.STATE, style.UPDATE), ("-", "--", "-."), strict=True)
    for (name, errors), (colour, dashes) in zip(curves.items(), looks, strict=True):
        ax.loglog(eps, np.clip(errors, None, 1), dashes, color=colour, lw=2, label=name)
        ax.axvline(best[name], color=colour, ls=":", lw=1.2)
    ax.set(xlabel="step eps", ylabel="relative error", ylim=(3e-12, 2))
    ax.legend(loc="lower left", bbox_to_anchor=(-0.12, 1.0), ncols=2, frameon=False)
    return fig


def share_by_lag(shares: np.ndarray) -> Figure:
    """Norm of the gradient's part from each lag, over that of the whole: (N, T) for N networks."""
    fig, ax = _axes()
    lags = np.arange(shares.shape[1])
    mean = np.exp(np.log(shares).mean(axis=0))
    ax.semilogy(lags, shares.T, color=style.GRADIENT, lw=0.8, alpha=0.6)
    ax.semilogy(lags, mean, color=style.GRADIENT, lw=2.5)
    ax.axhline(1, color=style.STATE, lw=1.5, ls="--")
    middle = len(lags) // 2
    _label(ax, "the whole gradient", (lags[-1], 1), (0, -5), ha="right", va="top")
    below = (lags[middle], shares[:, middle].min())
    _label(ax, "the part from this lag", below, (-6, -8), ha="right", va="top")
    ax.set(xlabel="lag (steps back from the loss)", ylabel="norm, as a share of the whole")
    return fig


def clipping(
    gradient: np.ndarray, by_norm: np.ndarray, by_value: np.ndarray, threshold: float
) -> Figure:
    """A gradient of two entries, clipped by its norm and by value."""
    fig, ax = _axes(grid=False)
    grey = style.MUTED
    ax.add_patch(Circle((0, 0), threshold, fill=False, ec=grey, lw=1))
    corner = (-threshold, -threshold)
    ax.add_patch(Rectangle(corner, 2 * threshold, 2 * threshold, fill=False, ec=grey, lw=1, ls=":"))
    for vector, colour, width in (
        (gradient, style.GRADIENT, 1.6),
        (by_value, style.UPDATE, 2.4),
        (by_norm, style.STATE, 2.4),
    ):
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", xy=(vector[0], vector[1]), xytext=(0, 0), arrowprops=arrow)
    _label(ax, "the gradient", 0.8 * gradient, (4, -16))
    _label(ax, "by value", by_value, (8, 1))
    _label(ax, "by norm", by_norm, (10, -15))
    ax.set(xlim=(-1.15, 2.6), ylim=(-1.15, 1.15), aspect="equal", xlabel="first entry")
    ax.set_ylabel("second entry")
    return fig


def _label(ax: Axes, text: str, at: Any, offset: tuple[float, float], **where: Any) -> None:
    ax.annotate(text, (at[0], at[1]), xytext=offset, textcoords="offset points", **where)


def _axes(grid: bool = True) -> tuple[Figure, Axes]:
    fig = Figure(figsize=_SIZE, layout="constrained")
    ax = fig.add_subplot()
    ax.grid(grid)
    return fig, ax
