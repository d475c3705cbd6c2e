# %% [markdown]
# # What gates can compute
#
# Here you choose weights by hand, and make a latch, a toggle and a counter out of single units: the
# machines of the chapter [What gates can compute](../../book/automata.md).
# In between you prove by search that the plain recurrent unit cannot be a toggle.
#
# Four exercises, easy to hard: `latch_weights`, `toggle_weights`, `toggle_search` (two functions),
# `counter_weights`.
# Each stands by itself.
#
# **How to work.** Write your answer where it says *Your code here*, run the cell, and run the
# `check(...)` below it.
# The check runs your weights on strings, many of them new each time, and names the first string
# that goes wrong.
# When you are stuck, `hint("latch_weights")` gives a first hint; ask again for a second and a
# third.
#
# **Weights.** You return a dictionary of NumPy arrays with PyTorch's four names.
# All cells here have one unit, H = 1, and D inputs.
#
# | key | GRU | LSTM |
# |---|---|---|
# | `W_ih` | `(3, D)`, rows r, z, n | `(4, D)`, rows i, f, g, o |
# | `W_hh` | `(3, 1)` | `(4, 1)` |
# | `b_ih` | `(3,)` | `(4,)` |
# | `b_hh` | `(3,)` | `(4,)` |
#
# In the GRU z near 1 *keeps* the old state, and r acts *after* the recurrent product, as in
# PyTorch.
#
# **The saturation factor k.** A gate is a logistic function and never quite 0 or 1.
# With a sum of k it is 1 - exp(-k), nearly.
# Your functions are given k and should use it as the unit of all their numbers, none of which may
# be larger than 4k.
# Checks of behaviour use a k between 4 and 14; only the size is looked at for smaller ones too.
#
# **Sides.** A state above 0.5 is *on*, and one below -0.5 is *off*.
# Between the two it is neither, and that counts as wrong.

# %% setup
import itertools

import numpy as np

from grader import check, hint


def sigmoid(a):
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def gru_step(x, h, params):
    """One step of a GRU in PyTorch's form, as in the chapter on it."""
    x_r, x_z, x_n = np.split(x @ params["W_ih"].T + params["b_ih"], 3, axis=1)
    h_r, h_z, h_n = np.split(h @ params["W_hh"].T + params["b_hh"], 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def lstm_step(x, state, params):
    """One step of an LSTM; the blocks stand in the order i, f, g, o."""
    h, c = state
    a = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    i, f, g, o = np.split(a, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def blank(blocks, inputs):
    """Weights of a cell with one unit, all zero, to start from."""
    return {
        "W_ih": np.zeros((blocks, inputs)),
        "W_hh": np.zeros((blocks, 1)),
        "b_ih": np.zeros(blocks),
        "b_hh": np.zeros(blocks),
    }


# %% [markdown]
# ## 1. A latch
#
# **Purpose.** You build the smallest memory, one bit that is written at some steps and held at all
# others.
# The input has two channels:
#
# | symbol | input x | state afterwards |
# |---|---|---|
# | set | `(1, 0)` | on |
# | reset | `(0, 1)` | off |
# | hold | `(0, 0)` | as before |
#
# `latch_weights(k)` returns the weights of a GRU with D = 2.
# It must write from any state, and hold from any state beyond 0.6 on either side.
#
# | property | points |
# |---|---|
# | after set it is on and after reset it is off, whatever it was before | 2 |
# | right after every symbol of every string of up to eight | 2 |
# | still there after 2000 times hold | 1 |
# | a larger k brings the written state nearer to 1 or -1 | 1 |
# | no number is larger than 4k | 1 |
#
# Read first: [A latch](../../book/automata.md#a-latch).
# Stuck? Run `hint("latch_weights")` in a cell of your own.


# %% answer="latch_weights"
def latch_weights(k):
    """Return the weights of a GRU, D = 2 and H = 1, that is set and reset by its input and holds.

    k: saturation factor, a number; no entry of the result is larger than 4k.
    """
    ### BEGIN SOLUTION
    weights = blank(3, 2)
    weights["b_ih"][:] = [k, k, 0]
    weights["W_ih"][1] = [-2 * k, -2 * k]
    weights["W_ih"][2] = [2 * k, -2 * k]
    weights["W_hh"][2] = k
    return weights
    ### END SOLUTION


# %% check="latch_weights"
check("latch_weights")

# %% [markdown]
# The next cell shows your latch at work, once it is written: change the string and the state that
# it starts from, and look where it breaks.


# %% setup
def show(step, symbols, state, inputs):
    """Print the state after each symbol; `inputs` gives the input vector of each symbol."""
    for symbol in symbols:
        state = step(np.array([inputs[symbol]], dtype=float), state)
        shown = state[1] if isinstance(state, tuple) else state
        print(f"{symbol:>6}  {round(shown.item(), 4) + 0.0:8.4f}")  # + 0.0: no minus zero


try:
    weights = latch_weights(8.0)
except NotImplementedError:
    print("latch_weights is not written yet.")
else:
    show(
        lambda x, h: gru_step(x, h, weights),
        ["set", "hold", "hold", "reset", "hold", "set"],
        np.array([[-1.0]]),
        {"set": (1, 0), "reset": (0, 1), "hold": (0, 0)},
    )

# %% [markdown]
# ## 2. A toggle
#
# **Purpose.** You build the smallest machine that has to combine what it reads with what it holds:
# a 1 changes the side, a 0 keeps it.
# If the state was on at the start, it is on whenever the number of ones so far is even, so the
# toggle computes *parity*.
# The input has one channel, D = 1, which is 0 or 1.
#
# `toggle_weights(k)` must work from every allowed start, 0.6 to 1 on either side, and not only from
# one that suits it.
#
# | property | points |
# |---|---|
# | a single 1 changes the side, from any allowed state | 2 |
# | ten times 0 keep it | 1 |
# | right after every bit of all strings of up to twelve, from any allowed state | 3 |
# | still right after a 1 and 2000 times 0 | 1 |
# | a larger k brings the state after a 1 nearer to 1 or -1 | 1 |
# | no number is larger than 4k | 1 |
#
# Read first: [A toggle](../../book/automata.md#a-toggle).
# For hints: `hint("toggle_weights")`.


# %% answer="toggle_weights"
def toggle_weights(k):
    """Return the weights of a GRU, D = 1 and H = 1, whose state a 1 flips and a 0 keeps.

    k: saturation factor, a number; no entry of the result is larger than 4k.
    """
    ### BEGIN SOLUTION
    weights = blank(3, 1)
    weights["b_ih"][:] = [k, 3 * k, 0]
    weights["W_ih"][1] = -4 * k
    weights["W_hh"][2] = -2 * k
    return weights
    ### END SOLUTION


# %% check="toggle_weights"
check("toggle_weights")

# %% [markdown]
# ## 3. A plain unit cannot toggle
#
# **Purpose.** You write a checker that *proves* for given weights that a unit toggles, or that it
# does not, and let it search.
# A unit without gates has the step $h' = \tanh(u h + c)$.
# In a plain recurrent unit $u$ is its recurrent weight, whatever the input is, and $c = w x + b$.
# Here we are more generous and allow each input numbers of its own:
#
# $$h' = \tanh(u_x h + c_x), \qquad x = 0 \text{ or } 1$$
#
# The sides are $[m, 1]$ and $[-1, -m]$.
# The unit *toggles* if from **every** state of a side a 0 leads to the same side, and a 1 to the
# other.
# Then all strings, however long, are right.
# The plain unit is the case $u_0 = u_1$, called `tied` below.
#
# - `toggles(u, c, m)`: `u` and `c` are pairs, the numbers for 0 and for 1.
#   Return `True` or `False`.
# - `search(values, m, tied)`: all four numbers from the list `values`, in all combinations.
#   Return the rows $(u_0, u_1, c_0, c_1)$ that toggle as an array of shape `(n, 4)`, in any order,
#   with shape `(0, 4)` if there are none.
#
# | property | points |
# |---|---|
# | `True` for units that toggle, `False` with a single u, or 0 and 1 exchanged | 2 |
# | `False` where only some states of a side go wrong | 2 |
# | right for units that only just toggle, or only just fail | 2 |
# | `search` finds all, when each input has numbers of its own | 1 |
# | with `tied` it finds none | 1 |
#
# Read first: [One plain unit cannot toggle](../../book/automata.md#one-plain-unit-cannot-toggle).
# For hints: `hint("toggle_search")`.


# %% answer="toggle_search"
def toggles(u, c, m):
    """Whether a 0 keeps both sides and a 1 exchanges them, for every state of [m, 1] and [-1, -m].

    u, c: pairs of numbers, (for input 0, for input 1); m: a number between 0 and 1.
    """
    ### BEGIN SOLUTION
    even = np.array([m, 1.0])
    keeps = np.tanh(u[0] * even + c[0]).min() >= m and np.tanh(-u[0] * even + c[0]).max() <= -m
    flips = np.tanh(u[1] * even + c[1]).max() <= -m and np.tanh(-u[1] * even + c[1]).min() >= m
    return bool(keeps and flips)
    ### END SOLUTION


def search(values, m, tied):
    """Return all rows (u0, u1, c0, c1) from `values` that toggle, (n, 4); only u0 == u1 if tied.

    values: a list of numbers; m: a number between 0 and 1; tied: True or False.
    """
    ### BEGIN SOLUTION
    rows = [
        (u0, u1, c0, c1)
        for u0, u1, c0, c1 in itertools.product(values, repeat=4)
        if (u0 == u1 or not tied) and toggles((u0, u1), (c0, c1), m)
    ]
    return np.array(rows, dtype=float).reshape(-1, 4)
    ### END SOLUTION


# %% check="toggle_search"
check("toggle_search")

# %% [markdown]
# ## 4. A counter
#
# **Purpose.** You build what a GRU cannot be: an unbounded counter.
# The input has two channels, $a$ is `(1, 0)` and $b$ is `(0, 1)`.
# The cell state `c` of the LSTM goes up by one on each a and down by one on each b, so that after
# $a^n b^n$ it is back where it began.
#
# `counter_weights(k)` returns the weights of an LSTM with D = 2 and H = 1.
# No number may be larger than 4k, but not all need to be the same: ask which of the four blocks
# must be saturated most.
#
# | property | points |
# |---|---|
# | each letter moves c by one, whatever h and c were | 2 |
# | c is right after every letter of every string of up to ten | 2 |
# | back at 0 after $a^n b^n$, and right on the way, for every n up to 200 | 3 |
# | h shows the sign of the count | 1 |
# | no number is larger than 4k | 1 |
#
# Read first: [The LSTM counts](../../book/automata.md#the-lstm-counts).
# For hints: `hint("counter_weights")`.


# %% answer="counter_weights"
def counter_weights(k):
    """Return the weights of an LSTM, D = 2 and H = 1, whose c counts a's up and b's down.

    k: saturation factor, a number; no entry of the result is larger than 4k.
    """
    ### BEGIN SOLUTION
    weights = blank(4, 2)
    weights["b_ih"][:] = [2 * k, 4 * k, 0, 2 * k]
    weights["W_ih"][2] = [k, -k]
    return weights
    ### END SOLUTION


# %% check="counter_weights"
check("counter_weights")

# %% setup
try:
    weights = counter_weights(8.0)
except NotImplementedError:
    print("counter_weights is not written yet.")
else:
    show(
        lambda x, state: lstm_step(x, state, weights),
        "aaabbb",
        (np.zeros((1, 1)), np.zeros((1, 1))),
        {"a": (1, 0), "b": (0, 1)},
    )

# %% [markdown]
# ## What you have now
#
# A latch, a toggle and a counter whose weights you chose yourself, and a proof of what a unit
# without a gate cannot be.
# What can be built is not yet what training finds; the end of the chapter measures the difference.
