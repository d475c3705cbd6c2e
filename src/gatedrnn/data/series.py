"""Series of numbers: load, cut into windows that stay on one side of a split, and scale."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatedrnn.data.sources import DataError, fetch

Array = NDArray[np.float64]

_SERIES_FILES = {"elnino": "elnino.csv", "sunspots": "sunspots_monthly.dat"}
_YEAR = re.compile(r"\d{4}[\s,]")


class Windows(NamedTuple):
    """Inputs and targets, both (N, length), of one side of a split."""

    inputs: Array
    targets: Array


def load_series(name: str) -> Array:
    """Return a named monthly series (N,) in time order, without gaps.

    "elnino" is the temperature of the sea off Peru (region Nino 1+2) from 1950, in degrees Celsius,
    and "sunspots" the mean number of sunspots from 1749. Raises DataError when the name is no
    series, or as `fetch` does.
    """
    if name not in _SERIES_FILES:
        known = ", ".join(sorted(_SERIES_FILES))
        raise DataError(f"There is no series called {name!r}; choose one of: {known}.")
    text = fetch(name, _SERIES_FILES[name]).read_text(encoding="ascii")
    # A row is a year and its months; what does not begin with a year is header or note.
    rows = (re.split(r"[\s,]+", row.strip()) for row in text.splitlines() if _YEAR.match(row))
    return np.array([float(value) for row in rows for value in row[1:]])


def windows(series: Array, length: int, horizon: int) -> Windows:
    """Return all windows of a series (N,): the target at each place is `horizon` steps later.

    Equation ``eq-window``. Inputs and targets are (max(0, N - length - horizon + 1), length).
    Raises ValueError when length or horizon is below 1.
    """
    if length < 1 or horizon < 1:
        raise ValueError(f"Expected a length and a horizon of 1 or more, got {length}, {horizon}.")
    count = max(0, len(series) - length - horizon + 1)
    places = np.arange(count)[:, None] + np.arange(length)
    return Windows(series[places], series[places + horizon])


def split_windows(series: Array, length: int, horizon: int, split: int) -> tuple[Windows, Windows]:
    """Return the windows of series[:split] and those of series[split:]; none crosses the split.

    Raises ValueError as `windows` does.
    """
    return windows(series[:split], length, horizon), windows(series[split:], length, horizon)


class Scaler(NamedTuple):
    """Mean and scale of every column, each (D,)."""

    mean: Array
    scale: Array


def fit_scaler(series: Array, split: int) -> Scaler:
    """Return mean and standard deviation of each column of series[:split], for series (N, D).

    Equation ``eq-scale``. The divisor is the number of rows. A column that is constant there has
    scale 1. Whether it is constant is read from the values, because the computed deviation of a
    constant column need not be exactly 0.
    """
    train = series[:split]
    constant = train.max(axis=0) == train.min(axis=0)
    return Scaler(train.mean(axis=0), np.where(constant, 1.0, train.std(axis=0)))
