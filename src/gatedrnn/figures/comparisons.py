"""Figures that compare cells: learning curves, and gradients against the lag."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gatedrnn.figures import style

_SIZE = (5.2, 3.6)
_DASHES = ("-", "--", "-.", ":")


def learning_curves(
    characters: np.ndarray,
    curves: Mapping[str, np.ndarray],
    reference: tuple[str, float] | None = None,
) -> Figure:
    """Validation loss against characters seen: the mean of the seeds, and the range between them.

    Takes characters (N,) and for each cell the values (S, N) of S seeds in bits per character; a
    reference is a name and a value that is drawn across. Raises ValueError for other shapes.
    """
    fig, ax = _axes()
    for name, values in curves.items():
        values = np.asarray(values)
        if values.ndim != 2 or values.shape[1] != len(characters):
            raise ValueError(
                f"{name} needs a row of {len(characters)} values for each seed, got shape "
                f"{values.shape}."
            )
        look = style.CELLS.get(name, {})
        millions = np.asarray(characters) / 1e6
        (line,) = ax.plot(millions, values.mean(axis=0), label=name, markersize=5, **look)
        ax.fill_between(
            millions,
            values.min(axis=0),
            values.max(axis=0),
            color=line.get_color(),
            alpha=0.25,
            lw=0,
        )
    if reference is not None:
        ax.axhline(reference[1], color=style.INK, lw=1.2, ls=(0, (6, 3)))
        ax.annotate(
            reference[0],
            (0, reference[1]),
            xycoords=ax.get_yaxis_transform(),
            xytext=(6, 4),
            textcoords="offset points",
        )
    ax.set(xlabel="characters seen (millions)", ylabel="validation bits per character")
    ax.legend()
    return fig


def gradient_vs_lag(lags: np.ndarray, norms: Mapping[str, np.ndarray]) -> Figure:
    """Norm of d h_T / d h_{T-k} against the lag k: the geometric mean of the seeds and their range.

    Takes lags (K,) and for each variant the norms (S, K) of S seeds. A variant whose name begins
    with a cell's has the cell's colour, and each further one of that cell the next dash. A norm of
    zero cannot be drawn on this axis and leaves a gap. Raises ValueError for other shapes.
    """
    fig, ax = _axes()
    seen: dict[str, int] = {}
    for name, values in norms.items():
        values = np.asarray(values, dtype=float)
        if values.ndim != 2 or values.shape[1] != len(lags):
            raise ValueError(
                f"{name} needs a row of {len(lags)} norms for each seed, got shape {values.shape}."
            )
        cell = name.split(",")[0].split()[0]
        colour = style.CELLS.get(cell, {}).get("color", style.GRADIENT)
        dashes = _DASHES[seen.setdefault(cell, 0) % len(_DASHES)]
        seen[cell] += 1
        shown = np.where(values > 0, values, np.nan)
        mean = np.exp(np.log(shown).mean(axis=0))
        ax.semilogy(lags, mean, dashes, color=colour, label=name)
        ax.fill_between(lags, shown.min(axis=0), shown.max(axis=0), color=colour, alpha=0.2, lw=0)
    ax.set(xlabel="lag k (steps back)", ylabel=r"norm of $\partial h_T / \partial h_{T-k}$")
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2, fontsize=10)
    return fig


def _axes() -> tuple[Figure, Axes]:
    fig = Figure(figsize=_SIZE, layout="constrained")
    ax = fig.add_subplot()
    ax.grid(True)
    return fig, ax
