"""Interpolated character n-gram model: the counting baseline of a language model."""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class NGram:
    """Counts of all character sequences up to `order`, mixed by Witten-Bell interpolation.

    With c(u) the number of times context u was followed by anything and m(u) the number of
    different characters that followed it, the model of a character w after u is

        p(w | u) = (c(uw) + m(u) p(w | u without its first character)) / (c(u) + m(u)),

    and below the empty context stands the uniform distribution over the V ids. An order of n looks
    at the n - 1 characters before. A context never seen leaves the choice to the shorter one.
    Source: Witten and Bell (1991); Chen and Goodman (1999), section 2.4.
    """

    def __init__(self, train: Ids, vocabulary_size: int, order: int) -> None:
        if order < 1 or vocabulary_size**order > np.iinfo(np.int64).max:
            raise ValueError(
                f"Expected an order of at least 1 with vocabulary_size ** order below 2 ** 63, got "
                f"order {order} and {vocabulary_size} characters."
            )
        self.vocabulary_size = vocabulary_size
        self.order = order
        self._levels = [_Level(train, vocabulary_size, n) for n in range(1, order + 1)]

    @property
    def count(self) -> int:
        """Return the number of different sequences counted, the model's size."""
        return sum(len(level.grams) for level in self._levels)

    def probabilities(self, ids: Ids) -> NDArray[np.float64]:
        """Return p(ids[t] | the order - 1 ids before t) for every t, shape (N,).

        The first ids of the sequence have shorter contexts, down to the empty one.
        """
        mixed = np.full(len(ids), 1.0 / self.vocabulary_size)
        # Level n has something to say only where n - 1 ids stand before.
        for length, level in enumerate(self._levels[: len(ids)], start=1):
            mixed[length - 1 :] = level.interpolate(ids, mixed[length - 1 :])
        return mixed

    def nats_per_character(self, ids: Ids) -> float:
        """Return the mean negative log-likelihood over all ids but the first, in nats.

        The first is left out because a recurrent model, too, is not asked to predict it.
        """
        return float(-np.log(self.probabilities(ids)[1:]).mean())


class _Level:
    """Counts of the sequences of one length n: each sequence is one number in base V."""

    def __init__(self, train: Ids, vocabulary_size: int, length: int) -> None:
        self.base = vocabulary_size
        self.length = length
        self.grams, self.counts = np.unique(self._codes(train), return_counts=True)
        contexts, starts = np.unique(self.grams // self.base, return_index=True)
        self.contexts = contexts
        # Grams are sorted, so those of one context stand together.
        self.context_counts = np.add.reduceat(self.counts, starts)
        self.followers = np.diff(np.append(starts, len(self.grams)))

    def interpolate(self, ids: Ids, lower: NDArray[np.float64]) -> NDArray[np.float64]:
        codes = self._codes(ids)
        seen = _look_up(self.grams, self.counts, codes)
        context = codes // self.base
        total = _look_up(self.contexts, self.context_counts, context)
        followers = _look_up(self.contexts, self.followers, context)
        weight = np.maximum(total + followers, 1)
        return np.where(total > 0, (seen + followers * lower) / weight, lower)

    def _codes(self, ids: Ids) -> Ids:
        windows = np.lib.stride_tricks.sliding_window_view(ids, self.length)
        powers = self.base ** np.arange(self.length - 1, -1, -1, dtype=np.int64)
        return windows @ powers


def _look_up(keys: Ids, values: NDArray[np.int64], wanted: Ids) -> NDArray[np.int64]:
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
