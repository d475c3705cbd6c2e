# %% [markdown]
# # The GRU from equations to code
#
# Here you build the gated recurrent unit that the chapter [The GRU](../../book/gru.md) derives,
# unit by unit, and learn to move it between the conventions in which other people write it.
#
# Five exercises, easy to hard within each half: `gru_cell`, `gru_forward`, `convert`,
# `param_count`, `merge_biases`.
# Each one stands by itself, except that `gru_forward` may call your `gru_cell`.
#
# **How to work.** Write your answer where it says *Your code here*, run the cell, and run the
# `check(...)` below it.
# The check draws new random inputs each time and gives points property by property, so a slip costs
# only what it breaks.
# When you are stuck, `hint("gru_cell")` gives a first hint; ask again for a second and a third.
#
# **Conventions.** All arrays are NumPy, in float64.
# Parameters are a dictionary with PyTorch's four names:
#
# | key | shape | blocks, one under the other |
# |---|---|---|
# | `W_ih` | `(3H, D)` | `W_ir`, `W_iz`, `W_in` |
# | `W_hh` | `(3H, H)` | `W_hr`, `W_hz`, `W_hn` |
# | `b_ih` | `(3H,)` | `b_ir`, `b_iz`, `b_in` |
# | `b_hh` | `(3H,)` | `b_hr`, `b_hz`, `b_hn` |
#
# B is the batch, T the time steps, D the input features, H the units.
# The update gate z *keeps* the old state, and the reset gate acts *after* the recurrent product, as
# in PyTorch.

# %% setup
import numpy as np

from grader import check, hint


def sigmoid(a):
    """The logistic function, element by element, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * a))


# %% [markdown]
# ## 1. One step of the GRU
#
# **Purpose.** You write the unit itself: everything later in the course rests on these few lines.
# The equations are
#
# $$r = \sigma(W_{ir} x + b_{ir} + W_{hr} h + b_{hr})$$
# $$z = \sigma(W_{iz} x + b_{iz} + W_{hz} h + b_{hz})$$
# $$n = \tanh(W_{in} x + b_{in} + r \odot (W_{hn} h + b_{hn}))$$
# $$h' = (1 - z) \odot n + z \odot h$$
#
# | property | points |
# |---|---|
# | the new state is right for random weights, biases and state | 4 |
# | units with z = 1 keep their value, whatever r is | 1 |
# | with z = 0 and r = 0 the past is gone | 1 |
# | no unit leaves the range between its old value and a tanh | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [The unit in code](../../book/gru.md#the-unit-in-code).
# Stuck? Run `hint("gru_cell")` in a cell of your own.


# %% answer="gru_cell"
def gru_cell(x, h, params):
    """Return the next state, (B, H), of a GRU.

    x: (B, D) input at this step; h: (B, H) old state; params: the four arrays, blocks r, z, n.
    """
    ### BEGIN SOLUTION
    x_r, x_z, x_n = np.split(x @ params["W_ih"].T + params["b_ih"], 3, axis=1)
    h_r, h_z, h_n = np.split(h @ params["W_hh"].T + params["b_hh"], 3, axis=1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h
    ### END SOLUTION


# %% check="gru_cell"
check("gru_cell")

# %% [markdown]
# ## 2. A batch of sequences
#
# **Purpose.** You run the cell over a batch whose sequences have different lengths, so that each of
# them ends exactly as it would alone.
# Row `i` of `x` has `lengths[i]` real steps, from step 0 on; what follows is padding and may hold
# anything.
# After a sequence's end its state stays what it was, and its outputs are zero, as a packed `nn.GRU`
# gives them.
#
# | property | points |
# |---|---|
# | outputs and last state are right where all lengths are T | 3 |
# | each sequence's last state is the one after its own last step | 2 |
# | outputs are right up to each length, and zero after it | 2 |
# | what stands in the padding changes nothing | 1 |
# | the arguments are left as they were | 1 |
#
# Read first: [A batch of unequal lengths](../../book/gru.md#a-batch-of-unequal-lengths).
# For hints: `hint("gru_forward")`.


# %% answer="gru_forward"
def gru_forward(x, h0, params, lengths):
    """Return the outputs (B, T, H) and the last state of each sequence (B, H).

    x: (B, T, D), padded at the end; h0: (B, H); params: the four arrays;
    lengths: (B,) integers from 1 to T.
    """
    ### BEGIN SOLUTION
    h, outputs = h0, []
    for t in range(x.shape[1]):
        live = (t < lengths)[:, None]
        new = gru_cell(x[:, t], h, params)
        outputs.append(np.where(live, new, 0.0))
        h = np.where(live, new, h)
    return np.stack(outputs, axis=1), h
    ### END SOLUTION


# %% check="gru_forward"
check("gru_forward")

# %% [markdown]
# ## 3. From one convention to another
#
# **Purpose.** You carry weights between libraries, which is where most silent mistakes with GRUs
# are made.
# A convention is a dictionary with three entries:
#
# | entry | values | meaning |
# |---|---|---|
# | `order` | `"rzn"`, `"zrn"`, any other order of the letters | how the blocks are stacked |
# | `keeps` | `True`, `False` | z near 1 keeps the old state (PyTorch), or writes the candidate |
# | `reset` | `"after"`, `"before"` | where the reset gate acts |
#
# PyTorch is `{"order": "rzn", "keeps": True, "reset": "after"}`.
# `convert` returns new parameters, in PyTorch's names and shapes, with which a cell of the target's
# convention computes what the source's cell computed, to 1e-12.
# Between the two places of the reset there is no conversion: raise a `ValueError` that says so.
#
# | property | points |
# |---|---|
# | the blocks of all four arrays stand in the target's order | 2 |
# | the sense of z is carried across | 2 |
# | both together, for either place of the reset | 2 |
# | reset-before to reset-after, and back, is refused | 1 |
# | the arguments are left alone, and converting back restores them | 1 |
#
# Read first: [One unit, three spellings](../../book/gru.md#one-unit-three-spellings).
# For hints: `hint("convert")`.


# %% answer="convert"
def convert(params, source, target):
    """Return the four arrays of `params`, given in the convention `source`, in that of `target`.

    Raises ValueError when source and target differ in where the reset gate acts.
    """
    ### BEGIN SOLUTION
    if source["reset"] != target["reset"]:
        raise ValueError(
            f"A GRU with reset {source['reset']} the product cannot be written as one with reset "
            f"{target['reset']} it: they are different functions."
        )
    result = {}
    for name, array in params.items():
        blocks = dict(zip(source["order"], np.split(array, 3), strict=True))
        if source["keeps"] != target["keeps"]:
            blocks["z"] = -blocks["z"]
        result[name] = np.concatenate([blocks[letter] for letter in target["order"]])
    return result
    ### END SOLUTION


# %% check="convert"
check("convert")

# %% [markdown]
# ## 4. Counting parameters
#
# **Purpose.** You predict a module's size from its arguments, so that a comparison "at equal
# parameters" is one.
# `cell` is `"rnn"`, `"gru"` or `"lstm"`; `d` is the input size and `h` the number of units of each
# layer and direction; `biases` is how many bias vectors a block has: 2 in PyTorch, 1 in most
# papers, 0 for none.
#
# | property | points |
# |---|---|
# | one layer, for each of the three cells | 1 each |
# | no, one and two biases | 1 |
# | several layers | 1 |
# | two directions | 1 |
# | several layers with two directions | 2 |
#
# Read first: [Counting parameters](../../book/gru.md#counting-parameters).
# For hints: `hint("param_count")`.


# %% answer="param_count"
def param_count(cell, d, h, layers=1, bidirectional=False, biases=2):
    """Return the number of parameters, an int, of a recurrent module."""
    ### BEGIN SOLUTION
    blocks = {"rnn": 1, "gru": 3, "lstm": 4}[cell]
    directions = 2 if bidirectional else 1
    total, inputs = 0, d
    for _ in range(layers):
        total += directions * blocks * (h * inputs + h * h + biases * h)
        inputs = directions * h
    return total
    ### END SOLUTION


# %% check="param_count"
check("param_count")

# %% [markdown]
# ## 5. Folding the redundant biases
#
# **Purpose.** You find out which of PyTorch's two biases do something, by removing those that do
# not.
# Move what is redundant in `b_hh` into `b_ih`: the result has zeros where it was, and the cell's
# output is the same for every input and every state.
# One part of `b_hh` must stay.
#
# | property | points |
# |---|---|
# | every output is the same, with `b_hh` zero for r and z | 2 |
# | both biases of the candidate are what they were | 1 |
# | the biases of r and z in `b_ih` are the sums | 1 |
# | the arguments are left alone, the weights come back unchanged | 1 |
#
# Read first: [Two biases, and one that matters](../../book/gru.md#two-biases-and-one-that-matters).
# For hints: `hint("merge_biases")`.


# %% answer="merge_biases"
def merge_biases(params):
    """Return new parameters, with the same four keys, whose b_hh is zero for r and z."""
    ### BEGIN SOLUTION
    H = params["W_hh"].shape[1]
    b_ih, b_hh = params["b_ih"].copy(), params["b_hh"].copy()
    b_ih[: 2 * H] += b_hh[: 2 * H]
    b_hh[: 2 * H] = 0
    return params | {"b_ih": b_ih, "b_hh": b_hh}
    ### END SOLUTION


# %% check="merge_biases"
check("merge_biases")

# %% [markdown]
# ## What you have now
#
# A GRU that you can run on any batch, move between libraries, count, and strip of what it does not
# need.
# The next unit asks how each of its weights learns: its gradients, and which way they take.
