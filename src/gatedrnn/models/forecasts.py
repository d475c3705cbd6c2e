"""Forecasts that any other forecast of a series must beat."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def persistence(history: Array, steps: int) -> Array:
    """Return the last value of history (N,), repeated (steps,). Equation ``eq-persistence``."""
    return np.repeat(history[-1], steps)


def seasonal_naive(history: Array, steps: int, season: int) -> Array:
    """Return the last whole season of history (N,), repeated to (steps,).

    Equation ``eq-seasonal-naive``. Raises ValueError when the history is shorter than a season.
    """
    if not 1 <= season <= len(history):
        raise ValueError(
            f"A seasonal forecast needs a whole season of {season} values, got {len(history)}."
        )
    return np.resize(history[-season:], steps)


class Autoregression:
    """Linear autoregression: the next value is a weighted sum of the last `order`, and a constant.

    Equation ``eq-autoregression``. The weights are those of least squares on `train` (N,), and
    later steps are forecast from the forecasts before them. Raises ValueError when `train` has
    fewer targets than weights.
    """

    def __init__(self, train: Array, order: int) -> None:
        rows = len(train) - order
        if order < 1 or rows < order + 1:
            raise ValueError(
                f"Expected an order of at least 1 and {2 * order + 1} values or more to fit it, "
                f"got order {order} and {len(train)} values."
            )
        lagged = np.lib.stride_tricks.sliding_window_view(train[:-1], order)
        design = np.column_stack([np.ones(rows), lagged])
        self.weights = np.linalg.lstsq(design, train[order:], rcond=None)[0]
        self.order = order

    def forecast(self, history: Array, steps: int) -> Array:
        """Return the next values (steps,) after history (N,), each from the `order` before it."""
        values = list(history[-self.order :])
        for _ in range(steps):
            values.append(self.weights[0] + np.dot(self.weights[1:], values[-self.order :]))
        return np.array(values[self.order :])
