"""How much of a gradient is left after k steps, before and after training, on two questions.

Both tasks read the same inputs: a row of random numbers, two of which are marked. The short one
asks for the sum of the last two numbers, the long one for the sum of the two marked numbers, which
may lie anywhere. So what differs between the networks of one seed is only how far back the answer
lies. Measured is the spectral norm of d h_T / d h_{T-k}, where h_T is the state that the loss
reads, on new sequences.
"""

import statistics
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatedrnn.data import adding_problem
from gatedrnn.experiments.gradient_lag import at_lag, in_words, jacobians, six_digits
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import Place, Run, run_all
from gatedrnn.training import GeneratedBatches, TrainingSettings, fit, seed_everything

TITLE = "Norm of d h_T / d h_{T-k} against the lag k, before and after training"
MAX_JOBS = 64

CELLS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
TASKS = ("short", "long")

FULL: dict[str, Any] = {
    "length": 50,
    "hidden_size": 32,
    "batch_size": 32,
    "steps": 1500,
    "optimiser": "Adam",
    "learning_rate": 0.003,
    "clip_norm": 1.0,
    "initialisation": "torch.nn",
    "tasks": "adding_problem inputs; short: sum of the last two values, long: sum of the marked",
    "evaluated_on": 1000,
    "evaluate_every": 100,
    "solved_below": 0.02,
    "measured_on": 8,
    "norm": "spectral, geometric mean over the measured sequences, float64",
    "lags_in_table": [10, 25, 50],
}
QUICK = FULL | {
    "length": 8,
    "hidden_size": 4,
    "batch_size": 4,
    "steps": 4,
    "evaluated_on": 20,
    "evaluate_every": 2,
    "measured_on": 2,
    "lags_in_table": [4, 8],
}


class LastStateRegressor(nn.Module):
    """A recurrent layer and a linear readout of its last output: (B, T, 2) to (B, 1)."""

    def __init__(self, cell: str, hidden_size: int) -> None:
        super().__init__()
        self.layer = CELLS[cell](2, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the answer after the last step."""
        return self.readout(self.layer(x)[0][:, -1])


def run(options: Options) -> dict[str, Any]:
    """Train each cell on each task with every seed; measure it before and after."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    wanted = [(task, cell, seed) for task in TASKS for cell in CELLS for seed in seeds]
    runs = run_all(train_one, [_run(settings, *what) for what in wanted], options)
    results: dict[str, Any] = {task: {} for task in TASKS}
    for task in TASKS:
        for cell in CELLS:
            mine = [
                found
                for (of, by, _), found in zip(wanted, runs, strict=True)
                if (of, by) == (task, cell)
            ]
            results[task][cell] = _summary(mine, settings)
    lags = list(range(settings["length"] + 1))
    return {
        "configuration": settings,
        "seeds": seeds,
        "results": {"lags": lags, "tasks": results},
    }


def table(results: dict[str, Any]) -> str:
    """Return two lines for each task, cell and state: before and after training."""
    first = results["tasks"]["short"]["RNN"]["before"]["h"]["at_lag"]
    lines = [f"{'':26}" + "".join(f"{'lag ' + lag:>32}" for lag in first) + f"{'solved':>10}"]
    for task, cells in results["tasks"].items():
        for cell, row in cells.items():
            for when in ("before", "after"):
                for state, found in row[when].items():
                    cells_of_row = "".join(f"{in_words(at):>32}" for at in found["at_lag"].values())
                    solved = f"{row['solved']}/{len(row['error'])}"
                    lines.append(f"{task:6}{cell:5}{when:8}({state})    {cells_of_row}{solved:>10}")
    lines.append("Geometric mean over the seeds, 95 % t interval of the logarithm.")
    return "\n".join(lines)


def train_one(configuration: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train one network and measure it; the same seed has the same sequences on both tasks."""
    settings, task, cell = (configuration[key] for key in ("settings", "task", "cell"))
    seed = configuration["seed"]
    seed_everything(seed)
    model = LastStateRegressor(cell, settings["hidden_size"])
    # Generators of their own: neither test sequences nor measured ones are ever trained on.
    tested = draw(task, settings["evaluated_on"], settings, torch.Generator().manual_seed(10_000))
    measured, _ = draw(
        task, settings["measured_on"], settings, torch.Generator().manual_seed(20_000 + seed)
    )
    before = lag_norms(model, cell, measured)
    history = fit(
        model,
        torch.optim.Adam(model.parameters(), lr=settings["learning_rate"]),
        GeneratedBatches(
            lambda generator: draw(task, settings["batch_size"], settings, generator), 1000 + seed
        ),
        lambda m, batch, carry: (nn.functional.mse_loss(m(batch[0]), batch[1]), None),
        lambda m: nn.functional.mse_loss(m(tested[0]), tested[1]).item(),
        TrainingSettings(
            steps=settings["steps"],
            clip_norm=settings["clip_norm"],
            evaluate_every=settings["evaluate_every"],
        ),
        checkpoint=place.checkpoint,
        run=configuration,
        progress=place.bar,
        position=place.line,
    )
    return {
        "before": before,
        "after": lag_norms(model, cell, measured),
        "error": history.best_value,
        "cpu_seconds": round(history.cpu_seconds, 2),
    }


def draw(
    task: str, batch_size: int, settings: dict[str, Any], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw inputs (B, T, 2), the same for both tasks, and the task's targets (B, 1)."""
    x, marked = adding_problem(batch_size, settings["length"], generator)
    return x, marked if task == "long" else x[:, -2:, 0].sum(dim=1, keepdim=True)


def lag_norms(model: LastStateRegressor, cell: str, x: Tensor) -> dict[str, list[float]]:
    """Return by state the norms for lags 0 to T, each a geometric mean over the sequences of x."""
    params = {
        name.replace("weight", "W").replace("bias", "b").removesuffix("_l0"): value.double().numpy()
        for name, value in model.layer.state_dict().items()
    }
    hidden = model.layer.hidden_size
    by_sequence: dict[str, list[list[float]]] = {}
    for sequence in x.double().numpy():
        norms: dict[str, list[float]] = {}
        for pulled_back in jacobians(cell.lower(), sequence[None], params, hidden):
            for state, jacobian in pulled_back.items():
                norms.setdefault(state, []).append(float(np.linalg.norm(jacobian, 2)))
        for state, values in norms.items():
            by_sequence.setdefault(state, []).append(values)
    return {
        state: [_geometric_mean(values) for values in zip(*rows, strict=True)]
        for state, rows in by_sequence.items()
    }


def _geometric_mean(values: tuple[float, ...]) -> float:
    return 0.0 if min(values) == 0 else six_digits(statistics.geometric_mean(values))


def _run(settings: dict[str, Any], task: str, cell: str, seed: int) -> Run:
    configuration = {"settings": settings, "task": task, "cell": cell, "seed": seed}
    return Run(f"{task}-{cell}-{seed}", configuration)


def _summary(runs: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for when in ("before", "after"):
        summary[when] = {}
        for state in runs[0][when]:
            norms = [found[when][state] for found in runs]
            table = {str(lag): at_lag(norms, lag) for lag in settings["lags_in_table"]}
            summary[when][state] = {"norms": norms, "at_lag": table}
    errors = [six_digits(found["error"]) for found in runs]
    solved = sum(error < settings["solved_below"] for error in errors)
    return summary | {"error": errors, "worst_error": max(errors), "solved": solved}
