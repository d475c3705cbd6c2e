"""Figures of the chapter on vanishing and exploding gradients."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatedrnn.figures import style

_NORM = r"norm of $\partial h_T / \partial h_{T-k}$"
_FLOOR = 1e-12


def norms_by_scale(panels: Mapping[str, Mapping[float, np.ndarray]]) -> Figure:
    """Norm of the Jacobian against the lag, a panel for each kind of input, a line for each scale.

    Takes for each panel the norms (S, K) of S seeds by spectral radius of W_hh; drawn are the
    geometric mean and the range.
    """
    fig = Figure(figsize=(4.6, 5.6), layout="constrained")
    axes = fig.subplots(len(panels), 1, sharex=True, sharey=True)
    for ax, (title, curves) in zip(axes, panels.items(), strict=True):
        for scale, norms in curves.items():
            look = "-" if scale > 1 else "--" if scale == 1 else ":"
            colour = style.UPDATE if scale > 1 else style.INK if scale == 1 else style.STATE
            mean = _geometric_mean(norms)
            lags = np.arange(norms.shape[1])
            ax.semilogy(lags, mean, look, color=colour)
            ax.fill_between(
                lags, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.2, lw=0
            )
            end = int(np.flatnonzero(mean > 2 * _FLOOR)[-1])
            ax.annotate(
                f"{scale:g}",
                (lags[end], mean[end]),
                xytext=(4, _lift(scale, curves)),
                textcoords="offset points",
                va="center",
                color=colour,
                annotation_clip=False,
            )
        ax.set(title=title, ylabel=_NORM, ylim=(_FLOOR, 1e7))
        ax.grid(True)
    axes[-1].set(xlabel="lag k (steps back)", xlim=(0, norms.shape[1] + 6))
    return fig


def circles(matrices: Mapping[str, np.ndarray], steps: Sequence[int]) -> Figure:
    """What W^k makes of a circle of changes, one row a matrix (2, 2) and one column a k."""
    fig = Figure(figsize=(5.2, 2.8))
    fig.subplots_adjust(left=0, right=1, top=0.9, bottom=0.1, wspace=0, hspace=0.4)
    axes = fig.subplots(len(matrices), len(steps), sharex=True, sharey=True, squeeze=False)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for row, (name, W) in zip(axes, matrices.items(), strict=True):
        for ax, k in zip(row, steps, strict=True):
            image = np.linalg.matrix_power(W, k) @ circle
            ax.plot(*circle, ":", color=style.MUTED, lw=1)
            ax.fill(*image, color=style.GRADIENT, alpha=0.3, lw=0)
            ax.plot(*image, color=style.GRADIENT, lw=2)
            ax.set(aspect="equal", xticks=[], yticks=[], ylim=(-1.3, 1.3))
            for spine in ax.spines.values():
                spine.set_visible(False)
        row[0].set_title(name)
    for ax, k in zip(axes[-1], steps, strict=True):
        ax.set_xlabel(f"k = {k}")
    return fig


def powers(curves: Mapping[str, np.ndarray]) -> Figure:
    """Norm of W^k against k, a line for each matrix."""
    fig, ax = _axes()
    looks = (("-", style.STATE), ("--", style.UPDATE), ("-.", style.RESET))
    for (name, norms), (dashes, colour) in zip(curves.items(), looks, strict=False):
        ax.semilogy(np.arange(len(norms)), norms, dashes, color=colour, label=name)
    ax.axhline(1, color=style.MUTED, lw=1, ls=":")
    ax.set(xlabel="k", ylabel=r"norm of $W^k$", ylim=(1e-9, 1e3))
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), fontsize=10, frameon=False)
    return fig


def singular_values(blocks: Mapping[str, np.ndarray]) -> Figure:
    """Singular values (G, H) of each gate's block, largest first, for some ways to draw weights."""
    fig, ax = _axes()
    looks = ((style.UPDATE, "--"), (style.STATE, "-"), (style.MUTED, ":"))
    for (name, values), (colour, dashes) in zip(blocks.items(), looks, strict=False):
        ordered = -np.sort(-values, axis=1)
        ax.plot(np.arange(1, values.shape[1] + 1), ordered.T, dashes, color=colour, lw=1.6)
        ax.plot([], [], dashes, color=colour, label=name)
    ax.set(xlabel="rank", ylabel="singular value", ylim=(-0.05, None))
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), fontsize=10, frameon=False)
    return fig


def rate_by_bias(biases: np.ndarray, rates: np.ndarray) -> Figure:
    """Rate of a GRU's gradient against the bias of its update gate, with what copying alone gives.

    Takes biases (N,) and rates (S, N) of S seeds.
    """
    fig, ax = _axes()
    fine = np.linspace(biases[0], biases[-1], 200)
    ax.plot(fine, 1 / (1 + np.exp(-fine)), "--", color=style.INK, lw=1.5, label="sigma(bias)")
    ax.plot(biases, rates.mean(axis=0), "o-", color=style.STATE, label="measured")
    ax.fill_between(biases, rates.min(axis=0), rates.max(axis=0), color=style.STATE, alpha=0.2)
    ax.axhline(1, color=style.MUTED, lw=1, ls=":")
    ax.set(xlabel="bias of the update gate", ylabel="factor for each step back", ylim=(0, 1.05))
    ax.legend(loc="lower right", frameon=False)
    return fig


def before_and_after(
    panels: Mapping[str, Mapping[str, np.ndarray]], before: Mapping[str, np.ndarray]
) -> Figure:
    """Norm of the Jacobian against the lag, thin before training and thick after, a panel a task.

    Takes by task and cell the norms (S, K) of S seeds after training, and by cell those before.
    """
    fig = Figure(figsize=(4.6, 5.8), layout="constrained")
    axes = fig.subplots(len(panels), 1, sharex=True, sharey=True)
    for ax, (task, cells) in zip(axes, panels.items(), strict=True):
        for cell, after in cells.items():
            look = style.CELLS[cell]
            colour, dashes = look["color"], look["linestyle"]
            lags = np.arange(after.shape[1])
            ax.semilogy(lags, _geometric_mean(before[cell]), dashes, color=colour, lw=1)
            ax.semilogy(lags, _geometric_mean(after), dashes, color=colour, lw=3, label=cell)
            shown = np.where(after > 0, after, np.nan)
            low, high = shown.min(axis=0), shown.max(axis=0)
            ax.fill_between(lags, low, high, color=colour, alpha=0.2, lw=0)
        ax.set(title=task, ylabel=_NORM, ylim=(1e-16, 1e2))
        ax.grid(True)
    axes[-1].set(xlabel="lag k (steps back)")
    axes[-1].legend(loc="upper left", bbox_to_anchor=(0, -0.25), ncols=3, frameon=False)
    return fig


def _lift(scale: float, curves: Mapping[float, np.ndarray]) -> float:
    """Points by which a line's label is raised, so that neighbours and the lines stay apart."""
    if curves[scale].mean(axis=0)[-1] < _FLOOR:
        return 11
    return {0: 6, 1: -6}.get(sorted(curves, reverse=True).index(scale), 0)


def _geometric_mean(norms: np.ndarray) -> np.ndarray:
    """The mean over seeds; a zero cannot be drawn on a logarithmic axis and leaves a gap."""
    return np.exp(np.log(np.where(norms > 0, norms, np.nan)).mean(axis=0))


def _axes() -> tuple[Figure, Axes]:
    fig = Figure(figsize=(5.0, 3.6), layout="constrained")
    ax = fig.add_subplot()
    ax.grid(True)
    return fig, ax
