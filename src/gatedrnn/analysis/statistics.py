"""Intervals for a mean over random seeds, and for a share of them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean of n values and the interval around it."""

    mean: float
    low: float
    high: float
    level: float
    n: int

    def as_dict(self) -> dict[str, float]:
        """Return the fields as a dictionary, for a record."""
        return asdict(self)


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean of independent values with Student's t interval.

    The half width is t * s / sqrt(n), with s the standard deviation (divisor n - 1) and t the
    quantile for n - 1 degrees of freedom. It assumes that the values are close to normal: with
    runs that either solve a task or do not, report the share that does instead.
    Raises ValueError for fewer than two values or a level outside (0, 1).
    """
    sample = _checked(values, level)
    n = len(sample)
    mean = float(sample.mean())
    half = t_quantile((1 + level) / 2, n - 1) * float(sample.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, level, n)


def paired_difference(
    first: Sequence[float], second: Sequence[float], level: float = 0.95
) -> Interval:
    """Return the t interval of first[i] - second[i]; raises ValueError for unequal lengths."""
    if len(first) != len(second):
        raise ValueError(
            f"Pairs need as many values on both sides, got {len(first)} and {len(second)}."
        )
    return t_interval([a - b for a, b in zip(first, second, strict=True)], level)


def bootstrap_interval(
    values: Sequence[float], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Return the mean with a percentile bootstrap interval.

    It assumes no distribution, but with five values it is too narrow: no resample reaches beyond
    the smallest and the largest value. Raises ValueError as `t_interval` does.
    Source: Efron and Tibshirani (1993), chapter 13.
    """
    sample = _checked(values, level)
    generator = np.random.default_rng(seed)
    drawn = generator.choice(sample, size=(resamples, len(sample))).mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high), level, len(sample))


def binomial_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return the share of successes in n independent trials, with its exact interval.

    The interval holds every probability that the count does not reject in either tail, so that it
    covers at least the level; with five trials it is wide, as it must be.
    Raises ValueError for a count that cannot be.
    Source: Clopper and Pearson (1934).
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"Expected a count from 0 to n of at least 1, got {successes} of {n}.")
    _check_level(level)
    tail = (1 - level) / 2
    low = _probability_with_tail(successes, n, tail)
    high = 1 - _probability_with_tail(n - successes, n, tail)
    return Interval(successes / n, low, high, level, n)


def _probability_with_tail(successes: int, n: int, tail: float) -> float:
    """The p at which so many successes or more have the probability `tail`; 0 for none."""
    if successes == 0:
        return 0.0
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        at_least = sum(
            math.comb(n, k) * middle**k * (1 - middle) ** (n - k) for k in range(successes, n + 1)
        )
        low, high = (middle, high) if at_least < tail else (low, middle)
    return low


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution with a whole number of degrees of freedom.

    Raises ValueError for a probability outside (0, 1) or fewer than one degree.
    """
    if not 0 < probability < 1 or degrees < 1:
        raise ValueError(
            "Expected a probability between 0 and 1 and at least one degree of freedom, got "
            f"{probability} and {degrees}."
        )
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while _t_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _t_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _t_cdf(t: float, degrees: int) -> float:
    # P(|X| < t) is a finite sum for whole degrees of freedom: Abramowitz and Stegun (1964), 26.7.3
    # for odd and 26.7.4 for even ones.
    angle = math.atan(t / math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    if degrees == 1:
        total = 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    inside = math.sin(angle) * total
    if odd:
        inside = 2 / math.pi * (angle + inside)
    return (1 + inside) / 2


def _checked(values: Sequence[float], level: float) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or len(sample) < 2:
        raise ValueError(f"An interval needs at least two values, got {sample.size}.")
    _check_level(level)
    return sample


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"The level must lie between 0 and 1, got {level}.")
