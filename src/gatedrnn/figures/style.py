"""One visual language for all figures: what a colour means, and how text and lines look.

The colours are those of Okabe and Ito's palette, some darkened a little: each stands out by at
least 3 to 1 on a white and on a dark page, and each pair stays apart with the common forms of
colour blindness. Figures are transparent and their text is a grey between the two pages, so one
picture serves both. No meaning rests on colour alone: give each line a dash, a marker or a label.
"""

from typing import Any

import matplotlib

STATE = "#0072b2"
UPDATE = "#b34f00"
RESET = "#009e73"
CANDIDATE = "#c76fa1"
INPUT = "#3a96cf"
GRADIENT = "#c68900"

# Text and axes: as far from white as from the dark page.
INK = "#7a7a7a"
# For what should step back: reference lines, the cells that a figure is not about.
MUTED = "#8c8c8c"

# Cells by name: colour, dash and marker.
CELLS: dict[str, dict[str, Any]] = {
    "RNN": {"color": MUTED, "linestyle": ":", "marker": "s"},
    "GRU": {"color": STATE, "linestyle": "-", "marker": "o"},
    "LSTM": {"color": UPDATE, "linestyle": "--", "marker": "^"},
}

# Any: matplotlib types its settings as a dictionary with a literal for each key.
STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "figure.facecolor": "none",
    "font.size": 12,
    "grid.alpha": 0.3,
    "grid.color": INK,
    "legend.framealpha": 0.0,
    "lines.linewidth": 2.0,
    "savefig.facecolor": "none",
    "svg.hashsalt": "gatedrnn",  # the same figure gives the same file
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def use_style() -> None:
    """Set matplotlib's defaults to the book's, for all figures made after this call."""
    matplotlib.rcParams.update(STYLE)
