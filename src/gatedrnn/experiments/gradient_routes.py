"""Which way a gradient takes through a GRU before training, by route and by lag.

The gradients that walk back are the H unit vectors at the last state, so that together they are
the Jacobian d h_T / d h_{T-k}. Its size is its Frobenius norm over sqrt(H): the root mean square
factor by which a gradient of random direction is multiplied on its way.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from gatedrnn.analysis.routes import ROUTES, gru_norms_along, gru_route_norms
from gatedrnn.analysis.statistics import t_interval
from gatedrnn.experiments.options import Options

TITLE = "Size of the gradient of a GRU by route and by lag, before training"
MAX_JOBS = 1

Array = NDArray[np.float64]

FULL: dict[str, Any] = {
    "input_size": 64,
    "hidden_size": 128,
    "steps": 100,
    "inputs": "independent standard normal",
    "initial_state": "zero",
    "initialisation": "torch.nn: uniform on (-1/sqrt(H), 1/sqrt(H)), but for the bias of z",
    "bias": "a bias of v means that the block of b_ih is v and that of b_hh is 0",
    "size": "Frobenius norm of the Jacobian over sqrt(H)",
    "dtype": "float64",
    "lags_in_table": [1, 10, 50, 100],
}
QUICK = FULL | {"input_size": 3, "hidden_size": 8, "steps": 10, "lags_in_table": [1, 10]}

# The bias of z by the name of the variant; None leaves what torch.nn draws.
BIASES = {"GRU": None, "GRU, bias of z +2": 2.0, "GRU, bias of z +4": 4.0}
# What a gradient may be confined to, at every step of its way.
CONFINED = {"direct alone": ("direct",), "direct and n": ("direct", "n")}


def run(options: Options) -> dict[str, Any]:
    """Measure every bias with every seed; a seed decides the weights and the inputs."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    torch.set_num_threads(options.threads)
    variants = {}
    for name in tqdm(BIASES, disable=not options.progress, leave=False):
        measured = [route_sizes(name, seed, settings) for seed in seeds]
        sizes = {key: [one[key] for one in measured] for key in measured[0]}
        variants[name] = {
            "sizes": {key: _rounded(rows) for key, rows in sizes.items()},
            "at_lag": {str(lag): _at_lag(sizes, lag) for lag in settings["lags_in_table"]},
        }
    results = {"lags": list(range(1, settings["steps"] + 1)), "variants": variants}
    return {"configuration": settings, "seeds": seeds, "results": results}


def table(results: dict[str, Any]) -> str:
    """Return a line for each bias and lag, with geometric means over the seeds."""
    lines = []
    for name, variant in results["variants"].items():
        for lag, at in variant["at_lag"].items():
            lines.append(f"{name}, lag {lag}: gradient {_in_words(at['gradient'])}")
            shares = (f"{key} {_in_words(at['step'][key])}" for key in ROUTES)
            lines.append(f"  passed on in this step, as a share: {', '.join(shares)}")
            shares = (f"{key} {_in_words(at['confined'][key])}" for key in CONFINED)
            lines.append(f"  left when confined, as a share: {', '.join(shares)}")
    lines.append("Geometric mean over the seeds, 95 % t interval of the logarithm.")
    return "\n".join(lines)


def route_sizes(name: str, seed: int, settings: dict[str, Any]) -> dict[str, Array]:
    """Return sizes for lags 1 to T: of the gradient, of its four parts, and of it confined."""
    torch.manual_seed(seed)
    inputs, hidden, steps = (settings[key] for key in ("input_size", "hidden_size", "steps"))
    params = _initial_params(inputs, hidden, BIASES[name])
    x = torch.randn(1, steps, inputs, dtype=torch.float64).numpy()
    # One unit vector a row: the batch of the walk is the rows of the Jacobian.
    walk = (np.eye(hidden), np.repeat(x, hidden, axis=0), np.zeros((hidden, hidden)), params)
    sizes = gru_route_norms(*walk)
    for key, routes in CONFINED.items():
        sizes[key] = gru_norms_along(*walk, routes)[1:]
    return {key: values / math.sqrt(hidden) for key, values in sizes.items()}


def _initial_params(inputs: int, hidden: int, bias: float | None) -> dict[str, Array]:
    weights = torch.nn.GRUCell(inputs, hidden, dtype=torch.float64).state_dict()
    params = {
        name.replace("weight", "W").replace("bias", "b"): value.numpy().copy()
        for name, value in weights.items()
    }
    if bias is not None:
        update = slice(hidden, 2 * hidden)
        params["b_ih"][update] = bias
        params["b_hh"][update] = 0.0
    return params


def _at_lag(sizes: dict[str, list[Array]], lag: int) -> dict[str, Any]:
    """The gradient, and what is a share of it, at one lag."""
    at = {key: np.array([row[lag - 1] for row in rows]) for key, rows in sizes.items()}
    return {
        "gradient": _mean(at["total"]),
        "step": {key: _mean(at[key] / at["total"]) for key in ROUTES},
        "confined": {key: _mean(at[key] / at["total"]) for key in CONFINED},
    }


def _mean(values: Array) -> dict[str, float]:
    interval = t_interval([math.log10(value) for value in values])
    powers = (10**value for value in (interval.mean, interval.low, interval.high))
    return {k: float(f"{v:.6g}") for k, v in zip(("mean", "low", "high"), powers, strict=True)}


def _rounded(rows: list[Array]) -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in row] for row in rows]


def _in_words(at: dict[str, float]) -> str:
    return f"{at['mean']:.2g} [{at['low']:.2g}, {at['high']:.2g}]"
