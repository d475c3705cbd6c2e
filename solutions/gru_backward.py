# %% [markdown]
# # The backward pass of the GRU
#
# You write the gradients of one step of a GRU, of a whole sequence, the same as an operation that
# PyTorch's autograd can use, and a measurement of the four routes that a gradient takes.
# The chapter [GRU backward](../../book/gru_backward.md) derives everything that is asked here.
#
# The GRU is PyTorch's: the reset gate acts after the recurrent product, and z near 1 keeps the old
# state.
#
# | | |
# |---|---|
# | r | sigmoid(W_ir x + b_ir + W_hr h + b_hr) |
# | z | sigmoid(W_iz x + b_iz + W_hz h + b_hz) |
# | h_n | W_hn h + b_hn |
# | n | tanh(W_in x + b_in + r * h_n) |
# | h' | (1 - z) * n + z * h |
#
# A batch has B sequences of T steps with D features each, and the state has H units.
# `check("gru_step_backward")` tries your answer on fresh random inputs and says, property by
# property, what holds.
# `hint("gru_step_backward")` gives the first of three hints, and the next one each time you ask.
# Neither costs points.
#
# Derive and write the gradients yourself: automatic differentiation is not used in an answer.
# An answer may call your answers to earlier exercises, and the forward pass is given.

# %% setup
import numpy as np
import torch

from grader import check, hint


def by_gate(params):
    """The twelve parameters under their own names, W_ir to b_hn, from the four packed arrays."""
    return {
        f"{name[:3]}{gate}": block
        for name in ("W_ih", "W_hh", "b_ih", "b_hh")
        for gate, block in zip("rzn", np.split(params[name], 3), strict=True)
    }


def stacked(grads):
    """The other way round: W_ih, W_hh, b_ih and b_hh from the twelve; other keys are kept."""
    packed = {k: v for k, v in grads.items() if k[:2] not in ("W_", "b_")}
    for name in ("W_ih", "W_hh", "b_ih", "b_hh"):
        packed[name] = np.concatenate([grads[f"{name[:3]}{gate}"] for gate in "rzn"])
    return packed


def gates(x, h, p):
    """r, z, n and h_n (B, H) of one step; p holds the twelve parameters."""
    r = 1 / (1 + np.exp(-(x @ p["W_ir"].T + p["b_ir"] + h @ p["W_hr"].T + p["b_hr"])))
    z = 1 / (1 + np.exp(-(x @ p["W_iz"].T + p["b_iz"] + h @ p["W_hz"].T + p["b_hz"])))
    h_n = h @ p["W_hn"].T + p["b_hn"]
    n = np.tanh(x @ p["W_in"].T + p["b_in"] + r * h_n)
    return r, z, n, h_n


def gru_unroll(x, h0, params):
    """Outputs (B, T, H) and the last state, for x (B, T, D), h0 and the four packed arrays."""
    p, h, states = by_gate(params), h0, []
    for x_t in x.swapaxes(0, 1):
        r, z, n, _ = gates(x_t, h, p)
        h = (1 - z) * n + z * h
        states.append(h)
    return np.stack(states, axis=1), h


# %% [markdown]
# ## 1. One step back
#
# **Purpose.** All the calculus of this unit is in one step; the rest is walking.
#
# `gru_step_backward(dh_next, x, h, params)` takes `dh_next` (B, H), the gradient of the loss with
# respect to the new state, and the inputs of the step: `x` (B, D), `h` (B, H), and the twelve
# parameters under their own names.
#
# | names | shape |
# |---|---|
# | `W_ir`, `W_iz`, `W_in` | (H, D) |
# | `W_hr`, `W_hz`, `W_hn` | (H, H) |
# | `b_ir`, `b_iz`, `b_in`, `b_hr`, `b_hz`, `b_hn` | (H,) |
#
# It returns a dictionary of fourteen gradients, under `"x"`, `"h"` and the names of the parameters,
# each with the shape of its tensor.
# The function `gates(x, h, params)` of the cell above gives r, z, n and h_n.
#
# | property | points |
# |---|---|
# | the gradient of each of the fourteen tensors is right | 7, one half each |
# | all fourteen agree with the slope of the loss | 2 |
# | a batch of one sequence is right | 1 |
# | where z is 1 the gradient passes unchanged | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Through the gates](../../book/gru_backward.md#through-the-gates).
# Stuck? Run `hint("gru_step_backward")` in a cell of your own.


# %% answer="gru_step_backward"
def gru_step_backward(dh_next, x, h, params):
    """Return the gradients of x, h and the twelve parameters, given dh_next (B, H)."""
    ### BEGIN SOLUTION
    r, z, n, h_n = gates(x, h, params)
    da_n = dh_next * (1 - z) * (1 - n**2)
    da_z = dh_next * (h - n) * z * (1 - z)
    da_r = da_n * h_n * r * (1 - r)
    input_side = {"r": da_r, "z": da_z, "n": da_n}
    state_side = {"r": da_r, "z": da_z, "n": da_n * r}
    grads = {
        "x": sum(da @ params[f"W_i{gate}"] for gate, da in input_side.items()),
        "h": dh_next * z + sum(da @ params[f"W_h{gate}"] for gate, da in state_side.items()),
    }
    for gate in "rzn":
        grads[f"W_i{gate}"] = input_side[gate].T @ x
        grads[f"W_h{gate}"] = state_side[gate].T @ h
        grads[f"b_i{gate}"] = input_side[gate].sum(axis=0)
        grads[f"b_h{gate}"] = state_side[gate].sum(axis=0)
    return grads
    ### END SOLUTION


# %% check="gru_step_backward"
check("gru_step_backward")

# %% [markdown]
# ## 2. A whole sequence back
#
# **Purpose.** This is what a library computes when you call `backward()` on a GRU.
#
# `gru_backward(doutputs, x, h0, params)` takes `doutputs` (B, T, H), the gradient of the loss with
# respect to each output *as the loss reads it directly*, `x` (B, T, D), `h0` (B, H), and the
# parameters in PyTorch's four packed arrays: `W_ih` (3H, D), `W_hh` (3H, H), `b_ih` and `b_hh`
# (3H,), with the blocks in the order r, z, n.
# It returns a dictionary with the gradients of `"x"`, `"h0"`, `"W_ih"`, `"W_hh"`, `"b_ih"` and
# `"b_hh"`.
#
# `gru_unroll(x, h0, params)` gives the outputs (B, T, H) and the last state, and `by_gate` and
# `stacked` lead from four arrays to twelve and back.
#
# | property | points |
# |---|---|
# | the gradient of each of the six tensors is right | 6, one each |
# | all six are those of `torch.nn.GRU` | 2 |
# | a sequence of one step is right | 1 |
# | a loss at the last step reaches the first input | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Through time](../../book/gru_backward.md#through-time).
# For hints: `hint("gru_backward")`.


# %% answer="gru_backward"
def gru_backward(doutputs, x, h0, params):
    """Return the gradients of x, h0, W_ih, W_hh, b_ih and b_hh, given doutputs (B, T, H)."""
    ### BEGIN SOLUTION
    outputs, _ = gru_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    grads["x"] = np.zeros_like(x)
    dh = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        part = stacked(gru_step_backward(dh, x[:, t], before[:, t], by_gate(params)))
        for name in params:
            grads[name] += part[name]
        grads["x"][:, t] = part["x"]
        dh = part["h"]
    grads["h0"] = dh
    return grads
    ### END SOLUTION


# %% check="gru_backward"
check("gru_backward")

# %% [markdown]
# ## 3. An operation for autograd
#
# **Purpose.** A backward pass written by hand becomes useful when the rest of a model, its loss and
# its optimiser are left to PyTorch.
#
# In PyTorch such an operation is a `torch.autograd.Function`: a forward pass that says what to
# save, and a backward pass that may read only what was saved.
# You write both as plain functions of tensors, and `by_hand(forward, backward)` of the course's
# package wraps them.
#
# `gru_function_forward(x, h0, W_ih, W_hh, b_ih, b_hh)` takes tensors of the shapes above and
# returns three things: `outputs` (B, T, H), the last state `h_T` (B, H), and `saved`, a tuple of
# five tensors (B, T, H): the outputs, r, z, n and h_n of every step, in this order.
#
# `gru_function_backward(doutputs, dh_T, inputs, saved)` takes the gradients of `outputs` and of
# `h_T`, the tuple of the six inputs, and that of the five saved tensors.
# It returns six gradients, in the order of the inputs.
# It must not run the forward pass again: everything that it needs is in its arguments.
#
# | property | points |
# |---|---|
# | outputs and last state are right | 2 |
# | the five saved tensors are right | 1 |
# | from the right saved tensors, the gradient of each input is right | 3, one half each |
# | the gradient of the last state counts | 1 |
# | both together pass `torch.autograd.gradcheck` | 3 |
# | the arguments are left alone | 1 |
#
# **Second derivatives are excluded.**
# Autograd records neither of your functions, so a gradient of your gradient would lack whatever
# goes through the saved tensors.
# `by_hand` therefore refuses `create_graph=True`, and `gradgradcheck` is not part of the check.
#
# Read first:
# [What the backward pass needs](../../book/gru_backward.md#what-the-backward-pass-needs).
# For hints: `hint("gru_function")`.


# %% answer="gru_function"
def gru_function_forward(x, h0, W_ih, W_hh, b_ih, b_hh):
    """Return outputs (B, T, H), h_T (B, H), and the saved (outputs, r, z, n, h_n)."""
    ### BEGIN SOLUTION
    h, kept = h0, []
    for t in range(x.shape[1]):
        x_r, x_z, x_n = (x[:, t] @ W_ih.T + b_ih).chunk(3, dim=1)
        h_r, h_z, h_n = (h @ W_hh.T + b_hh).chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
        kept.append((h, r, z, n, h_n))
    saved = tuple(torch.stack(values, dim=1) for values in zip(*kept, strict=True))
    return saved[0], h, saved
    ### END SOLUTION


def gru_function_backward(doutputs, dh_T, inputs, saved):
    """Return the gradients of x, h0, W_ih, W_hh, b_ih and b_hh, in this order."""
    ### BEGIN SOLUTION
    x, h0, W_ih, W_hh, b_ih, b_hh = inputs
    outputs, r, z, n, h_n = saved
    before = torch.cat([h0[:, None], outputs[:, :-1]], dim=1)
    dx = torch.zeros_like(x)
    dW_ih, dW_hh, db_ih, db_hh = (torch.zeros_like(w) for w in (W_ih, W_hh, b_ih, b_hh))
    dh = dh_T
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        da_n = dh * (1 - z[:, t]) * (1 - n[:, t] ** 2)
        da_z = dh * (before[:, t] - n[:, t]) * z[:, t] * (1 - z[:, t])
        da_r = da_n * h_n[:, t] * r[:, t] * (1 - r[:, t])
        da_x = torch.cat([da_r, da_z, da_n], dim=1)
        da_h = torch.cat([da_r, da_z, da_n * r[:, t]], dim=1)
        dx[:, t] = da_x @ W_ih
        dW_ih += da_x.T @ x[:, t]
        dW_hh += da_h.T @ before[:, t]
        db_ih += da_x.sum(dim=0)
        db_hh += da_h.sum(dim=0)
        dh = dh * z[:, t] + da_h @ W_hh
    return dx, dh, dW_ih, dW_hh, db_ih, db_hh
    ### END SOLUTION


# %% check="gru_function"
check("gru_function")

# %% [markdown]
# With both functions written, a GRU of your own trains.
# The next cell defines `train`, which teaches it to output the running mean of its inputs, with
# PyTorch's optimiser and your gradients.


# %% setup
def train(updates=200, seed=0, B=16, T=12, H=16):
    """Train your GRU to give the mean of all inputs so far; print the loss on the way."""
    from gatedrnn.kernels.by_hand import by_hand

    torch.manual_seed(seed)
    yours = by_hand(gru_function_forward, gru_function_backward)
    layer = torch.nn.GRU(1, H, batch_first=True)  # only its initial weights are used
    weights = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    readout = torch.nn.Linear(H, 1)
    optimiser = torch.optim.Adam([*weights, *readout.parameters()], lr=0.01)
    for update in range(updates):
        x = torch.randn(B, T, 1)
        target = x.cumsum(dim=1) / torch.arange(1, T + 1).view(1, T, 1)
        outputs, _ = yours(x, torch.zeros(B, H), *weights)
        loss = (readout(outputs) - target).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if update % 50 == 0 or update == updates - 1:
            print(f"update {update:>3}: loss {loss.item():.4f}")


# %%
# Take the # away once both functions are written.
# train()

# %% [markdown]
# ## 4. Four routes
#
# **Purpose.** A norm says how much gradient arrives; the routes say which way it came.
#
# The old state stands in four places of a step, and each sends back a part of the gradient.
#
# `gru_routes(dh_next, x, h, params)` takes `dh_next` (B, H), `x` (B, D), `h` (B, H) and the four
# packed arrays, and returns a dictionary of four arrays (B, H): the parts of the gradient of h
# that go back `"direct"`, by z * h; by `"z"`; by `"r"`; and by `"n"`, where r stays still.
# The four add up to the gradient of h.
#
# `route_norms(dh_T, x, h0, params)` takes the gradient `dh_T` (B, H) of the last state alone, `x`
# (B, T, D) and `h0` (B, H), and walks it back to h0.
# It returns a dictionary of five arrays (T,): under the names of the routes the norm of each part,
# over batch and units together, and under `"total"` that of their sum.
# Entry 0 belongs to the last step, entry T - 1 to the first.
# The whole sum walks on from step to step, not a part of it.
#
# | property | points |
# |---|---|
# | each of the four parts is right | 4, one each |
# | the parts add up | 1 |
# | the norms of the four routes are right at every lag | 2 |
# | the total is right | 1 |
# | the arguments are left alone | 1 |
#
# Read first: [Four routes](../../book/gru_backward.md#four-routes).
# For hints: `hint("route_norms")`.


# %% answer="route_norms"
def gru_routes(dh_next, x, h, params):
    """Return the parts of the gradient of h, each (B, H), under direct, z, r and n."""
    ### BEGIN SOLUTION
    p = by_gate(params)
    r, z, n, h_n = gates(x, h, p)
    da_n = dh_next * (1 - z) * (1 - n**2)
    return {
        "direct": dh_next * z,
        "z": (dh_next * (h - n) * z * (1 - z)) @ p["W_hz"],
        "r": (da_n * h_n * r * (1 - r)) @ p["W_hr"],
        "n": (da_n * r) @ p["W_hn"],
    }
    ### END SOLUTION


def route_norms(dh_T, x, h0, params):
    """Return norms (T,) by lag under direct, z, r, n and total, given dh_T (B, H)."""
    ### BEGIN SOLUTION
    outputs, _ = gru_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    norms = {name: [] for name in ("direct", "z", "r", "n", "total")}
    dh = dh_T
    for t in reversed(range(x.shape[1])):
        parts = gru_routes(dh, x[:, t], before[:, t], params)
        dh = sum(parts.values())
        for name, part in {**parts, "total": dh}.items():
            norms[name].append(np.linalg.norm(part))
    return {name: np.array(values) for name, values in norms.items()}
    ### END SOLUTION


# %% check="route_norms"
check("route_norms")

# %% [markdown]
# Once it is written, the next cell draws a fresh GRU of 64 units and shows where its gradient goes.


# %% setup
def show_routes(bias_of_z=0.0, H=64, D=16, T=60, seed=0):
    """Print the share of each route in the gradient that is passed on, at some lags."""
    rng = np.random.default_rng(seed)
    shapes = {"W_ih": (3 * H, D), "W_hh": (3 * H, H), "b_ih": (3 * H,), "b_hh": (3 * H,)}
    params = {name: rng.uniform(-1, 1, shape) / np.sqrt(H) for name, shape in shapes.items()}
    params["b_ih"][H : 2 * H] += bias_of_z
    x = rng.normal(size=(1, T, D))
    norms = route_norms(rng.normal(size=(1, H)), x, np.zeros((1, H)), params)
    routes = ("direct", "z", "r", "n")
    for lag in (1, 10, 30, T):
        shares = (f"{k} {norms[k][lag - 1] / norms['total'][lag - 1]:.3f}" for k in routes)
        print(f"lag {lag:>2}: norm {norms['total'][lag - 1]:.1e};  shares: {', '.join(shares)}")


# %%
# Take the # away once both functions are written.
# show_routes()
# show_routes(bias_of_z=4.0)

# %% [markdown]
# ## What you have now
#
# Every gradient of a GRU, one by one and over a sequence, as an operation that trains; and a way to
# see which road a gradient takes.
# The next cell to take apart is the LSTM, in which the direct road has a state of its own.
