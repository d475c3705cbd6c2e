# %% [markdown]
# # The LSTM, its relatives, and what each part does
#
# Here you build the LSTM that the chapter [The LSTM](../../book/lstm.md) derives, and its
# gradients; then two of its relatives; then you take it apart, one piece at a time; and at last you
# give another cell as many parameters as it has, so that the two can be compared.
#
# Six exercises: `lstm_cell`, `lstm_step_backward`, `cifg_cell`, `peephole_cell`, `ablate`,
# `match_params`.
# Each one stands by itself.
#
# **How to work.** Write your answer where it says *Your code here*, run the cell, and run the
# `check(...)` below it.
# The check draws new random inputs each time and gives points property by property, so a slip costs
# only what it breaks.
# When you are stuck, `hint("lstm_cell")` gives a first hint; ask again for a second and a third.
#
# **Conventions.** All arrays are NumPy, in float64.
# Parameters are a dictionary with PyTorch's four names, and PyTorch's order of blocks, i, f, g, o:
#
# | key | shape | blocks, one under the other |
# |---|---|---|
# | `W_ih` | `(4H, D)` | `W_ii`, `W_if`, `W_ig`, `W_io` |
# | `W_hh` | `(4H, H)` | `W_hi`, `W_hf`, `W_hg`, `W_ho` |
# | `b_ih` | `(4H,)` | `b_ii`, `b_if`, `b_ig`, `b_io` |
# | `b_hh` | `(4H,)` | `b_hi`, `b_hf`, `b_hg`, `b_ho` |
#
# B is the batch, D the input features, H the units.
# There are two states: h, the output, and c, the cell state, which only the cell sees.
# The order is always h first, then c.

# %% setup
import numpy as np

from grader import check, hint


def sigmoid(a):
    """The logistic function, element by element, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


# %% [markdown]
# ## 1. One step of the LSTM
#
# **Purpose.** You write the cell that this course holds the GRU against.
# The equations are
#
# $$i = \sigma(W_{ii} x + b_{ii} + W_{hi} h + b_{hi}) \qquad
#   f = \sigma(W_{if} x + b_{if} + W_{hf} h + b_{hf})$$
# $$g = \tanh(W_{ig} x + b_{ig} + W_{hg} h + b_{hg}) \qquad
#   o = \sigma(W_{io} x + b_{io} + W_{ho} h + b_{ho})$$
# $$c' = f \odot c + i \odot g \qquad h' = o \odot \tanh(c')$$
#
# | property | points |
# |---|---|
# | both new states are right for random weights, biases and states | 3 |
# | the new cell state is right | 2 |
# | with f = 1 and i = 0 the cell state is kept to the last bit | 1 |
# | the cell state may grow beyond 1, the output may not | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [The unit in code](../../book/lstm.md#the-unit-in-code).
# Stuck? Run `hint("lstm_cell")` in a cell of your own.


# %% answer="lstm_cell"
def lstm_cell(x, h, c, params):
    """Return the next h and the next c, both (B, H), of an LSTM.

    x: (B, D) input at this step; h, c: (B, H) old states; params: the four arrays,
    blocks i, f, g, o.
    """
    ### BEGIN SOLUTION
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    a_i, a_f, a_g, a_o = np.split(sums, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c_next = f * c + i * g
    return o * np.tanh(c_next), c_next
    ### END SOLUTION


# %% check="lstm_cell"
check("lstm_cell")

# %% [markdown]
# ## 2. Backward through one step
#
# **Purpose.** You derive where a gradient goes in this cell, and see the one road on which it meets
# no matrix.
# Two gradients arrive from later steps, `dh_next` for h' and `dc_next` for c'.
# Return the gradients of the loss with respect to everything that went in, as a dictionary with the
# keys `x`, `h`, `c`, `W_ih`, `W_hh`, `b_ih`, `b_hh`, each in the shape of its tensor.
#
# | property | points |
# |---|---|
# | each of the seven gradients is right | 1 each |
# | all seven agree with central differences | 2 |
# | a gradient at c' alone goes back along the cell state | 1 |
# | a gradient at h' alone goes through o and the tanh | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [The road of the cell state](../../book/lstm.md#the-road-of-the-cell-state).
# For hints: `hint("lstm_step_backward")`.


# %% answer="lstm_step_backward"
def lstm_step_backward(dh_next, dc_next, x, h, c, params):
    """Return a dictionary of the seven gradients of one step of an LSTM.

    dh_next, dc_next: (B, H), gradients of the loss with respect to the new h and c;
    x: (B, D); h, c: (B, H), the old states; params: the four arrays, blocks i, f, g, o.
    """
    ### BEGIN SOLUTION
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    a_i, a_f, a_g, a_o = np.split(sums, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    tanh_c = np.tanh(f * c + i * g)
    dc_all = dc_next + dh_next * o * (1 - tanh_c**2)
    di = dc_all * g * i * (1 - i)
    df = dc_all * c * f * (1 - f)
    dg = dc_all * i * (1 - g**2)
    do = dh_next * tanh_c * o * (1 - o)
    da = np.concatenate([di, df, dg, do], axis=1)
    return {
        "x": da @ params["W_ih"],
        "h": da @ params["W_hh"],
        "c": dc_all * f,
        "W_ih": da.T @ x,
        "W_hh": da.T @ h,
        "b_ih": da.sum(axis=0),
        "b_hh": da.sum(axis=0),
    }
    ### END SOLUTION


# %% check="lstm_step_backward"
check("lstm_step_backward")

# %% [markdown]
# ## 3. Coupled input and forget gates
#
# **Purpose.** You build the LSTM's nearest relative to the GRU: one gate decides both what is kept
# and what is written, $i = 1 - f$.
# The input gate has no weights any more, so the arrays hold three blocks, in the order f, g, o:
# `W_ih` is `(3H, D)`, and so on.
# Everything else is as in the LSTM.
#
# | property | points |
# |---|---|
# | both new states are right for random weights, biases and states | 3 |
# | it is the LSTM whose input gate has the f block with its signs turned | 1 |
# | where f is 1 the cell state is kept, where f is 0 it is the candidate | 1 |
# | the new cell state lies between the old one and the candidate | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [One gate for two: the CIFG](../../book/lstm.md#one-gate-for-two-the-cifg).
# For hints: `hint("cifg_cell")`.


# %% answer="cifg_cell"
def cifg_cell(x, h, c, params):
    """Return the next h and the next c, both (B, H), of an LSTM with coupled gates.

    x: (B, D); h, c: (B, H); params: the four arrays, three blocks each, f, g, o.
    """
    ### BEGIN SOLUTION
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    a_f, a_g, a_o = np.split(sums, 3, axis=1)
    f, g, o = sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c_next = f * c + (1 - f) * g
    return o * np.tanh(c_next), c_next
    ### END SOLUTION


# %% check="cifg_cell"
check("cifg_cell")

# %% [markdown]
# ## 4. Peepholes
#
# **Purpose.** You let each gate see its own unit's cell state, which a closed output gate would
# hide from it.
# `params` has the LSTM's four arrays and three vectors more, `w_ci`, `w_cf` and `w_co`, each
# `(H,)`: one weight for each gate of each unit.
# The input gate and the forget gate see the old cell state, and the output gate sees the new one.
#
# | property | points |
# |---|---|
# | both new states are right for random weights, biases, peepholes and states | 3 |
# | the new cell state is right | 2 |
# | with all three vectors at zero it is the LSTM | 1 |
# | the output gate sees the new cell state | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [Gates that see the cell](../../book/lstm.md#gates-that-see-the-cell).
# For hints: `hint("peephole_cell")`.


# %% answer="peephole_cell"
def peephole_cell(x, h, c, params):
    """Return the next h and the next c, both (B, H), of an LSTM with peepholes.

    x: (B, D); h, c: (B, H); params: the four arrays, blocks i, f, g, o, and w_ci, w_cf, w_co (H,).
    """
    ### BEGIN SOLUTION
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    a_i, a_f, a_g, a_o = np.split(sums, 4, axis=1)
    i = sigmoid(a_i + params["w_ci"] * c)
    f = sigmoid(a_f + params["w_cf"] * c)
    c_next = f * c + i * np.tanh(a_g)
    o = sigmoid(a_o + params["w_co"] * c_next)
    return o * np.tanh(c_next), c_next
    ### END SOLUTION


# %% check="peephole_cell"
check("peephole_cell")

# %% [markdown]
# ## 5. Take one part away
#
# **Purpose.** You write the function behind every ablation: the LSTM with exactly one thing
# changed.
# The parameters always have all four blocks, i, f, g, o; a block that the changed cell does not
# need is simply not read.
#
# | flag | the one change |
# |---|---|
# | `"full"` | none |
# | `"no_input_gate"` | i is 1 |
# | `"no_forget_gate"` | f is 1, as in 1997 |
# | `"no_output_gate"` | o is 1 |
# | `"no_input_activation"` | g is its sum, without the tanh |
# | `"no_output_activation"` | h' is o times c', without the tanh |
# | `"coupled"` | i is 1 − f |
#
# Any other flag raises a `ValueError`.
#
# | property | points |
# |---|---|
# | both new states are right, for each of the seven flags | 1 each |
# | where a gate is open anyway, or i is 1 − f anyway, nothing changes | 2 |
# | a flag that does not exist is refused | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [Take one part away](../../book/lstm.md#take-one-part-away).
# For hints: `hint("ablate")`.


# %% answer="ablate"
def ablate(x, h, c, params, flag):
    """Return the next h and the next c, both (B, H), of an LSTM changed as `flag` says.

    x: (B, D); h, c: (B, H); params: the four arrays, blocks i, f, g, o; flag: one of the seven.
    Raises ValueError for any other flag.
    """
    ### BEGIN SOLUTION
    sums = x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
    a_i, a_f, a_g, a_o = np.split(sums, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    output_activation = np.tanh
    if flag == "no_input_gate":
        i = np.ones_like(i)
    elif flag == "no_forget_gate":
        f = np.ones_like(f)
    elif flag == "no_output_gate":
        o = np.ones_like(o)
    elif flag == "no_input_activation":
        g = a_g
    elif flag == "no_output_activation":
        output_activation = np.asarray
    elif flag == "coupled":
        i = 1 - f
    elif flag != "full":
        raise ValueError(f"There is no flag {flag!r}.")
    c_next = f * c + i * g
    return o * output_activation(c_next), c_next
    ### END SOLUTION


# %% check="ablate"
check("ablate")

# %% [markdown]
# ## 6. Equal parameters
#
# **Purpose.** You find the hidden size that gives another cell as many parameters, so that a
# comparison is about the cells and not about their sizes.
# A network is one recurrent layer of PyTorch, with both biases, and a linear readout with a bias
# from h to `outputs` numbers.
# Of all hidden sizes from 1 up return the one whose count is nearest to the target; of two that are
# equally near, the smaller.
#
# | property | points |
# |---|---|
# | the size of a real RNN, GRU and LSTM is found again | 1 each |
# | the nearest size is found, from above and from below | 2 |
# | of two that are equally near the smaller is taken, and never less than one | 1 |
# | for an LSTM's parameters the nearest GRU and RNN are found | 2 |
#
# Read first: [At equal parameters](../../book/lstm.md#at-equal-parameters).
# For hints: `hint("match_params")`.


# %% answer="match_params"
def match_params(target, cell, d, outputs):
    """Return the hidden size, an int, whose network's parameters are nearest to `target`.

    target: a number of parameters; cell: "rnn", "gru" or "lstm"; d: input features;
    outputs: of the readout.
    """
    ### BEGIN SOLUTION
    blocks = {"rnn": 1, "gru": 3, "lstm": 4}[cell]

    def count(h):
        return blocks * (h * d + h * h + 2 * h) + outputs * h + outputs

    h = 1
    while count(h + 1) <= target:
        h += 1
    return h if target - count(h) <= count(h + 1) - target else h + 1
    ### END SOLUTION


# %% check="match_params"
check("match_params")

# %% [markdown]
# ## What you have now
#
# The LSTM, its gradients, two of its relatives, and a way to take any part of it out while nothing
# else changes, at equal parameters.
# The next unit trains nothing at first: it asks what such cells can compute at all.
