"""Do cells that were trained on a^n b^n for small n go on counting for larger n?

A network reads a^n b^n and says at each b whether it is the last one. It is trained on n from 1 to
30 and tested on n up to 256; a string is right when the answer is right at every one of its b. What
comes after the first b is decided by the number of a's alone, so there is nothing to guess.

The learning rate of each cell is chosen by the loss on the training strings, with a seed that is
not used again; nothing is chosen by what happens beyond them. A seed decides the initial weights
and the order of the strings. The layers are PyTorch's, all with the same number of units.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gatedrnn.analysis.automata import anbn, code
from gatedrnn.analysis.statistics import binomial_interval, bootstrap_interval
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import Place, Run, run_all
from gatedrnn.training import clip_by_global_norm, seed_everything

TITLE = "RNN, GRU and LSTM trained on a^n b^n with n up to 30, tested on longer strings"
MAX_JOBS = 16

LAYERS: dict[str, Callable[..., nn.Module]] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}

FULL: dict[str, Any] = {
    "task": "at each b of a^n b^n: is it the last one?",
    "train_n": 30,
    "test_n": 256,
    "hidden_size": 10,
    "steps": 2500,
    "batch_size": 10,
    "optimiser": "Adam",
    "schedule": "learning rate falls linearly to 0 over the run",
    "clip_norm": 1.0,
    "loss": "binary cross-entropy, summed over the b of a string, mean over the batch",
    "learning_rates": [0.003, 0.01, 0.03],
    "tuning_seed": 1000,
    "portrait_n": 60,
}
QUICK = FULL | {"train_n": 4, "test_n": 8, "steps": 20, "batch_size": 3, "portrait_n": 5}


def run(options: Options) -> dict[str, Any]:
    """Tune each cell, train it with every seed, and test it beyond the trained lengths."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    rates, seeds = settings["learning_rates"], list(range(options.seeds))
    tuning = run_all(
        train_one,
        [_run(settings, cell, rate, settings["tuning_seed"]) for cell in LAYERS for rate in rates],
        options,
    )
    chosen = {cell: _best_rate(cell, tuning) for cell in LAYERS}
    runs = run_all(
        train_one,
        [_run(settings, cell, chosen[cell], seed) for seed in seeds for cell in LAYERS],
        options,
    )
    cells = {cell: _summary(cell, settings, tuning, runs) for cell in LAYERS}
    return {"configuration": settings, "seeds": seeds, "results": {"cells": cells}}


def table(results: dict[str, Any]) -> str:
    """Return a line for each cell."""
    lines = [f"{'cell':6}{'rate':>7}{'trained':>9}{'to 2N':>8}   furthest n without a mistake"]
    for cell, row in results["cells"].items():
        furthest = row["furthest_interval"]
        lines.append(
            f"{cell:6}{row['learning_rate']:7}{row['learned']['count']:9}"
            f"{row['twice']['count']:8}   mean {furthest['mean']:.1f} "
            f"[{furthest['low']:.1f}, {furthest['high']:.1f}], "
            f"from {min(row['furthest'])} to {max(row['furthest'])}"
        )
    lines.append("Counts of seeds; 95 % bootstrap interval of the mean.")
    return "\n".join(lines)


def train_one(configuration: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train one network and say for which n it is right."""
    settings, seed = configuration["settings"], configuration["seed"]
    seed_everything(seed)
    network = Network(configuration["cell"], settings["hidden_size"])
    optimiser = torch.optim.Adam(network.parameters(), lr=configuration["learning_rate"])
    steps, most = settings["steps"], settings["train_n"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    strings, order = Strings(most), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randperm(most, generator=order)[: settings["batch_size"]]
        loss = strings.loss(network, rows)
        optimiser.zero_grad()
        loss.backward()
        clip_by_global_norm(network.parameters(), settings["clip_norm"])
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        final = strings.loss(network, torch.arange(most)).item()
        right = Strings(settings["test_n"]).right(network)
        portrait = network.memory(Strings(settings["portrait_n"]).x[-1:])[0]
    return {
        "loss": float(f"{final:.6g}"),
        "wrong_n": [n for n, is_right in enumerate(right.tolist(), start=1) if not is_right],
        "portrait": [[round(value, 4) for value in unit] for unit in portrait.T.tolist()],
    }


class Network(nn.Module):
    """A recurrent layer and a linear read-out of its state: one logit for each step."""

    def __init__(self, cell: str, hidden_size: int) -> None:
        super().__init__()
        self.layer = LAYERS[cell](2, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Takes x (B, T, 2); returns logits (B, T)."""
        return self.readout(self.layer(x)[0])[..., 0]

    def memory(self, x: Tensor) -> Tensor:
        """Return what is carried from step to step, (B, T, H): c of an LSTM, otherwise h."""
        if not isinstance(self.layer, nn.LSTM):
            return self.layer(x)[0]
        state, steps = None, []
        for t in range(x.shape[1]):
            _, state = self.layer(x[:, t : t + 1], state)
            steps.append(state[1][0])
        return torch.stack(steps, dim=1)


class Strings:
    """a^n b^n for n from 1 to N: inputs x (N, 2N, 2), targets and weights (N, 2N)."""

    def __init__(self, most: int) -> None:
        symbols, lengths = anbn(most)
        self.x = torch.from_numpy(code(symbols, 2)).float()
        last = np.arange(2 * most) == lengths[:, None] - 1
        self.targets = torch.from_numpy(last).float()
        self.weights = torch.from_numpy(symbols == 1).float()

    def loss(self, network: Network, rows: Tensor) -> Tensor:
        """Return the cross-entropy over the b's of a string, mean over the rows."""
        each = binary_cross_entropy_with_logits(
            network(self.x[rows]), self.targets[rows], weight=self.weights[rows], reduction="sum"
        )
        return each / len(rows)

    def right(self, network: Network) -> Tensor:
        """Return for each n whether the answer is right at every b."""
        says_last = network(self.x) > 0
        return ((says_last == (self.targets > 0)) | (self.weights == 0)).all(dim=1)


def _run(settings: dict[str, Any], cell: str, rate: float, seed: int) -> Run:
    configuration = {"settings": settings, "cell": cell, "learning_rate": rate, "seed": seed}
    return Run(f"{cell}-{rate}-{seed}", configuration)


def _best_rate(cell: str, tuning: list[dict[str, Any]]) -> float:
    mine = [run for run in tuning if run["configuration"]["cell"] == cell]
    return min(mine, key=lambda run: run["loss"])["configuration"]["learning_rate"]


def _summary(
    cell: str, settings: dict[str, Any], tuning: list[dict[str, Any]], runs: list[dict[str, Any]]
) -> dict[str, Any]:
    mine = [run for run in runs if run["configuration"]["cell"] == cell]
    most, tested = settings["train_n"], settings["test_n"]
    furthest = [min(run["wrong_n"], default=tested + 1) - 1 for run in mine]
    right = np.ones((len(mine), tested), dtype=int)
    for row, run in zip(right, mine, strict=True):
        row[np.array(run["wrong_n"], dtype=int) - 1] = 0
    return {
        "learning_rate": mine[0]["configuration"]["learning_rate"],
        "tuning_losses": {
            str(run["configuration"]["learning_rate"]): run["loss"]
            for run in tuning
            if run["configuration"]["cell"] == cell
        },
        "losses": [run["loss"] for run in mine],
        "furthest": furthest,
        "furthest_interval": bootstrap_interval(furthest).as_dict(),
        "learned": _share([n >= most for n in furthest]),
        "twice": _share([n >= 2 * most for n in furthest]),
        "all_tested": _share([n >= tested for n in furthest]),
        "seeds_right_at_n": right.sum(axis=0).tolist(),
        "portrait": mine[0]["portrait"],
    }


def _share(successes: list[bool]) -> dict[str, Any]:
    return {"count": sum(successes), **binomial_interval(sum(successes), len(successes)).as_dict()}
