"""Figures of the chapter on the backward pass of the GRU."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatedrnn.analysis.statistics import t_quantile
from gatedrnn.figures import style

#: A route by its name in records: words, colour, dash and width.
_ROUTES = {
    "direct": ("direct", style.STATE, "-", 3.0),
    "n": ("by n", style.CANDIDATE, "-.", 2.0),
    "z": ("by z", style.UPDATE, "--", 2.0),
    "r": ("by r", style.RESET, ":", 2.4),
}


def route_shares(lags: Sequence[int], panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """What each route passes on, as a share of the gradient, by lag: a panel for each title.

    Takes lags (K,) and for each title and route the shares (S, K) of S seeds; lines are geometric
    means, and bands the 95 % t interval of the logarithm.
    """
    fig = Figure(figsize=(5.2, 6.6), layout="constrained")
    axes = np.atleast_1d(fig.subplots(len(panels), 1, sharex=True, sharey=True))
    for ax, (title, shares) in zip(axes, panels.items(), strict=True):
        for route, (words, colour, dashes, width) in _ROUTES.items():
            _line(ax, lags, shares[route], dashes, color=colour, lw=width, label=words)
        ax.set_title(title)
        ax.set_ylabel("share")
        ax.grid(True)
    axes[-1].set_xlabel("lag (steps back)")
    axes[-1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=2, frameon=False)
    return fig


def confined_shares(lags: Sequence[int], shares: Mapping[str, np.ndarray]) -> Figure:
    """What is left of the gradient when it may take some routes only, as a share, by lag.

    Takes lags (K,) and for each name the shares (S, K) of S seeds, drawn as in `route_shares`.
    """
    fig = Figure(figsize=(5.2, 3.9), layout="constrained")
    ax = fig.add_subplot()
    ax.grid(True)
    looks = (
        (style.MUTED, "-", 5.0),
        (style.STATE, "-", 2.2),
        (style.STATE, "--", 2.2),
        (style.STATE, ":", 2.4),
    )
    for (name, values), (colour, dashes, width) in zip(shares.items(), looks, strict=False):
        _line(ax, lags, values, dashes, color=colour, lw=width, label=name)
    ax.set(xlabel="lag (steps back)", ylabel="share of the gradient")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), frameon=False)
    return fig


def _line(
    ax: Axes,
    lags: Sequence[int],
    values: np.ndarray,
    dashes: str,
    **look: Any,
) -> None:
    logs = np.log(values)
    mean, seeds = logs.mean(axis=0), len(logs)
    half = t_quantile(0.975, seeds - 1) * logs.std(axis=0, ddof=1) / np.sqrt(seeds)
    (line,) = ax.semilogy(lags, np.exp(mean), dashes, **look)
    low, high = np.exp(mean - half), np.exp(mean + half)
    ax.fill_between(lags, low, high, color=line.get_color(), alpha=0.25, lw=0)
