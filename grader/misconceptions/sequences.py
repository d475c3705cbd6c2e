"""Wrong answers to the exercises on sequences and baselines, with words for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from grader.exercise import misconception

Array = np.ndarray
Ids = list[int]


# ---------------------------------------------------------------- make_windows


def _windows(part: Array, length: int, horizon: int, count: int | None = None) -> Any:
    if count is None:
        count = len(part) - length - horizon + 1
    places = np.arange(max(0, count))[:, None] + np.arange(length)
    return part[places], part[places + horizon]


def _named(train: Any, test: Any) -> dict[str, Array]:
    return {
        "train_inputs": train[0],
        "train_targets": train[1],
        "test_inputs": test[0],
        "test_targets": test[1],
    }


@misconception(
    "make_windows",
    "no shift",
    says="Your targets are the inputs themselves. A model then has only to copy what it reads, and "
    "its loss falls to almost nothing without a single prediction. Each target lies `horizon` "
    "steps after its input.",
)
def no_shift(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    train, test = (
        _windows(series[:split], length, horizon),
        _windows(series[split:], length, horizon),
    )
    return _named((train[0], train[0].copy()), (test[0], test[0].copy()))


@misconception(
    "make_windows",
    "windows cross the split",
    says="Your code cuts the whole series into windows and then deals them out by where they "
    "start. The last training windows begin before the split and end after it, so the model "
    "trains on values that it will be tested on. Cut the series first, and the windows from each "
    "part.",
    see="sequences.html#leaks",
)
def overlap_leak(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    inputs, targets = _windows(series, length, horizon)
    return _named((inputs[:split], targets[:split]), (inputs[split:], targets[split:]))


@misconception(
    "make_windows",
    "targets cross the split",
    says="Your training inputs end before the split, but their last targets lie after it. A target "
    "is something that the model is told in training, so those values are no longer a test. The "
    "targets, too, must come from before the split.",
    see="sequences.html#leaks",
)
def targets_leak(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    count = min(split - length + 1, len(series) - length - horizon + 1)
    return _named(
        _windows(series, length, horizon, count), _windows(series[split:], length, horizon)
    )


@misconception(
    "make_windows",
    "last window lost",
    says="Your count of windows is one too small, so the last value of each part is never a "
    "target. A part of n values has n - length - horizon + 1 windows: count the starts 0 to "
    "n - length - horizon, both included.",
)
def off_by_one(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    train, test = series[:split], series[split:]
    return _named(
        _windows(train, length, horizon, len(train) - length - horizon),
        _windows(test, length, horizon, len(test) - length - horizon),
    )


@misconception(
    "make_windows",
    "always one step ahead",
    says="Your targets are shifted by one, whatever `horizon` says. With a horizon of 3 the "
    "target of the value at step t is the value at step t + 3.",
)
def horizon_ignored(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    return _named(_windows(series[:split], length, 1), _windows(series[split:], length, 1))


@misconception(
    "make_windows",
    "one step too far ahead",
    says="Your targets lie horizon + 1 steps after their inputs: with horizon 1 a value is "
    "skipped. An index that starts at 0 invites this; the target of `series[s]` is "
    "`series[s + horizon]`.",
)
def one_too_far(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    further = horizon + 1
    return _named(
        _windows(series[:split], length, further), _windows(series[split:], length, further)
    )


@misconception(
    "make_windows",
    "targets from the past",
    says="Your shift has the wrong sign: each target lies `horizon` steps *before* its input. That "
    "task is learned perfectly by any model with a memory, and forecasts nothing.",
)
def backwards(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    train, test = (
        _windows(series[:split], length, horizon),
        _windows(series[split:], length, horizon),
    )
    return _named(train[::-1], test[::-1])


@misconception(
    "make_windows",
    "test windows reach back",
    says="Your first test windows begin before the split, so values of the training part are read "
    "again in the test, and with more than one target a window some of them are asked for. "
    "There are cases for a warm-up, but here each side keeps to itself.",
    see="sequences.html#leaks",
)
def reaches_back(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    start = max(0, split - length)
    return _named(
        _windows(series[:split], length, horizon), _windows(series[start:], length, horizon)
    )


@misconception(
    "make_windows",
    "windows side by side",
    says="Your windows do not overlap: each starts where the one before has ended. That is a "
    "useful way to cut a text, but here every start is asked for, so that each value is read at "
    "every place of a window.",
)
def side_by_side(series: Array, length: int, horizon: int, split: int) -> dict[str, Array]:
    train, test = (
        _windows(series[:split], length, horizon),
        _windows(series[split:], length, horizon),
    )
    return _named([a[::length] for a in train], [a[::length] for a in test])


# ---------------------------------------------------------------- perplexity


def _tokens(nll: list[Array], mask: list[Array]) -> Array:
    return np.concatenate([b[m] for b, m in zip(nll, mask, strict=True)])


def _checked(nll: list[Array], mask: list[Array]) -> Array:
    tokens = _tokens(nll, mask)
    if not tokens.size:
        raise ValueError("no real token")
    return tokens


@misconception(
    "perplexity",
    "mean of the batches' perplexities",
    says="Your code takes a perplexity of each batch and then their mean. The exponential makes a "
    "hard batch count for more than it should, and the answer changes with the batch size, which "
    "says nothing about the model. Take one mean over all tokens, and the exponential of that.",
    see="sequences.html#perplexity-of-a-set",
)
def mean_of_perplexities(nll: list[Array], mask: list[Array]) -> float:
    _checked(nll, mask)
    return float(np.mean([np.exp(b[m].mean()) for b, m in zip(nll, mask, strict=True)]))


@misconception(
    "perplexity",
    "mean of the batches' means",
    says="Your code takes the mean of each batch and then the mean of those means. A small last "
    "batch then weighs as much as a full one. Add up the losses and the tokens over all batches, "
    "and divide once.",
)
def mean_of_means(nll: list[Array], mask: list[Array]) -> float:
    _checked(nll, mask)
    return float(np.exp(np.mean([b[m].mean() for b, m in zip(nll, mask, strict=True)])))


@misconception(
    "perplexity",
    "mean of the sequences' means",
    says="Your code takes the mean of each sequence first, so that a token of a short sequence "
    "counts for more than one of a long sequence. Perplexity is a mean over tokens.",
)
def mean_of_sequences(nll: list[Array], mask: list[Array]) -> float:
    _checked(nll, mask)
    rows = [
        row[keep].mean()
        for b, m in zip(nll, mask, strict=True)
        for row, keep in zip(b, m, strict=True)
    ]
    return float(np.exp(np.mean(rows)))


@misconception(
    "perplexity",
    "divides by the pads too",
    says="Your sum leaves the pads out, but your divisor counts them. The more padding, the lower "
    "the perplexity looks, although no prediction has improved. Divide by the number of real "
    "tokens.",
)
def counts_pads(nll: list[Array], mask: list[Array]) -> float:
    tokens = _checked(nll, mask)
    return float(np.exp(tokens.sum() / sum(b.size for b in nll)))


@misconception(
    "perplexity",
    "mask ignored",
    says="Your mean runs over every place, pads included. What a model says at a pad is no "
    "prediction of anything, and may be any number at all. Take only the places where the mask "
    "is true.",
)
def mask_ignored(nll: list[Array], mask: list[Array]) -> float:
    return float(np.exp(np.concatenate([b.ravel() for b in nll]).mean()))


@misconception(
    "perplexity",
    "multiplied by the mask",
    says="Your code multiplies by the mask, and infinity times 0 is not a number. What stands at "
    "a pad can be infinite when a pad was given no chance. Select the real tokens with `b[m]`, or "
    "with `np.where`.",
)
def multiplied(nll: list[Array], mask: list[Array]) -> float:
    _checked(nll, mask)
    total = sum((b * m).sum() for b, m in zip(nll, mask, strict=True))
    return float(np.exp(total / sum(m.sum() for m in mask)))


@misconception(
    "perplexity",
    "base 2 on nats",
    says="Your code computes 2 to the power of the mean, and the losses are in nats. The base must "
    "be that of the logarithm: e for nats, 2 for bits. With the bases mixed, any model looks "
    "better than it is.",
    see="sequences.html#three-units-for-one-number",
)
def base_two(nll: list[Array], mask: list[Array]) -> float:
    return float(2 ** _checked(nll, mask).mean())


@misconception(
    "perplexity",
    "sum instead of mean",
    says="Your code takes the exponential of the sum. That is one over the probability of the "
    "whole set, a number that grows without bound as more is read. Divide by the number of real "
    "tokens first.",
)
def of_the_sum(nll: list[Array], mask: list[Array]) -> float:
    return float(np.exp(_checked(nll, mask).sum()))


@misconception(
    "perplexity",
    "mean of the tokens' perplexities",
    says="Your code takes the exponential of each token's loss and then the mean. One token with "
    "a tiny probability then decides everything. The mean comes first and the exponential last.",
)
def of_each_token(nll: list[Array], mask: list[Array]) -> float:
    return float(np.exp(_checked(nll, mask)).mean())


@misconception(
    "perplexity",
    "no exponential",
    says="Your answer is the mean loss in nats, which is the logarithm of the perplexity. Take "
    "its exponential.",
    see="sequences.html#three-units-for-one-number",
)
def no_exponential(nll: list[Array], mask: list[Array]) -> float:
    return float(_checked(nll, mask).mean())


@misconception(
    "perplexity",
    "an empty set passes",
    says="Your values are right, but with no real token your code divides by zero and returns a "
    "number, or nan, as if something had been measured. Raise ValueError there.",
)
def empty_passes(nll: list[Array], mask: list[Array]) -> float:
    return float(np.exp(_tokens(nll, mask).sum() / max(1, sum(m.sum() for m in mask))))


# ---------------------------------------------------------------- fit_scaler


def _deviation(train: Array) -> Array:
    return np.where(np.ptp(train, axis=0) == 0, 1.0, train.std(axis=0))


@misconception(
    "fit_scaler",
    "fitted on everything",
    says="Your statistics are those of the whole series. The scaled training inputs then carry "
    "the level and the spread of the future, and the score on the test part is one that nobody "
    "could have had in time. Use `series[:split]` and nothing else.",
    see="sequences.html#scales-are-learned-too",
)
def fits_on_all(series: Array, split: int) -> tuple[Array, Array]:
    return series.mean(axis=0), _deviation(series)


@misconception(
    "fit_scaler",
    "fitted on the test part",
    says="Your statistics are those of `series[split:]`, the part that stands for the future. "
    "Training rows are `series[:split]`.",
)
def fits_on_test(series: Array, split: int) -> tuple[Array, Array]:
    return series[split:].mean(axis=0), _deviation(series[split:])


@misconception(
    "fit_scaler",
    "a scale of zero",
    says="Your scale is the standard deviation as it comes, so a column that never moves in "
    "training has scale 0 and `transform` divides by it. One nan is enough to spoil every weight "
    "of a network. Give such a column the scale 1.",
    see="sequences.html#a-column-that-never-moves",
)
def divides_by_zero(series: Array, split: int) -> tuple[Array, Array]:
    return series[:split].mean(axis=0), series[:split].std(axis=0)


@misconception(
    "fit_scaler",
    "asks whether the deviation is 0",
    says="Your code gives scale 1 where the deviation is exactly 0. Rounding in the mean can make "
    "the deviation of a constant column something like 1e-17, and dividing by that is worse than "
    "dividing by 0, because nothing complains. Compare the largest value with the smallest.",
    see="sequences.html#a-column-that-never-moves",
)
def exactly_zero(series: Array, split: int) -> tuple[Array, Array]:
    scale = series[:split].std(axis=0)
    return series[:split].mean(axis=0), np.where(scale == 0, 1.0, scale)


@misconception(
    "fit_scaler",
    "a small number added",
    says="Your scale is the deviation plus a small number. Nothing is divided by zero, but a "
    "column that was constant in training and moves a little later is blown up a hundred million "
    "times. Scale 1 leaves such a column in its own units.",
    see="sequences.html#a-column-that-never-moves",
)
def epsilon(series: Array, split: int) -> tuple[Array, Array]:
    return series[:split].mean(axis=0), series[:split].std(axis=0) + 1e-8


@misconception(
    "fit_scaler",
    "one scale for all columns",
    says="Your mean and scale are taken over all columns together, so a column in thousands "
    "drowns one in tenths. Take them over the rows, `axis=0`, one for each column.",
)
def one_for_all(series: Array, split: int) -> tuple[Array, Array]:
    train, columns = series[:split], series.shape[1]
    return np.full(columns, train.mean()), np.full(columns, train.std())


@misconception(
    "fit_scaler",
    "divisor one less",
    says="Your deviation divides by the number of rows less one, the habit of statistics (and of "
    "torch and pandas). The exercise asks for the number of rows, as NumPy and scikit-learn do. "
    "The difference is small, and two programs that disagree on it do not give equal results.",
)
def one_less(series: Array, split: int) -> tuple[Array, Array]:
    train = series[:split]
    scale = np.where(np.ptp(train, axis=0) == 0, 1.0, train.std(axis=0, ddof=1))
    return train.mean(axis=0), scale


@misconception(
    "fit_scaler",
    "variance for deviation",
    says="Your scale is the variance, whose unit is the square of the column's. Its root, the "
    "standard deviation, has the column's own unit.",
)
def variance(series: Array, split: int) -> tuple[Array, Array]:
    train = series[:split]
    return train.mean(axis=0), np.where(np.ptp(train, axis=0) == 0, 1.0, train.var(axis=0))


@misconception(
    "fit_scaler",
    "transform with its own statistics",
    says="Your `transform` uses mean and deviation of the rows it is given, not those of the "
    "scaler. The level of the test part is then gone, although it is what a forecast is about, "
    "and a single row could not be transformed at all.",
    see="sequences.html#scales-are-learned-too",
    replaces="transform",
)
def own_statistics(x: Array, scaler: tuple[Array, Array]) -> Array:
    return (x - x.mean(axis=0)) / _deviation(x)


@misconception(
    "fit_scaler",
    "divides before it subtracts",
    says="Your `transform` divides first and then subtracts a mean that was not divided. Subtract "
    "the mean in the column's own units, then divide.",
    replaces="transform",
)
def divides_first(x: Array, scaler: tuple[Array, Array]) -> Array:
    return x / scaler[1] - scaler[0]


@misconception(
    "fit_scaler",
    "way back in the wrong order",
    says="Your `inverse_transform` adds the mean and then multiplies. The way back undoes the last "
    "step first: multiply by the scale, then add the mean.",
    replaces="inverse_transform",
)
def adds_first(x: Array, scaler: tuple[Array, Array]) -> Array:
    return (x + scaler[0]) * scaler[1]


@misconception(
    "fit_scaler",
    "transformed in place",
    says="Your `transform` writes into the array it was given. The caller's series is then scaled "
    "as well, and the next call scales it a second time. Build a new array: "
    "`(x - mean) / scale`.",
    replaces="transform",
)
def in_place(x: Array, scaler: tuple[Array, Array]) -> Array:
    x -= scaler[0]
    x /= scaler[1]
    return x


# ---------------------------------------------------------------- ngram_logprob


def _followers(ids: Ids, u: Ids, vocabulary_size: int) -> Array:
    n = len(u)
    found = [ids[i + n] for i in range(len(ids) - n) if ids[i : i + n] == u]
    return np.bincount(np.array(found, dtype=int), minlength=vocabulary_size).astype(float)


def _tails(context: Ids) -> list[Ids]:
    """The empty context, then the last id, the last two, and so on."""
    return [context[len(context) - n :] for n in range(len(context) + 1)]


def _mixed(ids: Ids, contexts: list[Ids], vocabulary_size: int) -> Array:
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for u in contexts:
        counts = _followers(ids, u, vocabulary_size)
        m = np.count_nonzero(counts)
        if m:
            p = (counts + m * p) / (counts.sum() + m)
    return p


@misconception(
    "ngram_logprob",
    "no smoothing",
    says="Your probabilities are bare shares of the counts. A symbol that never followed this "
    "context gets 0, its logarithm is minus infinity, and one such symbol in a test text makes "
    "the mean of the whole text infinite. Mix in the shorter context.",
    see="sequences.html#counting-with-a-way-back",
)
def no_smoothing(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    counts = _followers(ids, context, vocabulary_size)
    return np.log(counts / counts.sum())


@misconception(
    "ngram_logprob",
    "no uniform distribution below",
    says="Your code mixes long contexts with short ones, but begins with the bare shares of the "
    "symbols. A symbol that the text never holds then has probability 0 for every context. The "
    "uniform distribution stands below the empty context, and gives it a chance.",
)
def no_floor(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    counts = _followers(ids, [], vocabulary_size)
    p = counts / counts.sum()
    for u in _tails(context)[1:]:
        counts = _followers(ids, u, vocabulary_size)
        m = np.count_nonzero(counts)
        if m:
            p = (counts + m * p) / (counts.sum() + m)
    return np.log(p)


@misconception(
    "ngram_logprob",
    "does not sum to 1",
    says="Your code adds m p to the counts and divides by the number of counts alone, so the "
    "probabilities sum to more than 1. A model that hands out more than there is looks better "
    "than any honest one. What is added above must be added below: divide by c(u) + m(u).",
    see="sequences.html#counting-with-a-way-back",
)
def unnormalised(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for u in _tails(context):
        counts = _followers(ids, u, vocabulary_size)
        m = np.count_nonzero(counts)
        if m:
            p = (counts + m * p) / counts.sum()
    return np.log(p)


@misconception(
    "ngram_logprob",
    "longest context takes all",
    says="Your code uses the count of the longest context where there is one and the shorter "
    "context where there is none, without making room for the second. The two together sum to "
    "more than 1. In a mixture, each level keeps m / (c + m) for the level below.",
)
def takes_the_longest(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for u in _tails(context):
        counts = _followers(ids, u, vocabulary_size)
        if counts.sum():
            p = np.where(counts > 0, counts / counts.sum(), p)
    return np.log(p)


@misconception(
    "ngram_logprob",
    "no back-off",
    says="Your code mixes the whole context with the uniform distribution directly. In a context "
    "that was never met it knows nothing at all, although the last symbol alone would tell it a "
    "lot. Go down one symbol at a time.",
    see="sequences.html#counting-with-a-way-back",
)
def no_back_off(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    return np.log(_mixed(ids, [context], vocabulary_size))


@misconception(
    "ngram_logprob",
    "drops the newest symbol",
    says="Your code shortens the context at its end, so what goes first is the symbol next to the "
    "one that is predicted, the most telling of all. Drop the oldest: `context[1:]`.",
)
def drops_newest(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    heads = [context[:n] for n in range(len(context) + 1)]
    return np.log(_mixed(ids, heads, vocabulary_size))


@misconception(
    "ngram_logprob",
    "context read backwards",
    says="Your code looks for the context with its symbols in the reverse order. The context "
    "[0, 1] means a 0 and then a 1, oldest first, as they stand in the text.",
)
def reversed_context(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    return np.log(_mixed(ids, [u[::-1] for u in _tails(context)], vocabulary_size))


@misconception(
    "ngram_logprob",
    "counts the end of the text",
    says="Your c(u) counts every occurrence of the context, also the one at the very end of the "
    "text, which nothing follows. The counts of the followers then sum to one less, and the "
    "probabilities to less than 1. Let c(u) be the number of followers.",
)
def counts_the_end(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for u in _tails(context):
        counts = _followers(ids, u, vocabulary_size)
        ends = len(u) > 0 and ids[-len(u) :] == u
        m = np.count_nonzero(counts)
        if m:
            p = (counts + m * p) / (counts.sum() + ends + m)
    return np.log(p)


@misconception(
    "ngram_logprob",
    "followers counted with repetition",
    says="Your m(u) is the number of followers, repeats included, so every level keeps exactly "
    "half of its weight for the one below, however much it has seen. m(u) is the number of "
    "*different* symbols that followed.",
)
def half_and_half(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for u in _tails(context):
        counts = _followers(ids, u, vocabulary_size)
        if counts.sum():
            p = (counts / counts.sum() + p) / 2
    return np.log(p)


@misconception(
    "ngram_logprob",
    "one added to every count",
    says="Your code adds one to every count of the whole context. That sums to 1 and is never 0, "
    "but treats all symbols that were not seen alike, and with many symbols and few counts the "
    "ones that were added outweigh what was read. The shorter context knows better.",
)
def add_one(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    counts = _followers(ids, context, vocabulary_size)
    return np.log((counts + 1) / (counts.sum() + vocabulary_size))


@misconception(
    "ngram_logprob",
    "bits for nats",
    says="Your logarithm has base 2, so the answer is in bits; the exercise asks for nats, the "
    "natural logarithm. Mixing the two makes every later mean wrong by a factor of 0.69.",
    see="sequences.html#three-units-for-one-number",
)
def in_bits(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    return np.log2(_mixed(ids, _tails(context), vocabulary_size))


@misconception(
    "ngram_logprob",
    "no logarithm",
    says="Your answer holds the probabilities, and their natural logarithms are asked for. "
    "Logarithms add up where probabilities multiply, and do not underflow over a long text.",
)
def no_logarithm(ids: Ids, context: Ids, vocabulary_size: int) -> Array:
    return _mixed(ids, _tails(context), vocabulary_size)
