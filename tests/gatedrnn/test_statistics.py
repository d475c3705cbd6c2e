"""Intervals over seeds, against printed tables and simulation."""

import math

import numpy as np
import pytest

from gatedrnn.analysis.statistics import (
    binomial_interval,
    bootstrap_interval,
    paired_difference,
    t_interval,
    t_quantile,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: upper 2.5 % and 0.1 % points.
TABLE = {1: (12.706, 318.309), 2: (4.303, 22.327), 4: (2.776, 7.173), 7: (2.365, 4.785),
         10: (2.228, 4.144), 29: (2.045, 3.396), 100: (1.984, 3.174)}  # fmt: skip


@pytest.mark.parametrize("degrees", TABLE)
def test_quantiles_are_those_of_the_printed_table(degrees):
    for probability, printed in zip((0.975, 0.999), TABLE[degrees], strict=True):
        assert t_quantile(probability, degrees) == pytest.approx(printed, abs=6e-4)
        assert t_quantile(1 - probability, degrees) == -t_quantile(
            1 - (1 - probability), degrees
        ) or t_quantile(1 - probability, degrees) == pytest.approx(-printed, abs=6e-4)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 8])
def test_quantiles_leave_the_right_area_under_the_density(degrees):
    quantile = t_quantile(0.9, degrees)
    grid = np.linspace(0, quantile, 20_001)
    constant = math.gamma((degrees + 1) / 2) / (
        math.sqrt(degrees * math.pi) * math.gamma(degrees / 2)
    )
    density = constant * (1 + grid**2 / degrees) ** (-(degrees + 1) / 2)
    area = float(np.sum((density[1:] + density[:-1]) / 2 * np.diff(grid)))
    assert area == pytest.approx(0.4, abs=1e-8)


def test_the_interval_of_five_values_worked_by_hand():
    # Mean 3, standard deviation sqrt(2.5), standard error sqrt(0.5), t = 2.7764451.
    interval = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451051977934 * math.sqrt(0.5)
    assert (interval.mean, interval.n, interval.level) == (3.0, 5, 0.95)
    assert interval.low == pytest.approx(3 - half, rel=1e-9)
    assert interval.high == pytest.approx(3 + half, rel=1e-9)
    assert interval.as_dict()["high"] == interval.high


def test_the_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    samples = generator.normal(2.0, 3.0, size=(4000, 5))
    covered = sum(i.low < 2.0 < i.high for i in (t_interval(row, 0.9) for row in samples))
    # Five standard errors of a share of 4000.
    assert abs(covered / 4000 - 0.9) < 5 * math.sqrt(0.9 * 0.1 / 4000)


def test_pairs_remove_what_both_share():
    shared = np.array([0.0, 10.0, 20.0, 30.0])
    difference = paired_difference(shared + [1.0, 1.1, 0.9, 1.0], shared)
    assert difference.mean == pytest.approx(1.0)
    assert 0.8 < difference.low < difference.high < 1.2
    with pytest.raises(ValueError, match="got 2 and 3"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])


def test_the_bootstrap_agrees_with_theory_for_many_values_and_is_seeded():
    values = np.random.default_rng(1).normal(size=400)
    interval = bootstrap_interval(values)
    theory = t_interval(values)
    assert interval.low == pytest.approx(theory.low, abs=0.01)
    assert interval.high == pytest.approx(theory.high, abs=0.01)
    assert bootstrap_interval(values) == interval
    assert bootstrap_interval(values, seed=1) != interval


def test_the_bootstrap_never_leaves_the_values():
    interval = bootstrap_interval([1.0, 2.0, 4.0], level=0.999)
    assert 1.0 <= interval.low < interval.mean < interval.high <= 4.0


def test_too_little_is_refused():
    for function in (t_interval, bootstrap_interval):
        with pytest.raises(ValueError, match="at least two values, got 1"):
            function([1.0])
    with pytest.raises(ValueError, match="between 0 and 1, got 95"):
        t_interval([1.0, 2.0], level=95)
    with pytest.raises(ValueError, match="one degree of freedom"):
        t_quantile(0.5, 0)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Printed in tables of exact 95 % confidence limits for a binomial share.
    [(0, 10, 0.0, 0.3085), (3, 10, 0.0667, 0.6525), (5, 5, 0.4782, 1.0), (1, 20, 0.0013, 0.2487)],
)
def test_the_exact_interval_of_a_share_is_that_of_the_tables(successes, n, low, high):
    interval = binomial_interval(successes, n)
    assert interval.mean == successes / n and interval.n == n
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)


def test_the_exact_interval_of_a_share_covers_at_least_its_level():
    n = 5
    for p in np.linspace(0.01, 0.99, 50):
        covered = sum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k)
            for k in range(n + 1)
            if binomial_interval(k, n).low <= p <= binomial_interval(k, n).high
        )
        assert covered >= 0.95
    with pytest.raises(ValueError, match="got 6 of 5"):
        binomial_interval(6, 5)
