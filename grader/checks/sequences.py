"""Checks of the unit on sequences, units of likelihood, and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gatedrnn.analysis.likelihood import perplexity
from gatedrnn.data.series import fit_scaler, split_windows
from gatedrnn.models.ngram import NGram
from grader.compare import (
    assert_like,
    assert_matches,
    assert_raises,
    assert_true,
    assert_unchanged,
)
from grader.exercise import Exercise, points
from grader.student import Student

Rng = np.random.Generator
Array = np.ndarray

EXERCISES = (
    Exercise(
        "make_windows",
        "Windows that stay on their side",
        see="sequences.html#windows-and-the-split",
        hints=(
            "Cut the series in two before you cut it into windows. Then no window can cross.",
            "In a part of n values, a window that starts at s reads the values s to s + length - 1 "
            "and is asked for the values s + horizon to s + horizon + length - 1. Which s is the "
            "last for which the latter still exists?",
            "A part of n values has `max(0, n - length - horizon + 1)` windows. With "
            "`places = np.arange(count)[:, None] + np.arange(length)`, the inputs are "
            "`part[places]` and the targets `part[places + horizon]`. Do it for `series[:split]` "
            "and for `series[split:]`.",
        ),
    ),
    Exercise(
        "perplexity",
        "Perplexity of a whole set",
        see="sequences.html#perplexity-of-a-set",
        hints=(
            "A mean is taken once, over all real tokens of all batches. What do you have to add "
            "up, and what do you divide by?",
            "`batch[keep]` picks the real tokens of one batch, whatever stands at the others. Keep "
            "a running sum of those values and a running count of them.",
            "After the loop: if the count is 0, raise ValueError; otherwise return "
            "`float(np.exp(total / count))`.",
        ),
    ),
    Exercise(
        "fit_scaler",
        "A scaler that has not seen the future",
        see="sequences.html#scales-are-learned-too",
        hints=(
            "Mean and scale are learned from data like any weight. From which rows may they be?",
            "Use `train = series[:split]` and take the statistics over `axis=0`, one for each "
            "column. For a constant column, ask whether its largest and smallest value are equal; "
            "the computed deviation may miss 0 by a rounding error.",
            "`scale = np.where(train.max(axis=0) == train.min(axis=0), 1.0, train.std(axis=0))`. "
            "Then transform is `(x - mean) / scale`, and the way back is `x * scale + mean`.",
        ),
        functions=("fit_scaler", "transform", "inverse_transform"),
    ),
    Exercise(
        "ngram_logprob",
        "An n-gram model that backs off",
        see="sequences.html#counting-with-a-way-back",
        hints=(
            "The answer for a context needs the answer for a shorter context. Which end of the "
            "context do you drop, and where does it stop?",
            "Start from the uniform distribution `p = np.full(V, 1 / V)`. For n = 0, 1, ... up to "
            "the whole context, take its last n ids as u, find what follows each occurrence of u "
            "in `ids`, and mix the counts with p.",
            "The ids that follow u are `[ids[i + n] for i in range(len(ids) - n) if "
            "list(ids[i:i + n]) == u]`. Let counts = `np.bincount(followers, minlength=V)` and "
            "m = `np.count_nonzero(counts)`; if there are any followers, "
            "`p = (counts + m * p) / (counts.sum() + m)`. Return `np.log(p)`.",
        ),
    ),
)


# ---------------------------------------------------------------- make_windows

PARTS = ("train_inputs", "train_targets", "test_inputs", "test_targets")


def _expected_windows(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    train, test = split_windows(series, length, horizon, split)
    return dict(zip(PARTS, (*train, *test), strict=True))


def _part(got: Any, name: str) -> Any:
    assert_true(
        isinstance(got, Mapping) and name in got,
        f"The result is a dictionary of four arrays, and it needs the key {name!r}.",
    )
    return got[name]


def _series(rng: Rng) -> tuple[Array, int, int, int]:
    length, horizon = int(rng.integers(4, 7)), int(rng.integers(2, 4))
    split = int(rng.integers(22, 28))
    return rng.normal(size=split + int(rng.integers(13, 18))), length, horizon, split


@points("make_windows", 2)
def test_make_windows_train(student: Student, rng: Rng) -> None:
    """The training windows and their targets are right, for a horizon above 1."""
    drawn = _series(rng)
    got, expected = student.make_windows(*drawn), _expected_windows(*drawn)
    for name in PARTS[:2]:
        assert_matches(_part(got, name), expected[name], name)


@points("make_windows", 2)
def test_make_windows_test(student: Student, rng: Rng) -> None:
    """The test windows and their targets are right, for a horizon above 1."""
    drawn = _series(rng)
    got, expected = student.make_windows(*drawn), _expected_windows(*drawn)
    for name in PARTS[2:]:
        assert_matches(_part(got, name), expected[name], name)


@points("make_windows", 1)
def test_make_windows_next_value(student: Student, rng: Rng) -> None:
    """With horizon 1, each target is the value right after its input."""
    series, length, _, split = _series(rng)
    got = student.make_windows(series, length, 1, split)
    inputs, targets = _part(got, "train_inputs"), _part(got, "train_targets")
    for name, value in (("train_inputs", inputs), ("train_targets", targets)):
        assert_true(
            isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[1] == length,
            f"`{name}` has one row for each window and a column for each of its {length} places.",
        )
    assert_true(len(inputs) == len(targets) > 0, "There are as many rows of targets as of inputs.")
    following = {float(a): float(b) for a, b in zip(series[:-1], series[1:], strict=True)}
    wanted = np.array([[following.get(float(v), np.nan) for v in row] for row in inputs])
    assert_matches(targets, wanted, "train_targets")


@points("make_windows", 2)
def test_make_windows_keeps_its_side(student: Student, rng: Rng) -> None:
    """No training window or target comes from the split or after it, no test one from before it."""
    _, length, horizon, split = _series(rng)
    times = np.arange(split + 15, dtype=float)  # each value is its own time
    got = student.make_windows(times, length, horizon, split)
    for name in PARTS:
        part = _part(got, name)
        assert_true(
            isinstance(part, np.ndarray) and part.ndim == 2 and part.size > 0,
            f"`{name}` is an array with one row for each window.",
        )
        before = name.startswith("train")
        assert_true(
            part.max() < split if before else part.min() >= split,
            f"`{name}` reaches over the split.",
            expected=f"times {'below' if before else 'from'} {split}",
            got=f"times {part.min():.0f} to {part.max():.0f}",
        )
    later = _part(got, "train_targets")[:, -1] - _part(got, "train_inputs")[:, -1]
    assert_true((later > 0).all(), "A target lies later than its input.")


@points("make_windows", 1)
def test_make_windows_uses_all(student: Student, rng: Rng) -> None:
    """The last window ends at the last value of its part; a part too short has no window."""
    series, length, horizon, _ = _series(rng)
    exact = length + horizon  # room for one window in training, for none in the test part
    series = series[: exact + length + horizon - 1]
    got = student.make_windows(series, length, horizon, exact)
    assert_matches(got, _expected_windows(series, length, horizon, exact), "the result")


@points("make_windows", 1)
def test_make_windows_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The series is left as it was."""
    drawn = _series(rng)
    expected = _expected_windows(*drawn)
    got = student.make_windows(*drawn)
    assert_like(_part(got, "train_inputs"), expected["train_inputs"], "train_inputs")
    assert_unchanged(student.calls[-1].outcome, drawn, ("series", "length", "horizon", "split"))


# ---------------------------------------------------------------- perplexity


def _batches(rng: Rng, shapes: tuple[tuple[int, int], ...] = ((4, 7), (3, 9), (2, 3))) -> Any:
    """Losses of unequal batches, and masks of sequences of unequal length padded on the right."""
    nll, mask = [], []
    for index, (rows, steps) in enumerate(shapes):
        # Batches differ in difficulty as well as in size, so no mean of means is the mean.
        nll.append(rng.exponential(0.6 + 0.8 * index, size=(rows, steps)))
        lengths = rng.integers(1, steps, size=rows)
        lengths[0] = steps
        mask.append(np.arange(steps) < lengths[:, None])
    return nll, mask


@points("perplexity", 2)
def test_perplexity_whole_set(student: Student, rng: Rng) -> None:
    """Batches of unequal size and length: one mean over all real tokens."""
    nll, mask = _batches(rng)
    assert_matches(student.perplexity(nll, mask), perplexity(nll, mask), "the perplexity")


@points("perplexity", 1)
def test_perplexity_one_batch(student: Student, rng: Rng) -> None:
    """One batch without padding: exp of the mean, in nats."""
    nll, _ = _batches(rng, ((3, 5),))
    mask = [np.ones_like(nll[0], dtype=bool)]
    assert_matches(student.perplexity(nll, mask), perplexity(nll, mask), "the perplexity")


@points("perplexity", 1)
def test_perplexity_of_guessing(student: Student, rng: Rng) -> None:
    """A model that gives each of V symbols the chance 1/V has perplexity V."""
    symbols = int(rng.integers(5, 60))
    nll, mask = _batches(rng)
    nll = [np.full_like(batch, np.log(symbols)) for batch in nll]
    assert_matches(student.perplexity(nll, mask), float(symbols), "the perplexity")


@points("perplexity", 1)
def test_perplexity_regrouped(student: Student, rng: Rng) -> None:
    """The same sequences in other batches have the same perplexity."""
    (nll,), _ = _batches(rng, ((6, 8),))
    cut = int(rng.integers(1, 3))
    # The groups have unequal numbers of items, so their mean is not the mean.
    lengths = np.where(np.arange(6) < cut, rng.integers(1, 4, size=6), rng.integers(4, 9, size=6))
    mask = np.arange(8) < lengths[:, None]
    groups = (slice(0, cut), slice(cut, 6))
    got = student.perplexity([nll[g] for g in groups], [mask[g] for g in groups])
    assert_matches(got, perplexity([nll], [mask]), "the perplexity")


@points("perplexity", 1)
def test_perplexity_ignores_pads(student: Student, rng: Rng) -> None:
    """What stands at a pad is never read, even when it is infinite."""
    nll, mask = _batches(rng)
    spoiled = [np.where(keep, batch, np.inf) for batch, keep in zip(nll, mask, strict=True)]
    got = student.perplexity(spoiled, mask)
    assert_matches(got, perplexity(nll, mask), "the perplexity")


@points("perplexity", 1)
def test_perplexity_of_nothing(student: Student, rng: Rng) -> None:
    """A set without a real token is refused with a ValueError."""
    nll, mask = _batches(rng)
    assert_like(student.perplexity(nll, mask), 1.0, "the perplexity of a set that is not empty")
    nothing = [np.zeros_like(keep) for keep in mask]
    assert_raises(
        student.observe("perplexity", nll, nothing),
        ("ValueError",),
        "A mean over no token is not a number, and should not pass for one.",
    )


# ---------------------------------------------------------------- fit_scaler


def _table(rng: Rng) -> tuple[Array, int]:
    """Three columns of unlike size, with another level after the split than before it."""
    split = int(rng.integers(9, 14))
    series = rng.normal(size=(split + 8, 3)) * [0.3, 4.0, 50.0] + [5.0, -20.0, 100.0]
    series[split:] = series[split:] * 1.7 + 3.0
    return series, split


def _with_hidden_constant(rng: Rng) -> tuple[Array, int]:
    """A middle column that does not move before the split, and whose computed deviation is not 0.

    Rounding in the mean makes it so; the draw goes on until it does.
    """
    series, split = _table(rng)
    series[:split, 1] = 0.0
    while series[:split].std(axis=0)[1] == 0:
        series[:split, 1] = rng.uniform(0.1, 0.9)
    return series, split


def _scaler(got: Any) -> tuple[Any, Any]:
    assert_true(
        isinstance(got, tuple | list) and len(got) == 2,
        "`fit_scaler` returns two arrays: `return mean, scale`.",
    )
    return got[0], got[1]


@points("fit_scaler", 2)
def test_scaler_statistics(student: Student, rng: Rng) -> None:
    """Mean and standard deviation of every column are right."""
    drawn = _table(rng)
    mean, scale = _scaler(student.fit_scaler(*drawn))
    expected = fit_scaler(*drawn)
    assert_matches(mean, expected.mean, "mean")
    assert_matches(scale, expected.scale, "scale")


@points("fit_scaler", 2)
def test_scaler_does_not_see_the_future(student: Student, rng: Rng) -> None:
    """Changing what comes after the split changes nothing in the scaler."""
    series, split = _table(rng)
    other = series.copy()
    other[split:] = 1000 * rng.normal(size=other[split:].shape)
    first, second = (
        _scaler(student.fit_scaler(series, split)),
        _scaler(student.fit_scaler(other, split)),
    )
    for name, before, after in zip(("mean", "scale"), first, second, strict=True):
        assert_like(before, series[0], name)
        assert_true(np.ptp(before) > 0, f"Each column has a {name} of its own.")
        assert_matches(after, before, f"{name}, after the test part was changed,")


@points("fit_scaler", 1)
def test_scaler_constant_column(student: Student, rng: Rng) -> None:
    """A column of zeros in training has scale 1, and no division fails."""
    series, split = _table(rng)
    series[:split, 1] = 0.0
    _, scale = _scaler(student.fit_scaler(series, split))
    assert_matches(scale, fit_scaler(series, split).scale, "scale")


@points("fit_scaler", 1)
def test_scaler_constant_behind_rounding(student: Student, rng: Rng) -> None:
    """A constant column has scale 1 even where rounding hides that it is constant."""
    drawn = _with_hidden_constant(rng)
    _, scale = _scaler(student.fit_scaler(*drawn))
    assert_matches(scale, fit_scaler(*drawn).scale, "scale")


@points("fit_scaler", 1)
def test_scaler_transform(student: Student, rng: Rng) -> None:
    """`transform` subtracts the given mean, then divides by the given scale."""
    series, split = _table(rng)
    scaler = tuple(fit_scaler(series, split))
    got = student.transform(series[split:], scaler)
    assert_matches(got, (series[split:] - scaler[0]) / scaler[1], "the transformed rows")


@points("fit_scaler", 1)
def test_scaler_training_part(student: Student, rng: Rng) -> None:
    """Your two functions together: training columns end with mean 0 and deviation 1."""
    series, split = _table(rng)
    mean, scale = _scaler(student.fit_scaler(series, split))
    assert_like(mean, series[0], "mean")
    assert_like(scale, series[0], "scale")
    got = student.transform(series[:split], (mean, scale))
    assert_like(got, series[:split], "the transformed rows")
    assert_matches(got.mean(axis=0), np.zeros(3), "the means of the columns", atol=1e-8)
    assert_matches(got.std(axis=0), np.ones(3), "the deviations of the columns")


@points("fit_scaler", 1)
def test_scaler_round_trip(student: Student, rng: Rng) -> None:
    """`inverse_transform` brings the original units back."""
    series, split = _table(rng)
    scaler = tuple(fit_scaler(series, split))
    scaled = (series - scaler[0]) / scaler[1]
    got = student.inverse_transform(scaled, scaler)
    assert_matches(got, series, "the rows in their own units")


@points("fit_scaler", 1)
def test_scaler_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The arguments of all three functions are left as they were."""
    series, split = _table(rng)
    scaler = tuple(fit_scaler(series, split))
    mean, _ = _scaler(student.fit_scaler(series, split))
    assert_like(mean, series[0], "mean")
    assert_unchanged(student.calls[-1].outcome, (series, split), ("series", "split"))
    for name in ("transform", "inverse_transform"):
        assert_like(getattr(student, name)(series, scaler), series, f"the result of `{name}`")
        assert_unchanged(student.calls[-1].outcome, (series, scaler), ("x", "scaler"))


# ---------------------------------------------------------------- ngram_logprob

SYMBOLS = 6
#: Never in the text that is counted, so that only smoothing gives them a chance.
UNSEEN = (4, 5)


def _counted(rng: Rng) -> list[int]:
    """A short text over four of six symbols, with the last two ids met before as a pair."""
    ids = rng.choice(4, size=30, p=[0.4, 0.3, 0.2, 0.1]).tolist()
    # Every symbol follows 0 at once, and the pair (0, 1) and its mirror have different followers.
    return [*ids, 0, 1, 2, 1, 0, 3, 0, 2, 0, 1, 1, 0, 0, 1]


def _with_a_rare_follower(rng: Rng) -> list[int]:
    """The same, with a symbol that follows 0 less often than a guess would have it."""
    while True:
        ids = _counted(rng)
        counts = np.bincount([b for a, b in pairwise(ids) if a == 0], minlength=4)
        if counts.min() * SYMBOLS < counts.sum():
            return ids


def by_the_books_model(ids: list[int], context: list[int]) -> Array:
    """Log-probabilities of all symbols from the model that the experiments use."""
    model = NGram(np.array(ids), SYMBOLS, len(context) + 1)
    chances = [model.probabilities(np.array([*context, w]))[-1] for w in range(SYMBOLS)]
    return np.log(chances)


@points("ngram_logprob", 2)
def test_ngram_values(student: Student, rng: Rng) -> None:
    """The log-probabilities are right for a context that was met several times."""
    ids = _counted(rng)
    for context in ([0, 1], [1, 0]):
        got = student.ngram_logprob(ids, context, SYMBOLS)
        assert_matches(got, by_the_books_model(ids, context), f"the result for {context}")


@points("ngram_logprob", 2)
def test_ngram_sums_to_one(student: Student, rng: Rng) -> None:
    """For any context, the probabilities of all symbols sum to 1."""
    ids = _counted(rng)
    # The last ids of the text among them: there one occurrence has nothing after it.
    for context in ([], [int(rng.integers(4))], ids[-2:], ids[3:6], [UNSEEN[0], 0]):
        got = student.ngram_logprob(ids, context, SYMBOLS)
        assert_like(got, np.zeros(SYMBOLS), f"the result for {context}")
        assert_true(
            (got <= 0).all(), "A logarithm of a probability is 0 or less.", got=f"{got.max():.3g}"
        )
        assert_true(np.ptp(got) > 0, "The symbols are not all equally likely in this text.")
        assert_matches(float(np.exp(got).sum()), 1.0, "the sum of the probabilities")


@points("ngram_logprob", 1)
def test_ngram_gives_every_symbol_a_chance(student: Student, rng: Rng) -> None:
    """A symbol that the text does not hold has a probability above 0, and the least of all."""
    ids = _with_a_rare_follower(rng)
    got = student.ngram_logprob(ids, [0], SYMBOLS)
    assert_like(got, np.zeros(SYMBOLS), "the result")
    unseen = got[list(UNSEEN)]
    assert_true(
        unseen.max() < got[:4].min(), "A symbol never met is less likely than one that was."
    )


@points("ngram_logprob", 1)
def test_ngram_backs_off(student: Student, rng: Rng) -> None:
    """A context never met gives exactly what the same context without its oldest symbol gives."""
    ids = _counted(rng)
    longer = student.ngram_logprob(ids, [UNSEEN[1], 0, 1], SYMBOLS)
    shorter = student.ngram_logprob(ids, [0, 1], SYMBOLS)
    assert_like(shorter, np.zeros(SYMBOLS), "the result for the shorter context")
    assert_true(np.ptp(shorter) > 0, "The symbols are not all equally likely in this text.")
    assert_matches(longer, shorter, "the result for the longer context")


@points("ngram_logprob", 1)
def test_ngram_without_context(student: Student, rng: Rng) -> None:
    """With an empty context, the counts of the symbols are mixed with the uniform distribution."""
    ids = _counted(rng)
    assert_matches(
        student.ngram_logprob(ids, [], SYMBOLS), by_the_books_model(ids, []), "the result"
    )


@points("ngram_logprob", 1)
def test_ngram_one_symbol_text(student: Student, rng: Rng) -> None:
    """A text of one symbol, which a long context makes ever more likely: worked out by hand."""
    size = int(rng.integers(5, 9))
    got = student.ngram_logprob([2] * size, [2], 3)
    # Level 0: (size + 1/3) / (size + 1); level 1 has size - 1 followers, all alike.
    rest = (2 / 3) / (size + 1) / size
    expected = np.log([rest / 2, rest / 2, 1 - rest])
    assert_matches(got, expected, "the result")


@points("ngram_logprob", 1)
def test_ngram_leaves_its_arguments_alone(student: Student, rng: Rng) -> None:
    """The text and the context are left as they were."""
    ids, context = _counted(rng), [0, 1]
    got = student.ngram_logprob(ids, context, SYMBOLS)
    assert_like(got, np.zeros(SYMBOLS), "the result")
    assert_true(np.ptp(got) > 0, "The symbols are not all equally likely in this text.")
    assert_unchanged(student.calls[-1].outcome, (ids, context), ("ids", "context"))
