"""How much of a gradient is left after k steps, before any training.

For a state h_T and the one k steps earlier, the spectral norm of the Jacobian d h_T / d h_{T-k}
is the largest factor by which a small change of h_{T-k} reaches h_T. It is found with the book's
own backward equations: their cotangents are the H rows of the Jacobian, pulled back one step at a
time. For the LSTM the Jacobian with respect to the cell state c_{T-k} is measured as well.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from gatedrnn.analysis.statistics import t_interval
from gatedrnn.equations import (
    gru_step_backward,
    gru_unroll,
    lstm_step,
    lstm_step_backward,
    rnn_step_backward,
    rnn_unroll,
)
from gatedrnn.experiments.options import Options

TITLE = "Norm of d h_T / d h_{T-k} against the lag k, before training"
MAX_JOBS = 1

Array = NDArray[np.float64]
Params = dict[str, Array]

FULL: dict[str, Any] = {
    "input_size": 64,
    "hidden_size": 128,
    "steps": 100,
    "inputs": "independent standard normal",
    "initial_state": "zero",
    "initialisation": "torch.nn: uniform on (-1/sqrt(H), 1/sqrt(H)), but for what a variant sets",
    "bias": "a bias of v means that the block of b_ih is v and that of b_hh is 0",
    "norm": "spectral",
    "dtype": "float64",
    "lags_in_table": [10, 50, 100],
}
QUICK = FULL | {"hidden_size": 8, "steps": 10, "lags_in_table": [5, 10]}


@dataclass(frozen=True)
class Variant:
    """A cell and what is changed of its initial weights: `change(params, H)` does it in place."""

    cell: str
    change: Callable[[Params, int], None]


def _as_it_is(params: Params, hidden_size: int) -> None:
    pass


def gate_bias(value: float, params: Params, hidden_size: int) -> None:
    """Set the bias of a GRU's update gate, or of an LSTM's forget gate, in place."""
    # The second block is the update gate z of a GRU and the forget gate f of an LSTM.
    block = slice(hidden_size, 2 * hidden_size)
    params["b_ih"][block] = value
    params["b_hh"][block] = 0.0


def _orthogonal(params: Params, hidden_size: int) -> None:
    weight = torch.empty(hidden_size, hidden_size, dtype=torch.float64)
    params["W_hh"][:] = nn.init.orthogonal_(weight).numpy()


VARIANTS = {
    "RNN": Variant("rnn", _as_it_is),
    "RNN, orthogonal W_hh": Variant("rnn", _orthogonal),
    "GRU": Variant("gru", _as_it_is),
    "GRU, bias of z +2": Variant("gru", partial(gate_bias, 2.0)),
    "GRU, bias of z +4": Variant("gru", partial(gate_bias, 4.0)),
    "LSTM": Variant("lstm", _as_it_is),
    "LSTM, bias of f +1": Variant("lstm", partial(gate_bias, 1.0)),
    "LSTM, bias of f +4": Variant("lstm", partial(gate_bias, 4.0)),
}


def run(options: Options) -> dict[str, Any]:
    """Measure every variant with every seed; a seed decides the weights and the inputs."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    torch.set_num_threads(options.threads)
    variants: dict[str, Any] = {}
    for name, variant in tqdm(VARIANTS.items(), disable=not options.progress, leave=False):
        measured = [lag_norms(variant, seed, settings) for seed in seeds]
        variants[name] = {"cell": variant.cell}
        for state in measured[0]:
            norms = [norms_of_seed[state] for norms_of_seed in measured]
            variants[name][state] = {
                "norms": [[six_digits(value) for value in row] for row in norms],
                "at_lag": {str(lag): at_lag(norms, lag) for lag in settings["lags_in_table"]},
            }
    results = {"lags": list(range(settings["steps"] + 1)), "variants": variants}
    return {"configuration": settings, "seeds": seeds, "results": results}


def table(results: dict[str, Any]) -> str:
    """Return a line for each variant and state, with geometric means over the seeds."""
    first = results["variants"]["RNN"]["h"]["at_lag"]
    lines = [f"{'':28}" + "".join(f"{'lag ' + lag:>34}" for lag in first)]
    for name, row in results["variants"].items():
        for state in ("h", "c"):
            if state in row:
                cells = "".join(f"{in_words(at):>34}" for at in row[state]["at_lag"].values())
                lines.append(f"{name + ' (' + state + ')':28}{cells}")
    lines.append("Geometric mean over the seeds, 95 % t interval of the logarithm.")
    return "\n".join(lines)


def lag_norms(variant: Variant, seed: int, settings: dict[str, Any]) -> dict[str, list[float]]:
    """Return the norms for lags 0 to T by state: "h", and "c" for the LSTM."""
    torch.manual_seed(seed)
    inputs, hidden, steps = (settings[key] for key in ("input_size", "hidden_size", "steps"))
    params = _torch_params(variant.cell, inputs, hidden)
    variant.change(params, hidden)
    x = torch.randn(1, steps, inputs, dtype=torch.float64).numpy()
    norms: dict[str, list[float]] = {}
    for pulled_back in jacobians(variant.cell, x, params, hidden):
        for state, jacobian in pulled_back.items():
            norms.setdefault(state, []).append(float(np.linalg.norm(jacobian, 2)))
    return norms


def _torch_params(cell: str, input_size: int, hidden_size: int) -> Params:
    layer = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell]
    weights = layer(input_size, hidden_size, dtype=torch.float64).state_dict()
    return {
        name.replace("weight", "W").replace("bias", "b"): value.numpy().copy()
        for name, value in weights.items()
    }


def jacobians(cell: str, x: Array, params: Params, hidden: int) -> Iterator[dict[str, Array]]:
    """Yield d h_T / d h_{T-k}, and for the LSTM d h_T / d c_{T-k}, for k = 0, 1, ..., T."""
    states = _states(cell, x, params, hidden)
    rows = {name: np.zeros((hidden, hidden)) for name in states}
    rows["h"] = np.eye(hidden)
    yield rows
    for t in reversed(range(x.shape[1])):
        # One cotangent a row: the batch of the backward step is the rows of the Jacobian.
        x_t = np.repeat(x[:, t], hidden, axis=0)
        before = {name: np.repeat(state[t], hidden, axis=0) for name, state in states.items()}
        if cell == "lstm":
            back = lstm_step_backward(rows["h"], rows["c"], x_t, (before["h"], before["c"]), params)
        elif cell == "gru":
            back = gru_step_backward(rows["h"], x_t, before["h"], params)
        else:
            back = rnn_step_backward(rows["h"], x_t, before["h"], params)
        rows = {name: back[name] for name in states}
        yield rows


def _states(cell: str, x: Array, params: Params, hidden: int) -> dict[str, list[Array]]:
    """Return the state before each step, each (1, H)."""
    zero = np.zeros((1, hidden))
    if cell != "lstm":
        outputs, _ = (gru_unroll if cell == "gru" else rnn_unroll)(x, zero, params)
        return {"h": [zero, *(outputs[:, t] for t in range(x.shape[1] - 1))]}
    states = [(zero, zero)]
    for t in range(x.shape[1] - 1):
        states.append(lstm_step(x[:, t], states[-1], params))
    return {"h": [h for h, _ in states], "c": [c for _, c in states]}


def at_lag(norms: list[list[float]], lag: int) -> dict[str, float] | None:
    """Return the geometric mean over seeds at one lag and its interval, None when one is zero."""
    values = [row[lag] for row in norms]
    if min(values) == 0:
        return None
    interval = t_interval([math.log10(value) for value in values])
    powers = (10**value for value in (interval.mean, interval.low, interval.high))
    return dict(zip(("geometric_mean", "low", "high"), map(six_digits, powers), strict=True))


def six_digits(value: float) -> float:
    """Round to what a record keeps."""
    return float(f"{value:.6g}")


def in_words(at: dict[str, float] | None) -> str:
    """Write a mean and its interval as in a table."""
    if at is None:
        return "0"
    return f"{at['geometric_mean']:.2g} [{at['low']:.2g}, {at['high']:.2g}]"
