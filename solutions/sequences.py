# %% [markdown]
# # Windows, scales, perplexity, and counting
#
# You write what comes before and after every model of a sequence: the windows that it reads, the
# scale of its inputs, the number that says how good it is, and the baseline that it has to beat.
# Nothing here is recurrent, and only NumPy is used.
# The mistakes that these functions invite raise no error; they only make results look better than
# they are.
# The chapter [Sequences, state, and honest baselines](../../book/sequences.md) explains all that is
# asked here.
#
# `check("make_windows")` tries your answer on fresh random inputs and says, property by property,
# what holds.
# `hint("make_windows")` gives the first of three hints, and the next one each time you ask.
# Neither costs points, and you may check as often as you like.

# %% setup
import numpy as np

from grader import check, hint

# %% [markdown]
# ## 1. Windows that stay on their side
#
# **Purpose.** A window that crosses the split shows the model what it will be tested on.
#
# `make_windows(series, length, horizon, split)` takes a series (N,) in time order.
# The first `split` values are the training part, the rest is the test part.
# In each part, a window may start at every value from which `length` inputs and their targets still
# fit, and the target of each input is the value `horizon` steps after it, in the same part.
#
# The result is a dictionary of four arrays.
#
# | key | shape |
# |---|---|
# | `train_inputs`, `train_targets` | (windows of the training part, length) |
# | `test_inputs`, `test_targets` | (windows of the test part, length) |
#
# A part that is too short has no window, and its arrays have the shape (0, length).
# For example, the part 5, 6, 7, 8 with length 2 and horizon 1 has the inputs (5, 6) and (6, 7), and
# the targets (6, 7) and (7, 8).
#
# | property | points |
# |---|---|
# | the training windows are right | 2 |
# | the test windows are right | 2 |
# | with horizon 1, targets are the next values | 1 |
# | nothing crosses the split | 2 |
# | the last window counts, and a short part has none | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Windows and the split](../../book/sequences.md#windows-and-the-split).
# Stuck? Run `hint("make_windows")` in a cell of your own.


# %% answer="make_windows"
def make_windows(series, length, horizon, split):
    """Return a dictionary of four arrays (windows, length); no window crosses the split."""
    ### BEGIN SOLUTION
    result = {}
    for name, part in (("train", series[:split]), ("test", series[split:])):
        count = max(0, len(part) - length - horizon + 1)
        places = np.arange(count)[:, None] + np.arange(length)
        result[f"{name}_inputs"] = part[places]
        result[f"{name}_targets"] = part[places + horizon]
    return result
    ### END SOLUTION


# %% check="make_windows"
check("make_windows")

# %% [markdown]
# ## 2. Perplexity of a whole set
#
# **Purpose.** One number says how well a model predicts a text, if the mean in it is the right one.
#
# `perplexity(nll, mask)` takes two lists with one entry for each batch.
# `nll[i]` (B, T) holds the negative log-likelihood of every token in nats, and `mask[i]` (B, T) is
# True at real tokens and False at pads.
# B and T differ from batch to batch.
# Return one number, exp of the mean over all real tokens of all batches.
# What stands at a pad may be anything, infinity included.
# If no token at all is real, raise ValueError.
#
# | property | points |
# |---|---|
# | batches of unequal size and length | 2 |
# | one batch without padding | 1 |
# | a guess among V symbols has perplexity V | 1 |
# | other batches, same sequences, same answer | 1 |
# | pads are never read | 1 |
# | an empty set is refused | 1 |
#
# Read first: [Perplexity of a set](../../book/sequences.md#perplexity-of-a-set).
# For hints: `hint("perplexity")`.


# %% answer="perplexity"
def perplexity(nll, mask):
    """Return exp of the mean loss over all real tokens; nll and mask are lists of (B, T)."""
    ### BEGIN SOLUTION
    total, count = 0.0, 0
    for batch, keep in zip(nll, mask, strict=True):
        total += batch[keep].sum()
        count += keep.sum()
    if count == 0:
        raise ValueError("there is no real token to take a mean over")
    return float(np.exp(total / count))
    ### END SOLUTION


# %% check="perplexity"
check("perplexity")

# %% [markdown]
# ## 3. A scaler that has not seen the future
#
# **Purpose.** Networks train best on inputs of size about one, and the numbers that make them so
# are learned from data.
#
# Write three functions, for a `series` (N, D) in time order.
#
# - `fit_scaler(series, split)` returns `(mean, scale)`, both (D,): for each column of the first
#   `split` rows, the mean and the standard deviation, with the number of rows as the divisor.
#   A column that is constant in these rows has scale 1.
# - `transform(x, scaler)` takes rows (M, D) and such a pair, and returns the scaled rows.
# - `inverse_transform(x, scaler)` brings scaled rows back to their own units.
#
# The computed standard deviation of a constant column need not be exactly 0: try
# `np.full(13, 0.1).std()`.
#
# | property | points |
# |---|---|
# | mean and standard deviation are right | 2 |
# | the rows after the split change nothing | 2 |
# | a column of zeros has scale 1 | 1 |
# | so has a constant column behind a rounding error | 1 |
# | `transform` uses the given pair | 1 |
# | training columns end with mean 0 and deviation 1 | 1 |
# | the way back | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Scales are learned too](../../book/sequences.md#scales-are-learned-too).
# For hints: `hint("fit_scaler")`.


# %% answer="fit_scaler"
def fit_scaler(series, split):
    """Return (mean, scale), both (D,), of the first `split` rows of series (N, D)."""
    ### BEGIN SOLUTION
    train = series[:split]
    constant = train.max(axis=0) == train.min(axis=0)
    return train.mean(axis=0), np.where(constant, 1.0, train.std(axis=0))
    ### END SOLUTION


def transform(x, scaler):
    """Return the rows x (M, D), scaled by scaler = (mean, scale)."""
    ### BEGIN SOLUTION
    mean, scale = scaler
    return (x - mean) / scale
    ### END SOLUTION


def inverse_transform(x, scaler):
    """Return the scaled rows x (M, D) in their own units."""
    ### BEGIN SOLUTION
    mean, scale = scaler
    return x * scale + mean
    ### END SOLUTION


# %% check="fit_scaler"
check("fit_scaler")

# %% [markdown]
# ## 4. An n-gram model that backs off
#
# **Purpose.** Before a network reads a text, find out what counting alone achieves.
#
# `ngram_logprob(ids, context, vocabulary_size)` takes a text as a list of ids from 0 to V - 1, and
# a context, a list of ids with the oldest first, perhaps empty.
# Return the natural logarithm of p(w | context) for every id w, as an array (V,).
#
# For a context u, let c(uw) be how often w directly follows u in the text, c(u) the sum of c(uw)
# over all w, and m(u) the number of different w with c(uw) > 0.
# Let u' be u without its oldest id.
# Then, by Witten and Bell,
#
# $$p(w \mid u) = \frac{c(uw) + m(u)\, p(w \mid u')}{c(u) + m(u)}$$
#
# and p(w | u') itself where c(u) = 0.
# In place of p(w | u') for the empty context stands 1 / V.
#
# | property | points |
# |---|---|
# | the log-probabilities are right | 2 |
# | the probabilities sum to 1 | 2 |
# | a symbol never met has a chance, and the least | 1 |
# | a context never met backs off | 1 |
# | the empty context is right | 1 |
# | a text of one symbol, worked out by hand | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Counting, with a way back](../../book/sequences.md#counting-with-a-way-back).
# For hints: `hint("ngram_logprob")`.


# %% answer="ngram_logprob"
def ngram_logprob(ids, context, vocabulary_size):
    """Return log p(w | context), shape (V,), by Witten-Bell mixing of all shorter contexts."""
    ### BEGIN SOLUTION
    p = np.full(vocabulary_size, 1 / vocabulary_size)
    for n in range(len(context) + 1):
        u = context[len(context) - n :]
        followers = [ids[i + n] for i in range(len(ids) - n) if ids[i : i + n] == u]
        if followers:
            counts = np.bincount(followers, minlength=vocabulary_size)
            m = np.count_nonzero(counts)
            p = (counts + m * p) / (counts.sum() + m)
    return np.log(p)
    ### END SOLUTION


# %% check="ngram_logprob"
check("ngram_logprob")

# %% [markdown]
# ## What you have now
#
# A model of counts, and the number that says how good it is, is what every network of this course
# has to beat; clean windows and scales are what makes that contest fair.
# The next unit builds the first network that carries a state.
