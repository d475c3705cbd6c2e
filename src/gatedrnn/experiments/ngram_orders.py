"""Bits per character of counting models against their order, on parts of one text.

There is nothing random in counting. What varies is the text: it is cut into contiguous folds, each
is predicted by a model that counted the others, and the interval is over the folds. The models
share most of their counts, so they are not independent and the interval may be too narrow.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatedrnn.analysis.statistics import t_interval
from gatedrnn.data import CharVocabulary, load_text
from gatedrnn.experiments.options import Options
from gatedrnn.models.language_model import bits_per_character
from gatedrnn.models.ngram import NGram

TITLE = "Bits per character of n-gram models against their order, over folds of one text"
MAX_JOBS = 1

FULL: dict[str, Any] = {
    "dataset": "tinyshakespeare",
    "folds": 5,
    "orders": [1, 2, 3, 4, 5, 6, 7, 8],
    "train_shares": [0.01, 0.1, 1.0],
    "model": "character n-gram, Witten-Bell interpolation",
    "folds_are": "contiguous; a model counts the text outside its fold",
    "train_share_is": "that part of the text outside the fold, from its beginning",
}
QUICK = FULL | {"orders": [1, 2], "train_shares": [0.01, 0.02]}

Ids = NDArray[np.int64]


def run(options: Options) -> dict[str, Any]:
    """Measure every order and share of the training text on every fold; nothing is random."""
    settings = QUICK if options.quick else FULL
    text = load_text(settings["dataset"])
    folds = settings["folds"]
    bounds = np.linspace(0, len(text), folds + 1).astype(int)
    cells: dict[str, Any] = {}
    for share in settings["train_shares"]:
        measured = [
            fold_bpc(text, slice(bounds[i], bounds[i + 1]), share, settings["orders"])
            for i in range(folds)
        ]
        cells[str(share)] = {
            str(order): {
                "bpc": [fold[order]["bpc"] for fold in measured],
                "counts": [fold[order]["counts"] for fold in measured],
                "interval": t_interval([fold[order]["bpc"] for fold in measured]).as_dict(),
            }
            for order in settings["orders"]
        }
    return {
        "configuration": settings,
        "seeds": [],
        "results": {"shares": cells, "best": _best(cells)},
    }


def table(results: dict[str, Any]) -> str:
    """Return a line for each order: mean and interval for each share of the training text."""
    shares = results["shares"]
    lines = ["order" + "".join(f"{float(share):>26.0%}" for share in shares)]
    for order in next(iter(shares.values())):
        cells = "".join(f"{_in_words(rows[order]['interval']):>26}" for rows in shares.values())
        lines.append(f"{order:>5}{cells}")
    lines.append("Bits per character, mean over the folds, 95 % t interval.")
    return "\n".join(lines)


def fold_bpc(text: str, fold: slice, share: float, orders: list[int]) -> dict[int, dict[str, Any]]:
    """Return bits per character and size by order, on a fold of a text, from counts outside it.

    The vocabulary is that of the counted text. The characters before and after the fold are joined
    by one unknown character, so that no sequence is counted as if it stood in the text.
    """
    outside = text[: fold.start] + CharVocabulary.UNKNOWN + text[fold.stop :]
    train = outside[: int(len(outside) * share)]
    vocabulary = CharVocabulary(train.replace(CharVocabulary.UNKNOWN, ""))
    counted: Ids = vocabulary.encode(train).numpy()
    held_out: Ids = vocabulary.encode(text[fold]).numpy()
    found = {}
    for order in orders:
        model = NGram(counted, len(vocabulary), order)
        bpc = bits_per_character(model.nats_per_character(held_out))
        found[order] = {"bpc": bpc, "counts": model.count}
    return found


def _best(cells: dict[str, Any]) -> dict[str, Any]:
    """Return for each share the order with the lowest mean, and that mean."""
    best = {}
    for share, rows in cells.items():
        order = min(rows, key=lambda name: rows[name]["interval"]["mean"])
        best[share] = {"order": int(order), **rows[order]["interval"]}
    return best


def _in_words(interval: dict[str, float]) -> str:
    return f"{interval['mean']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
