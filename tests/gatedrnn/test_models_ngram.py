"""The n-gram baseline: a distribution, equal to the formula worked out with dictionaries."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from gatedrnn.models.ngram import NGram

V = 4
TRAIN = np.random.default_rng(0).choice(V, size=60, p=[0.5, 0.3, 0.15, 0.05])


def by_dictionary(train, order, context, character):
    """p(character | context) by the formula of the docstring, in its recursive form."""
    counts = [defaultdict(Counter) for _ in range(order)]
    for n in range(order):
        for t in range(n, len(train)):
            counts[n][tuple(train[t - n : t])][train[t]] += 1

    def p(u):
        follow = counts[len(u)][tuple(u)]
        lower = p(u[1:]) if u else 1 / V
        total, kinds = sum(follow.values()), len(follow)
        return (follow[character] + kinds * lower) / (total + kinds) if total else lower

    return p(list(context)[-(order - 1) :] if order > 1 else [])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_equal_the_formula(order):
    model = NGram(TRAIN, V, order)
    text = np.random.default_rng(1).integers(0, V, size=40)
    expected = [
        by_dictionary(TRAIN.tolist(), order, text[max(0, t - order + 1) : t].tolist(), text[t])
        for t in range(len(text))
    ]
    np.testing.assert_allclose(model.probabilities(text), expected, rtol=1e-12)
    assert model.nats_per_character(text) == pytest.approx(-np.log(expected[1:]).mean(), rel=1e-12)


@pytest.mark.parametrize("context", [[], [0], [3, 3], [2, 1, 0, 3]])
def test_every_context_has_a_distribution(context):
    model = NGram(TRAIN, V, 4)
    total = sum(model.probabilities(np.array([*context, w]))[-1] for w in range(V))
    assert total == pytest.approx(1.0, rel=1e-12)


def test_a_text_shorter_than_the_order_is_measured():
    assert NGram(TRAIN, V, 5).probabilities(np.array([1, 0])).shape == (2,)


def test_an_order_whose_codes_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="order 40"):
        NGram(TRAIN, V, 40)
    with pytest.raises(ValueError, match="order 0"):
        NGram(TRAIN, V, 0)
