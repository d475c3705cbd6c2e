"""Figures of the chapter on sequences and baselines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatedrnn.figures import style

# A phone shows a figure at about 350 px: narrow and with few labels, it stays legible there.
_WIDTH = 5.2
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.MUTED, "linestyle": ":", "marker": "s"},
    {"color": style.UPDATE, "linestyle": "--", "marker": "^"},
    {"color": style.STATE, "linestyle": "-", "marker": "o"},
)


def bits_by_order(orders: np.ndarray, curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Bits per character of n-gram models against their order, one curve for each amount of text.

    Takes orders (N,) and up to three curves by name, each with "mean", "low" and "high" of (N,).
    """
    fig = Figure(figsize=(_WIDTH, 3.8), layout="constrained")
    ax = fig.add_subplot()
    _bands(ax, orders, curves)
    for name, curve in curves.items():
        _label(ax, name, (orders[-1], curve["mean"][-1]), (-2, 8), ha="right")
    ax.set(xlabel="order n (characters, the predicted one included)", ylabel="bits per character")
    ax.set_xticks(orders)
    return fig


def bits_of_models(parts: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Figure:
    """Bits per character of models on parts of a text: parts -> models -> (mean, low, high)."""
    fig = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    ax = fig.add_subplot()
    looks = ({"color": style.UPDATE, "marker": "^"}, {"color": style.STATE, "marker": "o"})
    models = list(next(iter(parts.values())))
    for shift, look, (part, rows) in zip((-0.12, 0.12), looks, parts.items(), strict=True):
        mean, low, high = np.array([rows[model] for model in models]).T
        places = np.arange(len(models)) + shift
        ax.errorbar(
            mean, places, xerr=(mean - low, high - mean), fmt=look["marker"], color=look["color"],
            ms=8, lw=2.5, capsize=4,
        )  # fmt: skip
        # The first part has the lower values, so there is room between the two.
        side: dict[str, Any] = {"ha": "left" if shift < 0 else "right", "va": "center"}
        _label(ax, part, (mean[0], places[0]), (10 if shift < 0 else -10, 0), **side)
        ax.axvline(mean[0], color=look["color"], lw=1, ls=":")
    ax.set_yticks(range(len(models)), models)
    ax.set(xlabel="bits per character (less is better)", ylim=(len(models) - 0.5, -0.6))
    ax.grid(axis="x")
    return fig


def errors_by_horizon(
    horizons: np.ndarray, series: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]
) -> Figure:
    """Mean absolute error against the horizon, one panel for each series.

    Takes horizons (N,) and for each panel's title up to three methods, each with "mean", "low" and
    "high" of (N,).
    """
    fig = Figure(figsize=(_WIDTH, 2.7 * len(series)), layout="constrained")
    panels = np.atleast_1d(fig.subplots(len(series), 1, sharex=True))
    for ax, (title, methods) in zip(panels, series.items(), strict=True):
        _bands(ax, horizons, methods)
        ax.set(title=title, ylim=(0, None), ylabel="mean abs. error")
    panels[0].legend(loc="lower left", bbox_to_anchor=(-0.12, 1.12), ncols=3, frameon=False,
                     fontsize=10, handlelength=1.6, columnspacing=1.0)  # fmt: skip
    panels[-1].set(xlabel="horizon (months)")
    panels[-1].set_xticks([1, 6, 12, 18, 24])
    return fig


def _bands(ax: Axes, at: np.ndarray, curves: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    for look, (name, curve) in zip(_LOOKS, curves.items(), strict=False):
        ax.plot(at, curve["mean"], label=name, markersize=4, **look)
        ax.fill_between(at, curve["low"], curve["high"], color=look["color"], alpha=0.2, lw=0)
    ax.grid(True)


def _label(ax: Axes, text: str, at: Any, offset: tuple[float, float], **where: Any) -> None:
    ax.annotate(text, at, xytext=offset, textcoords="offset points", **where)
