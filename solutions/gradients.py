# %% [markdown]
# # Vanishing and exploding gradients, measured
#
# You write four functions: one measures how much of a gradient arrives from k steps before, one
# turns that curve into a number, one makes recurrent weights that keep lengths, and one says in
# advance whether a gradient will vanish or explode.
# Only NumPy is used.
# The chapter [Vanishing and exploding, measured](../../book/gradients.md) explains all that is
# asked here.
#
# The letters are those of the book: B sequences of T steps with D features each, and a state of H
# units.
# The network is the tanh RNN of the unit before,
# $h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})$,
# with `params` holding `W_ih` (H, D), `W_hh` (H, H), `b_ih` (H,) and `b_hh` (H,).
#
# `check("fit_decay_rate")` tries your answer on fresh random inputs and says, property by property,
# what holds.
# `hint("fit_decay_rate")` gives the first of three hints, and the next one each time you ask.
# Neither costs points, and you may check as often as you like.

# %% setup
import numpy as np

from grader import check, hint


def rnn_states(x, h0, params):
    """The states after each step, (B, T, H), of a tanh RNN; x is (B, T, D) and h0 (B, H)."""
    h, states = h0, []
    for t in range(x.shape[1]):
        from_input = x[:, t] @ params["W_ih"].T + params["b_ih"]
        h = np.tanh(from_input + h @ params["W_hh"].T + params["b_hh"])
        states.append(h)
    return np.stack(states, axis=1)


# %% [markdown]
# ## 1. How much arrives from k steps before
#
# **Purpose.** This is the curve that the whole chapter is about, and it needs no training and no
# loss.
#
# `lag_jacobian_norms(x, h0, params)` takes `x` (B, T, D) and `h0` (B, H) and returns an array of
# shape (B, T + 1).
# Entry k of a row is the spectral norm (the largest singular value) of the Jacobian
# $\partial h_T / \partial h_{T-k}$ of that sequence, for k = 0, 1, ..., T.
# Over no step at all the Jacobian is the identity, so entry 0 is 1; entry T reaches back to `h0`.
# `rnn_states` of the cell above gives the states, and you may use it.
#
# | property | points |
# |---|---|
# | the norms are right | 2 |
# | they are those of automatic differentiation | 2 |
# | lags 0 and 1 are right | 1 |
# | near the state 0, they are those of powers of `W_hh` | 1 |
# | saturated units are counted as they should be | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [The Jacobian over k steps](../../book/gradients.md#the-jacobian-over-k-steps).
# For hints: `hint("lag_jacobian_norms")`.


# %% answer="lag_jacobian_norms"
def lag_jacobian_norms(x, h0, params):
    """Return the norms of d h_T / d h_{T-k} for k = 0 to T, as (B, T + 1); x is (B, T, D)."""
    ### BEGIN SOLUTION
    states = rnn_states(x, h0, params)
    B, T, H = states.shape
    jacobian = np.tile(np.eye(H), (B, 1, 1))
    norms = [np.linalg.norm(jacobian, 2, axis=(1, 2))]
    for t in reversed(range(T)):
        slope = 1 - states[:, t] ** 2
        jacobian = jacobian @ (slope[:, :, None] * params["W_hh"])
        norms.append(np.linalg.norm(jacobian, 2, axis=(1, 2)))
    return np.stack(norms, axis=1)
    ### END SOLUTION


# %% check="lag_jacobian_norms"
check("lag_jacobian_norms")

# %% [markdown]
# ## 2. The rate of decay
#
# **Purpose.** A curve that falls in a straight line on a logarithmic axis is one number, and
# numbers can be compared.
#
# `fit_decay_rate(norms)` takes an array `norms` (K,), in which `norms[k]` belongs to lag k, and
# returns the factor by which the norm changes from one lag to the next, as a number: 0.9 for a
# gradient that loses a tenth at each step, 1.1 for one that gains a tenth.
#
# - Fit a straight line with an intercept to the *logarithms* by least squares.
# - A norm of exactly 0 has underflowed: leave it out, wherever it stands, and let the others keep
#   their lags.
# - With fewer than two norms above zero there is no line: raise ValueError.
#
# | property | points |
# |---|---|
# | the known rate of a linear network | 2 |
# | with noise, the least-squares line of the logarithms | 2 |
# | the rate does not change when all norms are multiplied by a number | 1 |
# | norms that have underflowed are left out | 2 |
# | each norm keeps its lag | 1 |
# | fewer than two norms are refused | 1 |
#
# Read first: [One number for a curve](../../book/gradients.md#one-number-for-a-curve).
# For hints: `hint("fit_decay_rate")`.


# %% answer="fit_decay_rate"
def fit_decay_rate(norms):
    """Return the factor from one lag to the next, for norms (K,) of the lags 0 to K - 1."""
    ### BEGIN SOLUTION
    lags = np.flatnonzero(norms > 0)
    if len(lags) < 2:
        raise ValueError(f"a line needs two norms above zero, and there are {len(lags)}")
    slope = np.polyfit(lags, np.log(norms[lags]), 1)[0]
    return float(np.exp(slope))
    ### END SOLUTION


# %% check="fit_decay_rate"
check("fit_decay_rate")

# %% [markdown]
# With both functions written you can ask how far a network of your own reaches.
# The next cell defines `reach`, which prints the rate of networks whose recurrent weights have a
# given spectral radius, on random inputs and on none.


# %% setup
def reach(scales=(0.5, 0.9, 1.1, 1.5), H=32, D=4, T=60, seed=0):
    """Print the decay rate of a random tanh RNN for several spectral scales of W_hh."""
    rng = np.random.default_rng(seed)
    W_hh = rng.normal(size=(H, H))
    W_hh /= np.abs(np.linalg.eigvals(W_hh)).max()
    W_ih = rng.normal(size=(H, D)) / np.sqrt(D)
    x, h0 = rng.normal(size=(1, T, D)), 1e-3 * rng.normal(size=(1, H))
    for scale in scales:
        params = {"W_ih": W_ih, "W_hh": scale * W_hh, "b_ih": np.zeros(H), "b_hh": np.zeros(H)}
        rates = [fit_decay_rate(lag_jacobian_norms(s * x, h0, params)[0]) for s in (0, 1)]
        print(f"scale {scale}: rate {rates[0]:.3f} without inputs, {rates[1]:.3f} with inputs")


# %%
# Take the # away once the first two functions are written.
# reach()

# %% [markdown]
# ## 3. Orthogonal in every block
#
# **Purpose.** Weights that keep every length are the best start that a plain network can have, and
# with gates they are easy to get wrong.
#
# The recurrent weights of a GRU are three square matrices, one above the other, and those of an
# LSTM are four.
# `orthogonal_blocks(draw, gates)` takes an array `draw` (G*H, H) of normal random numbers and the
# number of gates G, and returns an array of the same shape in which every block of H rows is an
# orthogonal matrix.
#
# - A block is the Q of the QR decomposition of the *same* H rows of the draw.
# - QR leaves the sign of each column of Q free.
#   Choose the signs for which the diagonal of R is positive; Q is then one definite matrix, and no
#   direction is preferred.
# - The draw is left as it was.
#
# | property | points |
# |---|---|
# | every block is orthogonal, for 3 and for 4 blocks | 4, two each |
# | one block is orthogonal | 1 |
# | each block comes from its own rows | 1 |
# | the signs are right | 1 |
# | the draw is left alone | 1 |
#
# Read first: [The stacked-orthogonal trap](../../book/gradients.md#the-stacked-orthogonal-trap).
# For hints: `hint("orthogonal_blocks")`.


# %% answer="orthogonal_blocks"
def orthogonal_blocks(draw, gates):
    """Return weights (G*H, H) with an orthogonal matrix in each of G blocks, from draw (G*H, H)."""
    ### BEGIN SOLUTION
    blocks = []
    for block in np.split(draw, gates):
        Q, R = np.linalg.qr(block)
        blocks.append(Q * np.sign(np.diag(R)))
    return np.concatenate(blocks)
    ### END SOLUTION


# %% check="orthogonal_blocks"
check("orthogonal_blocks")

# %% [markdown]
# ## 4. Which of these explode?
#
# **Purpose.** Before any curve is drawn, the weights say what will happen.
#
# In a linear network, $h_t = W h_{t-1}$, the Jacobian over k steps is the power $W^k$.
# `fate(W)` takes `W` (H, H) and returns one of three texts.
#
# | text | when |
# |---|---|
# | `"explodes"` | the norm of $W^k$ grows without bound |
# | `"grows, then vanishes"` | it tends to 0, but for some k it is above 1 |
# | `"vanishes"` | it tends to 0 and is never above 1 |
#
# No matrix of the checks lies on a border between two of them.
# Decide from numbers of `W` itself, and not by trying powers: how many would you try?
#
# | property | points |
# |---|---|
# | symmetric weights | 1 |
# | a negative eigenvalue | 1 |
# | complex eigenvalues | 1 |
# | weights far from normal | 2 |
# | five kinds in a row | 1 |
#
# Read first:
# [Eigenvalues and singular values](../../book/gradients.md#eigenvalues-and-singular-values).
# For hints: `hint("fate")`.


# %% answer="fate"
def fate(W):
    """Return "explodes", "grows, then vanishes" or "vanishes" for the powers of W (H, H)."""
    ### BEGIN SOLUTION
    if np.abs(np.linalg.eigvals(W)).max() > 1:
        return "explodes"
    if np.linalg.norm(W, 2) > 1:
        return "grows, then vanishes"
    return "vanishes"
    ### END SOLUTION


# %% check="fate"
check("fate")

# %% [markdown]
# Guess before you compute: which of these five explode?
# The next cell defines them; the one after it prints your function's answers.

# %% setup
FIVE = {
    "a rotation, stretched": 1.05 * np.array([[0.0, -1.0], [1.0, 0.0]]),
    "one large entry": np.array([[0.5, 20.0], [0.0, 0.5]]),
    "many small entries": np.full((20, 20), 0.06),
    "large entries, other signs": np.array([[3.0, 2.9], [-2.9, -2.8]]),
    "a product of -0.6": np.diag([-1.2, 0.5]),
}

# %%
# Take the # away once fate is written.
# for name, W in FIVE.items():
#     print(f"{name}: {fate(W)}")

# %% [markdown]
# ## What you have now
#
# You can measure how far a gradient reaches, say it in one number, and foretell it from the
# weights.
# What the weights of a plain network decide once and for all, a gate decides anew at each step:
# that is the next part.
