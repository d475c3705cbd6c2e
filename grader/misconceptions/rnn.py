"""Wrong answers to the exercises on the plain recurrent network, with words for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatedrnn.equations import rnn_backward, rnn_step, rnn_unroll
from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]
Gradients = dict[str, Array]
PARAMETERS = ("W_ih", "W_hh", "b_ih", "b_hh")


# ---------------------------------------------------------------- rnn_step


def _preactivation(x: Array, h: Array, params: Params) -> Array:
    return x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]


@misconception(
    "rnn_step",
    "no tanh",
    says="Your new state is the sum itself. Without the tanh the whole network is linear: many "
    "steps then do no more than one matrix product, and the state can grow without bound.",
    see="rnn.html#without-the-tanh",
)
def linear_recurrence(x: Array, h: Array, params: Params) -> Array:
    return _preactivation(x, h, params)


@misconception(
    "rnn_step",
    "W_hh transposed",
    says="Your code computes `h @ W_hh`, and a batch of rows needs `h @ W_hh.T`. W_hh is square, "
    "so both products have the same shape and nothing complains. Every unit then listens with the "
    "weights that it should speak with.",
)
def recurrent_transposed(x: Array, h: Array, params: Params) -> Array:
    from_state = h @ params["W_hh"] + params["b_hh"]
    return np.tanh(x @ params["W_ih"].T + params["b_ih"] + from_state)


@misconception(
    "rnn_step",
    "W_ih reshaped, not transposed",
    says="`W_ih.reshape(D, H)` has the shape of the transpose and other contents: it deals the "
    "numbers out afresh, row by row. Use `W_ih.T`, which turns rows to columns. The shapes agree "
    "either way, which is why only the values can show it.",
)
def reshaped(x: Array, h: Array, params: Params) -> Array:
    W_ih = params["W_ih"]
    from_input = x @ W_ih.reshape(W_ih.shape[1], W_ih.shape[0]) + params["b_ih"]
    return np.tanh(from_input + h @ params["W_hh"].T + params["b_hh"])


@misconception(
    "rnn_step",
    "b_hh forgotten",
    says="Your sum has one bias vector, and the parameters hold two, `b_ih` and `b_hh`. One would "
    "be enough for an RNN, as the chapter says, but weights that were trained with two need both "
    "to give the same state.",
    see="rnn.html#two-biases-where-one-would-do",
)
def one_bias(x: Array, h: Array, params: Params) -> Array:
    return np.tanh(x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T)


@misconception(
    "rnn_step",
    "tanh on the state's part only",
    says="Your tanh closes before the input is added, so the input enters the state as it is, "
    "however large. The tanh belongs around the whole sum: that keeps every state between -1 and "
    "1.",
)
def tanh_of_state_only(x: Array, h: Array, params: Params) -> Array:
    from_state = h @ params["W_hh"].T + params["b_hh"]
    return x @ params["W_ih"].T + params["b_ih"] + np.tanh(from_state)


@misconception(
    "rnn_step",
    "two tanhs instead of one",
    says="Your code adds two tanhs, one of the input's part and one of the state's. The sum comes "
    "first and one tanh after it, so that input and state can work against each other inside it; "
    "a sum of two tanhs also reaches from -2 to 2.",
)
def two_tanhs(x: Array, h: Array, params: Params) -> Array:
    from_input = x @ params["W_ih"].T + params["b_ih"]
    return np.tanh(from_input) + np.tanh(h @ params["W_hh"].T + params["b_hh"])


@misconception(
    "rnn_step",
    "sigmoid instead of tanh",
    says="Your squashing function is the logistic one, whose values lie between 0 and 1. The "
    "state of this network is a tanh, between -1 and 1 and centred on 0. The logistic function is "
    "for gates, which come with the GRU.",
)
def logistic(x: Array, h: Array, params: Params) -> Array:
    return 1 / (1 + np.exp(-_preactivation(x, h, params)))


@misconception(
    "rnn_step",
    "writes into h",
    says="The values are right, but your function writes the new state into the array `h` that it "
    "was given. Whoever called it still needs the old state: the backward pass reads it at every "
    "step. Build a new array instead.",
)
def overwrites_state(x: Array, h: Array, params: Params) -> Array:
    h[...] = np.tanh(_preactivation(x, h, params))
    return h


# ---------------------------------------------------------------- rnn_forward


@misconception(
    "rnn_forward",
    "state not carried",
    says="Every step of your loop starts from `h0`. Give the new state back to the name that the "
    "next step reads, `h = rnn_step(x[:, t], h, params)`. Without that the network sees one input "
    "at a time and remembers nothing.",
)
def not_carried(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    states = [rnn_step(x[:, t], h0, params) for t in range(x.shape[1])]
    return np.stack(states, axis=1), states[-1]


@misconception(
    "rnn_forward",
    "h0 ignored",
    says="Your loop starts from zeros, whatever `h0` is. Zero is a common choice, but it is the "
    "caller's: a long text read in pieces hands the last state of one piece to the next as its "
    "`h0`.",
)
def starts_at_zero(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    return rnn_unroll(x, np.zeros_like(h0), params)


@misconception(
    "rnn_forward",
    "only the last state",
    says="Your first result is the last state alone. All T states were asked for, as (B, T, H): a "
    "loss may read any of them, and the backward pass needs every one.",
)
def last_state_only(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    _, last = rnn_unroll(x, h0, params)
    return last, last


@misconception(
    "rnn_forward",
    "time reversed",
    says="Your loop reads the sequence from its end to its beginning. The forward pass walks from "
    "step 0 to step T - 1; it is the gradient that walks the other way.",
)
def backwards_in_time(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    return rnn_unroll(x[:, ::-1], h0, params)


@misconception(
    "rnn_forward",
    "loops over the batch",
    says="Your loop takes `x[t]`, which is sequence number t and not time step t. In this course "
    "x is (B, T, D), batch first, so step t of the whole batch is `x[:, t]`. The mistake stays "
    "silent whenever there happen to be as many sequences as steps.",
)
def loops_over_the_batch(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[t], h, params)
        states.append(h)
    return np.stack(states, axis=1), h


@misconception(
    "rnn_forward",
    "outputs have time first",
    says="The states are right, but your outputs have the shape (T, B, H). Stack them along axis "
    "1, `np.stack(states, axis=1)`, so that they come out as the input went in: batch, time, "
    "features.",
)
def time_first(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    outputs, last = rnn_unroll(x, h0, params)
    return outputs.swapaxes(0, 1), last


@misconception(
    "rnn_forward",
    "states kept one step late",
    says="Your outputs begin with `h0` and end one step early: the state is appended before the "
    "step instead of after it. Output t is the state after input t has been read.",
)
def appended_before_the_step(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    outputs, last = rnn_unroll(x, h0, params)
    return np.concatenate([h0[:, None], outputs[:, :-1]], axis=1), last


@misconception(
    "rnn_forward",
    "one array for all states",
    says="All your outputs are the last state. Each step writes into the same array, as with "
    "`h[:] = ...`, and the list holds that one array T times. Make a new array at each step, `h = "
    "...`.",
)
def one_buffer(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    h = h0.copy()
    states = []
    for t in range(x.shape[1]):
        h[:] = rnn_step(x[:, t], h, params)
        states.append(h)
    return np.stack(states, axis=1), h


@misconception(
    "rnn_forward",
    "tanh on the outputs but not in the loop",
    says="Your outputs are squashed, but the state that goes on to the next step is the sum "
    "before the tanh. What is carried is the state itself, `h_t = tanh(a_t)`; otherwise the "
    "recurrence is linear and can grow without bound.",
    see="rnn.html#without-the-tanh",
)
def carries_the_preactivation(x: Array, h0: Array, params: Params) -> tuple[Array, Array]:
    sums, a = [], h0
    for t in range(x.shape[1]):
        a = _preactivation(x[:, t], a, params)
        sums.append(a)
    outputs = np.tanh(np.stack(sums, axis=1))
    return outputs, outputs[:, -1]


# ---------------------------------------------------------------- rnn_backward


def _walk_back(
    doutputs: Array,
    x: Array,
    h0: Array,
    params: Params,
    slope: Callable[[Array, Array], Array] = lambda h, a: 1 - h**2,
    carry: Callable[[Array, Array, Array], Array] = lambda dh, da, W_hh: da @ W_hh,
) -> tuple[Array, Array, Array, Array]:
    """The loop of the right answer, with two places in which to go wrong.

    Returns da (B, T, H), the gradient of h0, and the states before and after each step.
    """
    after, _ = rnn_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], after[:, :-1]], axis=1)
    da = np.zeros_like(doutputs)
    dh = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        da[:, t] = dh * slope(after[:, t], _preactivation(x[:, t], before[:, t], params))
        dh = carry(dh, da[:, t], params["W_hh"])
    return da, dh, before, after


def _gradients(da: Array, x: Array, before: Array, dh0: Array, params: Params) -> Gradients:
    bias = da.sum(axis=(0, 1))
    return {
        "x": da @ params["W_ih"],
        "h0": dh0,
        "W_ih": np.einsum("bth,btd->hd", da, x),
        "W_hh": np.einsum("bth,btk->hk", da, before),
        "b_ih": bias,
        "b_hh": bias.copy(),
    }


@misconception(
    "rnn_backward",
    "= instead of += over time",
    says="Your parameter gradients hold what the last pass of the loop put there, which is the "
    "share of step 0. The same weights act at every step, so their gradient is the sum over all "
    "steps: write `+=`.",
    see="rnn.html#shared-weights-make-sums",
)
def assigns(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, before, _ = _walk_back(doutputs, x, h0, params)
    first = _gradients(da[:, :1], x[:, :1], before[:, :1], dh0, params)
    return {**first, "x": da @ params["W_ih"]}


@misconception(
    "rnn_backward",
    "dh not carried",
    says="At each step your code starts from `doutputs[:, t]` alone. A state also acts on all "
    "later steps, so their gradient has to be added: `dh = dh + doutputs[:, t]`, with `dh = da @ "
    "W_hh` from the step after.",
    see="rnn.html#one-step-back",
)
def not_carried_back(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    outputs, _ = rnn_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    da = doutputs * (1 - outputs**2)
    return _gradients(da, x, before, da[:, 0] @ params["W_hh"], params)


@misconception(
    "rnn_backward",
    "averaged over the batch",
    says="Your parameter gradients are divided by the number of sequences. Whether the loss is a "
    "mean or a sum is already in `doutputs`; dividing here averages a second time, and the step "
    "that training takes shrinks with the batch.",
    see="rnn.html#shared-weights-make-sums",
)
def mean_over_batch(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = rnn_backward(doutputs, x, h0, params)
    return {**right, **{name: right[name] / len(x) for name in PARAMETERS}}


@misconception(
    "rnn_backward",
    "1 - a**2 with the sum a",
    says="Your slope is `1 - a**2`, where a is the sum inside the tanh. The rule is 1 - "
    "tanh(a)**2, and tanh(a) is the state after the step, so it is `1 - h_t**2`. With a it can "
    "even be negative.",
    see="rnn.html#one-step-back",
)
def slope_of_the_sum(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, before, _ = _walk_back(doutputs, x, h0, params, slope=lambda h, a: 1 - a**2)
    return _gradients(da, x, before, dh0, params)


@misconception(
    "rnn_backward",
    "tanh taken twice",
    says="Your slope is `1 - np.tanh(h_t)**2`, but h_t is a tanh already. Either `1 - h_t**2` or "
    "`1 - np.tanh(a)**2` is right, with a the sum inside; yours is the slope at another point.",
    see="rnn.html#one-step-back",
)
def slope_of_the_state(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, before, _ = _walk_back(doutputs, x, h0, params, slope=lambda h, a: 1 - np.tanh(h) ** 2)
    return _gradients(da, x, before, dh0, params)


@misconception(
    "rnn_backward",
    "W_hh paired with the new state",
    says="Your gradient of W_hh pairs the error of step t with the state after step t. W_hh "
    "multiplied the state before it, h_{t-1}, and for the first step that is `h0`.",
    see="rnn.html#shared-weights-make-sums",
)
def paired_with_new_state(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, _, after = _walk_back(doutputs, x, h0, params)
    return _gradients(da, x, after, dh0, params)


@misconception(
    "rnn_backward",
    "W_hh transposed on the way back",
    says="Your gradient goes back through `da @ W_hh.T`. The forward product was `h @ W_hh.T`, so "
    "the way back is `da @ W_hh`. W_hh is square, and both have the same shape: only values can "
    "tell.",
    see="rnn.html#one-step-back",
)
def carried_through_transpose(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, before, _ = _walk_back(doutputs, x, h0, params, carry=lambda dh, da, W_hh: da @ W_hh.T)
    return _gradients(da, x, before, dh0, params)


@misconception(
    "rnn_backward",
    "carried around the tanh",
    says="Your code passes `dh @ W_hh` to the step before, and that leaves the tanh out. The way "
    "back to the old state leads through the tanh first: pass on `da @ W_hh`.",
    see="rnn.html#one-step-back",
)
def carried_around_tanh(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    da, dh0, before, _ = _walk_back(doutputs, x, h0, params, carry=lambda dh, da, W_hh: dh @ W_hh)
    return _gradients(da, x, before, dh0, params)


@misconception(
    "rnn_backward",
    "loss at the last step only",
    says="Your code takes the gradient from `doutputs[:, -1]` and leaves the earlier ones out. "
    "The loss may read every output, so each step adds its own share, `doutputs[:, t]`, to what "
    "comes from later.",
    see="rnn.html#one-step-back",
)
def last_loss_only(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    last = np.zeros_like(doutputs)
    last[:, -1] = doutputs[:, -1]
    return rnn_backward(last, x, h0, params)


@misconception(
    "rnn_backward",
    "one bias gradient only",
    says="Your gradient of b_hh is zero. Both biases are added to the same sum, so both have the "
    "same gradient, that of b_ih. In an RNN they are one bias written twice.",
    see="rnn.html#two-biases-where-one-would-do",
)
def one_bias_gradient(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = rnn_backward(doutputs, x, h0, params)
    return {**right, "b_hh": np.zeros_like(right["b_hh"])}


@misconception(
    "rnn_backward",
    "gradient of h0 one step short",
    says="What you return for h0 is the gradient with respect to the first new state, h_1. One "
    "more step leads back to h0: through the tanh of step 1 and through W_hh.",
    see="rnn.html#one-step-back",
)
def stops_at_h1(doutputs: Array, x: Array, h0: Array, params: Params) -> Gradients:
    right = rnn_backward(doutputs, x, h0, params)
    rest = np.zeros_like(h0)
    if x.shape[1] > 1:
        h1 = rnn_step(x[:, 0], h0, params)
        rest = rnn_backward(doutputs[:, 1:], x[:, 1:], h1, params)["h0"]
    return {**right, "h0": rest + doutputs[:, 0]}


# ---------------------------------------------------------------- truncated_bptt_grads


def _pieces(doutputs: Array, x: Array, h0: Array, params: Params, starts: list[int]) -> Gradients:
    """Gradients of the pieces that begin at `starts`, with the state carried between them."""
    before = _states_before(x, h0, params)
    parts = []
    for start, stop in zip(starts, [*starts[1:], x.shape[1]], strict=True):
        piece = slice(start, stop)
        parts.append(rnn_backward(doutputs[:, piece], x[:, piece], before[:, start], params))
    return _add_up(parts)


def _states_before(x: Array, h0: Array, params: Params) -> Array:
    return np.concatenate([h0[:, None], rnn_unroll(x, h0, params)[0][:, :-1]], axis=1)


def _add_up(parts: list[Gradients]) -> Gradients:
    return {
        "x": np.concatenate([part["x"] for part in parts], axis=1),
        "h0": parts[0]["h0"],
        **{name: np.sum([part[name] for part in parts], axis=0) for name in PARAMETERS},
    }


def _starts(x: Array, k: int) -> list[int]:
    return list(range(0, x.shape[1], k))


@misconception(
    "truncated_bptt_grads",
    "state reset to zero",
    says="Each of your chunks starts from a state of zeros. Only the gradient is cut at a "
    "boundary; the state goes across. With a reset the network itself forgets, and no training "
    "can mend that.",
    see="rnn.html#truncated-backpropagation",
)
def reset_to_zero(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    parts = []
    for start in _starts(x, k):
        chunk = slice(start, start + k)
        state = h0 if start == 0 else np.zeros_like(h0)
        parts.append(rnn_backward(doutputs[:, chunk], x[:, chunk], state, params))
    return _add_up(parts)


@misconception(
    "truncated_bptt_grads",
    "every chunk starts from h0",
    says="Each of your chunks starts from `h0`. The second chunk starts where the first one "
    "ended: from its last state, `rnn_forward(...)[1]`. Only the gradient is cut there.",
    see="rnn.html#truncated-backpropagation",
)
def reset_to_h0(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    chunks = [slice(start, start + k) for start in _starts(x, k)]
    return _add_up([rnn_backward(doutputs[:, c], x[:, c], h0, params) for c in chunks])


@misconception(
    "truncated_bptt_grads",
    "nothing cut",
    says="Yours is the full gradient, whatever k is: nothing stops it at the boundaries. Treat "
    "the state that a chunk starts from as a constant. In PyTorch this is the forgotten "
    "`detach()`, and memory then grows with the length of the text.",
)
def not_truncated(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    return rnn_backward(doutputs, x, h0, params)


@misconception(
    "truncated_bptt_grads",
    "first chunk one step long",
    says="Your first cut comes after one step, and all later cuts are early too: the test `t % k "
    "== 0` is already true at t = 0. Cut before the steps k, 2k, and so on, so that the first "
    "chunk holds the steps 0 to k - 1.",
)
def cut_too_early(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    starts = [0, *range(1, x.shape[1], k)]
    return _pieces(doutputs, x, h0, params, starts)


@misconception(
    "truncated_bptt_grads",
    "leaks one step across the cut",
    says="Your gradient goes one step past each boundary before it stops: the last step of the "
    "chunk before gets some. The state that a chunk starts from is the constant, so the cut "
    "belongs before the first step of the chunk, not before the last step of the one before.",
)
def leaks_one_step(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    right = _pieces(doutputs, x, h0, params, _starts(x, k))
    before = _states_before(x, h0, params)
    for start in _starts(x, k)[1:]:
        chunk, last = slice(start, start + k), slice(start - 1, start)
        crossing = rnn_backward(doutputs[:, chunk], x[:, chunk], before[:, start], params)["h0"]
        extra = rnn_backward(crossing[:, None], x[:, last], before[:, start - 1], params)
        right["x"][:, last] += extra["x"]
        if start == 1:
            right["h0"] = right["h0"] + extra["h0"]
        for name in PARAMETERS:
            right[name] = right[name] + extra[name]
    return right


@misconception(
    "truncated_bptt_grads",
    "last short chunk dropped",
    says="When k does not divide T, your loop ends before the last few steps, and their loss "
    "counts for nothing. `range(0, T, k)` starts a chunk for them too, and a slice that runs past "
    "the end is simply shorter.",
)
def drops_the_rest(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    whole = x.shape[1] // k * k
    if whole == 0:
        zeros = {name: np.zeros_like(params[name]) for name in PARAMETERS}
        return {"x": np.zeros_like(x), "h0": np.zeros_like(h0), **zeros}
    starts = list(range(0, whole, k))
    kept = _pieces(doutputs[:, :whole], x[:, :whole], h0, params, starts)
    rest = np.zeros_like(x[:, whole:])
    return {**kept, "x": np.concatenate([kept["x"], rest], axis=1)}


@misconception(
    "truncated_bptt_grads",
    "averaged over the chunks",
    says="Your parameter gradients are divided by the number of chunks. How the loss weighs its "
    "steps is already in `doutputs`, so the chunks are added. Otherwise k would change the size "
    "of the gradient even where it cuts nothing of importance.",
)
def mean_of_chunks(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    right = _pieces(doutputs, x, h0, params, _starts(x, k))
    return {**right, **{name: right[name] / len(_starts(x, k)) for name in PARAMETERS}}


@misconception(
    "truncated_bptt_grads",
    "only the last chunk counts",
    says="Your parameter gradients are those of the last chunk: each chunk overwrites the one "
    "before. Every chunk uses the same weights, so their gradients are added up, with `+=`.",
    see="rnn.html#shared-weights-make-sums",
)
def last_chunk_only(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    starts = _starts(x, k)
    right = _pieces(doutputs, x, h0, params, starts)
    before = _states_before(x, h0, params)
    last = slice(starts[-1], None)
    final = rnn_backward(doutputs[:, last], x[:, last], before[:, starts[-1]], params)
    return {**right, **{name: final[name] for name in PARAMETERS}}


@misconception(
    "truncated_bptt_grads",
    "k chunks instead of chunks of k steps",
    says="Your code cuts the sequence into k pieces. Here k is the length of a chunk, in steps: "
    "it says how far back a gradient can reach, and T decides how many chunks that makes.",
)
def k_chunks(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    pieces = [p for p in np.array_split(np.arange(x.shape[1]), k) if len(p)]
    return _pieces(doutputs, x, h0, params, [int(p[0]) for p in pieces])


@misconception(
    "truncated_bptt_grads",
    "sliding window",
    says="In your code every loss reaches back k steps from where it stands, across the "
    "boundaries. That is another, costlier truncation, and a good one. Asked here is the one by "
    "chunks, in which the first step of a chunk reaches back no further than itself.",
)
def sliding_window(doutputs: Array, x: Array, h0: Array, params: Params, k: int) -> Gradients:
    before = _states_before(x, h0, params)
    total: Gradients = {name: np.zeros_like(params[name]) for name in PARAMETERS}
    total |= {"x": np.zeros_like(x), "h0": np.zeros_like(h0)}
    for t in range(x.shape[1]):
        window = slice(max(0, t - k + 1), t + 1)
        only = np.zeros_like(doutputs[:, window])
        only[:, -1] = doutputs[:, t]
        part = rnn_backward(only, x[:, window], before[:, window.start], params)
        total["x"][:, window] += part["x"]
        if window.start == 0:
            total["h0"] += part["h0"]
        for name in PARAMETERS:
            total[name] += part[name]
    return total


# ---------------------------------------------------------------- clip_by_global_norm

Grads = dict[str, Array | None]


def _norm(grads: Grads) -> float:
    total = float(np.sqrt(sum(float((g**2).sum()) for g in grads.values() if g is not None)))
    return _finite(total)


def _finite(norm: float) -> float:
    if not np.isfinite(norm):
        raise ValueError("the norm of the gradients is not finite")
    return norm


def _scale(grads: Grads, factor: float) -> Grads:
    return {name: None if g is None else g * factor for name, g in grads.items()}


def _clip(grads: Grads, max_norm: float, norm: float) -> Grads:
    return _scale(grads, max_norm / norm) if norm > max_norm else _scale(grads, 1.0)


@misconception(
    "clip_by_global_norm",
    "each tensor by itself",
    says="Your code clips every tensor by its own norm. That turns the gradient: a large tensor "
    "is cut down and a small one is not, so the step goes another way. Take one norm over all "
    "tensors and scale them all by the same factor.",
)
def per_tensor(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    norm = _norm(grads)
    clipped: Grads = {}
    for name, g in grads.items():
        clipped[name] = None if g is None else _clip({name: g}, max_norm, _norm({name: g}))[name]
    return clipped, norm


@misconception(
    "clip_by_global_norm",
    "by value",
    says="Your code cuts every entry to the range from -max_norm to max_norm. That is clipping by "
    "value: it flattens the large entries and leaves the small, which turns the gradient, and its "
    "length can still be far above max_norm.",
)
def by_value(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    clipped = {n: None if g is None else g.clip(-max_norm, max_norm) for n, g in grads.items()}
    return clipped, _norm(grads)


@misconception(
    "clip_by_global_norm",
    "the scaled copies are lost",
    says="What you return are the gradients as they came. A line like `g = g * factor` in a loop "
    "gives the name g to a new array, and the dictionary still holds the old one. Put the scaled "
    "array into the result.",
)
def returns_originals(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    return _scale(grads, 1.0), _norm(grads)


@misconception(
    "clip_by_global_norm",
    "returns the norm after clipping",
    says="Your norm is measured after the scaling, so it can never be above max_norm. The norm "
    "before is the one to log: it is how an explosion shows in the records of a training run.",
)
def norm_after(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    clipped = _clip(grads, max_norm, _norm(grads))
    return clipped, _norm(clipped)


@misconception(
    "clip_by_global_norm",
    "small gradients scaled up",
    says="Your code always scales to max_norm, and so it lengthens gradients that were shorter. "
    "Clipping only shortens: near a minimum the gradient should be small, and a gradient of zero "
    "would become 0/0.",
)
def normalises(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    norm = _norm(grads)
    return _scale(grads, max_norm / norm if norm > 0 else np.nan), norm


@misconception(
    "clip_by_global_norm",
    "sum of the norms",
    says="Your norm is the sum of the tensors' norms. The joint norm adds squares: the root of "
    "the sum of all squared entries. A sum of norms is larger, so your code clips too early and "
    "too much.",
)
def sum_of_norms(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    norm = float(sum(_norm({name: g}) for name, g in grads.items()))
    return _clip(grads, max_norm, norm), norm


@misconception(
    "clip_by_global_norm",
    "square root forgotten",
    says="Your norm is the sum of the squares, without the square root. It grows with the square "
    "of the gradient, so long gradients come out much shorter than max_norm.",
)
def no_root(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    squared = _norm(grads) ** 2
    return _clip(grads, max_norm, squared), squared


@misconception(
    "clip_by_global_norm",
    "an infinite norm let through",
    says="Your code also scales when the norm is infinite or not a number. The factor is then 0 "
    "or nan, and inf * 0 is nan: one bad entry spoils every weight at the next step. Stop with a "
    "ValueError while the weights are still good.",
)
def scales_by_infinity(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    norm = float(np.sqrt(sum(float((g**2).sum()) for g in grads.values() if g is not None)))
    with np.errstate(invalid="ignore"):
        return _clip(grads, max_norm, norm), norm


@misconception(
    "clip_by_global_norm",
    "scales in place",
    says="The values are right, but `g *= factor` writes into the arrays that your function was "
    "given. The caller may still want the gradients as they were. Return new arrays, `g * "
    "factor`.",
)
def in_place(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    norm = _norm(grads)
    for g in grads.values():
        if g is not None and norm > max_norm:
            g *= max_norm / norm
    return grads, norm


@misconception(
    "clip_by_global_norm",
    "drops the None entries",
    says="Your result leaves out the tensors whose gradient is None. Keep the key, with None: "
    "whoever reads the result looks for every parameter by its name.",
)
def drops_none(grads: Grads, max_norm: float) -> tuple[Grads, float]:
    present: Grads = {name: g for name, g in grads.items() if g is not None}
    return _clip(present, max_norm, _norm(present)), _norm(present)
