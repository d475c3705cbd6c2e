# %% [markdown]
# # The plain recurrent network, and its gradients by hand
#
# You write five functions: one step of a recurrent network, the loop over a sequence, the gradients
# of that loop, their truncated form, and clipping.
# Together they are all that it takes to train such a network, and only NumPy is used.
# The chapter [The vanilla RNN](../../book/rnn.md) derives everything that is asked here.
#
# In every exercise the letters are those of the book: a batch has B sequences of T steps with D
# features each, and the state has H units.
# The parameters are a dictionary `params` with four keys.
#
# | key | shape |
# |---|---|
# | `W_ih` | (H, D) |
# | `W_hh` | (H, H) |
# | `b_ih` | (H,) |
# | `b_hh` | (H,) |
#
# `check("rnn_step")` tries your answer on fresh random inputs and says, property by property, what
# holds.
# `hint("rnn_step")` gives the first of three hints, and the next one each time you ask.
# Neither costs points, and you may check as often as you like.
#
# Write the functions yourself: `torch.nn.RNN` and automatic differentiation are not used here.
# An answer may call your answers to earlier exercises.

# %% setup
import numpy as np

from grader import check, hint

# %% [markdown]
# ## 1. One step
#
# **Purpose.** Everything later in the course repeats this one line of arithmetic.
#
# `rnn_step(x, h, params)` takes the input `x` (B, D) of one time step and the old state `h` (B, H),
# and returns the new state (B, H): the tanh of the input's part plus the state's part, with both
# biases.
# Leave the arguments as they are.
#
# | property | points |
# |---|---|
# | the new state is right | 2 |
# | the input's share is right | 1 |
# | the old state's share is right | 1 |
# | the state is bounded | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [One step](../../book/rnn.md#one-step).
# Stuck? Run `hint("rnn_step")` in a cell of your own.


# %% answer="rnn_step"
def rnn_step(x, h, params):
    """Return the next state (B, H) from the input x (B, D), the old state h (B, H) and params."""
    ### BEGIN SOLUTION
    from_input = x @ params["W_ih"].T + params["b_ih"]
    from_state = h @ params["W_hh"].T + params["b_hh"]
    return np.tanh(from_input + from_state)
    ### END SOLUTION


# %% check="rnn_step"
check("rnn_step")

# %% [markdown]
# ## 2. A whole sequence
#
# **Purpose.** The step becomes a network when its result is fed to the next step.
#
# `rnn_forward(x, h0, params)` takes `x` (B, T, D) and the initial state `h0` (B, H), and returns
# two arrays: `outputs` (B, T, H), the state after each step, and the last state (B, H).
# It must work for any sizes, one step and one sequence included.
#
# | property | points |
# |---|---|
# | the outputs are right | 2 |
# | the last state is right | 1 |
# | a sequence can be resumed from a carried state | 1 |
# | any B, T, D and H will do | 1 |
# | the outputs are those of `torch.nn.RNN` with the same weights | 1 |
#
# Read first: [A whole sequence](../../book/rnn.md#a-whole-sequence).
# For hints: `hint("rnn_forward")`.


# %% answer="rnn_forward"
def rnn_forward(x, h0, params):
    """Return outputs (B, T, H) and the last state (B, H), for x (B, T, D) and h0 (B, H)."""
    ### BEGIN SOLUTION
    h, states = h0, []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params)
        states.append(h)
    return np.stack(states, axis=1), h
    ### END SOLUTION


# %% check="rnn_forward"
check("rnn_forward")

# %% [markdown]
# ## 3. Backpropagation through time
#
# **Purpose.** Here you see with your own eyes where each gradient comes from.
#
# `rnn_backward(doutputs, x, h0, params)` takes `doutputs` (B, T, H), the gradient of the loss with
# respect to each output *as the loss reads it directly*, and the inputs of the forward pass.
# It returns a dictionary with the gradient of the loss with respect to each of six tensors, under
# the keys `"x"`, `"h0"`, `"W_ih"`, `"W_hh"`, `"b_ih"` and `"b_hh"`, each with the shape of its
# tensor.
# You will need the states of the forward pass: call `rnn_forward` first.
#
# | property | points |
# |---|---|
# | the gradient of each of the six tensors is right | 6, one each |
# | all six agree with the slope of the loss | 2 |
# | a sequence of one step is right | 1 |
# | a loss at the last step reaches the first input | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Backpropagation through time](../../book/rnn.md#backpropagation-through-time).
# For hints: `hint("rnn_backward")`.


# %% answer="rnn_backward"
def rnn_backward(doutputs, x, h0, params):
    """Return the gradients for x, h0, W_ih, W_hh, b_ih and b_hh, given doutputs (B, T, H)."""
    ### BEGIN SOLUTION
    outputs, _ = rnn_forward(x, h0, params)
    grads = {name: np.zeros_like(tensor) for name, tensor in params.items()}
    grads["x"] = np.zeros_like(x)
    dh = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        h_before = h0 if t == 0 else outputs[:, t - 1]
        dh = dh + doutputs[:, t]
        da = dh * (1 - outputs[:, t] ** 2)
        grads["x"][:, t] = da @ params["W_ih"]
        grads["W_ih"] += da.T @ x[:, t]
        grads["W_hh"] += da.T @ h_before
        grads["b_ih"] += da.sum(axis=0)
        grads["b_hh"] += da.sum(axis=0)
        dh = da @ params["W_hh"]
    grads["h0"] = dh
    return grads
    ### END SOLUTION


# %% [markdown]
# You need no answer key to know whether a gradient is right.
# The next cell defines `compare_with_slopes`, which nudges every entry of every tensor up and down,
# looks at the loss, and prints the largest difference from your gradient.
# In float64 a right gradient differs by about 1e-10; a wrong one by about its own size.


# %% setup
def slope(loss, array, eps=1e-5):
    """The gradient of loss() with respect to each entry of array, by central differences."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        above = loss()
        array[index] = kept - eps
        below = loss()
        array[index] = kept
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def compare_with_slopes(seed=0, B=2, T=4, D=3, H=5):
    """Print, for each tensor, how far rnn_backward is from the slope of the loss."""
    rng = np.random.default_rng(seed)
    tensors = {"x": rng.normal(size=(B, T, D)), "h0": rng.normal(size=(B, H))}
    sizes = {"W_ih": (H, D), "W_hh": (H, H), "b_ih": (H,), "b_hh": (H,)}
    params = {name: rng.normal(size=size) / np.sqrt(H) for name, size in sizes.items()}
    doutputs = rng.normal(size=(B, T, H))

    def loss():
        return float((doutputs * rnn_forward(tensors["x"], tensors["h0"], params)[0]).sum())

    yours = rnn_backward(doutputs, tensors["x"], tensors["h0"], params)
    for name, array in {**tensors, **params}.items():
        difference = np.abs(yours[name] - slope(loss, array)).max()
        print(f"{name:>5}: largest difference {difference:.1e}")


# %%
# Take the # away once rnn_forward and rnn_backward are written.
# compare_with_slopes()

# %% check="rnn_backward"
check("rnn_backward")

# %% [markdown]
# ## 4. Truncated backpropagation
#
# **Purpose.** A text of a million letters can't be one sequence, and this is how networks are
# trained on it all the same.
#
# `truncated_bptt_grads(doutputs, x, h0, params, k)` returns the same dictionary as `rnn_backward`,
# under one precise rule.
#
# - The T steps are split into chunks of k steps, from the left; the last chunk may be shorter.
# - The *state* is carried: each chunk starts from the state in which the one before it ended, so
#   the outputs are those of the whole sequence.
# - The *gradient* is not carried: the state that a chunk starts from counts as a constant.
#   So a loss in one chunk gives exactly zero gradient to the inputs of every earlier chunk.
# - Gradients of the four parameters are sums over chunks, not means.
#   The gradient of `x` has its full shape (B, T, D), and that of `h0` comes from the first chunk.
#
# With k equal to T or larger there is one chunk, and nothing is cut.
#
# | property | points |
# |---|---|
# | the parameters' gradients are right | 2 |
# | a short last chunk counts | 1 |
# | with k at least T, the full gradient | 1 |
# | the gradient reaches its whole chunk and stops at the cut | 2 |
# | the state is carried | 1 |
# | the gradient of h0 comes from the first chunk | 1 |
#
# Read first: [Truncated backpropagation](../../book/rnn.md#truncated-backpropagation).
# For hints: `hint("truncated_bptt_grads")`.


# %% answer="truncated_bptt_grads"
def truncated_bptt_grads(doutputs, x, h0, params, k):
    """Return the gradients for all six tensors, by chunks of k steps; the state is carried."""
    ### BEGIN SOLUTION
    grads = {name: np.zeros_like(tensor) for name, tensor in params.items()}
    grads["x"] = np.zeros_like(x)
    h = h0
    for start in range(0, x.shape[1], k):
        chunk = slice(start, start + k)
        part = rnn_backward(doutputs[:, chunk], x[:, chunk], h, params)
        for name in params:
            grads[name] += part[name]
        grads["x"][:, chunk] = part["x"]
        if start == 0:
            grads["h0"] = part["h0"]
        _, h = rnn_forward(x[:, chunk], h, params)
    return grads
    ### END SOLUTION


# %% check="truncated_bptt_grads"
check("truncated_bptt_grads")

# %% [markdown]
# ## 5. Clipping by the global norm
#
# **Purpose.** One exploding gradient can undo an hour of training; this keeps its direction and
# limits its length.
#
# `clip_by_global_norm(grads, max_norm)` takes a dictionary of gradients, in which a value may be
# None (that tensor got no gradient), and a positive number.
# It returns two things: a new dictionary with the same keys, and the joint norm *before* clipping,
# as a number.
#
# - The norm is that of all tensors together, laid end to end: the square root of the sum of all
#   squared entries.
# - If it is above `max_norm`, every tensor is multiplied by `max_norm / norm`; if not, nothing
#   changes.
# - None stays None, and counts for nothing.
# - If the norm is infinite or not a number, no factor can help: raise ValueError.
# - The gradients that were passed in are left as they were.
#
# | property | points |
# |---|---|
# | the clipped gradients are right | 2 |
# | the direction is kept | 1 |
# | small gradients come back as they are | 1 |
# | the norm before clipping comes back | 1 |
# | None stays None | 1 |
# | all zeros stay zeros | 1 |
# | what is not finite is refused | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Clipping](../../book/rnn.md#clipping).
# For hints: `hint("clip_by_global_norm")`.


# %% answer="clip_by_global_norm"
def clip_by_global_norm(grads, max_norm):
    """Return (clipped gradients, their joint norm before clipping); a value may be None."""
    ### BEGIN SOLUTION
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values() if g is not None)))
    if not np.isfinite(norm):
        raise ValueError(f"the norm of the gradients is {norm}, so nothing can be scaled by it")
    factor = max_norm / norm if norm > max_norm else 1.0
    clipped = {name: None if g is None else g * factor for name, g in grads.items()}
    return clipped, norm
    ### END SOLUTION


# %% check="clip_by_global_norm"
check("clip_by_global_norm")

# %% [markdown]
# ## What you have now
#
# A forward pass, its gradients, a way to cut them and a way to tame them: with an optimiser and a
# loss, that is a trainable recurrent network.
# The next question is how far back its gradients really reach.
