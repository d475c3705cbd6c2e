"""Variants of the GRU and the LSTM at equal parameters, on the adding problem and on chorales.

Each variant has the hidden size that brings it nearest to the parameters of the LSTM, readout
included. All learning rates and seeds of a variant are trained side by side; the rate is
chosen on the validation data, for each variant and task. A seed decides the initial weights, and
on the adding problem also the training sequences. Nothing else is tuned: batch size, clipping,
number of steps and the optimiser's other settings are the same for all.
"""

import copy
import math
import statistics
import time
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gatedrnn.analysis.statistics import binomial_interval, paired_difference, t_interval
from gatedrnn.cells.variants import VARIANTS
from gatedrnn.data import adding_problem, load_music, pad_rolls
from gatedrnn.experiments.matching import hidden_size_for, parameter_count
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import Place, Run, run_all
from gatedrnn.models.side_by_side import VariantModel, run_side_by_side
from gatedrnn.training import clip_by_global_norm, seed_everything

TITLE = "Ablations of the GRU and the LSTM, adding problem and JSB chorales, equal parameters"
MAX_JOBS = 16

# Sized for twenty minutes of one core.
FULL: dict[str, Any] = {
    "variants": list(VARIANTS),
    "budget": "parameters of the LSTM with the hidden size below, readout included",
    "optimiser": "Adam, constant learning rate",
    "clip_norm": 1.0,
    "not_tuned": "batch size, clipping, number of steps, initialisation, Adam's betas and epsilon",
    "adding": {
        "length": 50,
        "lstm_hidden_size": 24,
        "learning_rates": [0.01, 0.02],
        "batch_size": 32,
        "steps": 1500,
        "evaluate_every": 25,
        "validation_sequences": 256,
        "solved_below": 0.01,
        "trivial_baseline": 1 / 6,
    },
    "chorales": {
        "dataset": "jsb-chorales",
        "lstm_hidden_size": 36,
        "learning_rates": [0.01, 0.03],
        "batch_size": 8,
        "epochs": 50,
        "target": "the next frame; 88 keys, summed; mean over all frames but the first of a piece",
    },
}
QUICK = FULL | {
    "adding": FULL["adding"] | {"length": 6, "steps": 4, "evaluate_every": 2, "batch_size": 4},
    "chorales": FULL["chorales"] | {"epochs": 1, "pieces": 4},
}
TASKS = ("adding", "chorales")


def run(options: Options) -> dict[str, Any]:
    """Train every variant on both tasks with every learning rate and seed."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    runs = [
        variant_run(task, variant, settings, seeds)
        for task in TASKS
        for variant in settings["variants"]
    ]
    rows = run_all(train_variant, runs, options)
    results: dict[str, Any] = {"tasks": {}}
    for task in TASKS:
        of_task = [row for row in rows if row["configuration"]["task"] == task]
        summarise = _adding_summary if task == "adding" else _chorales_summary
        results["tasks"][task] = {r["configuration"]["variant"]: summarise(r) for r in of_task}
    results["pairs"] = _pairs(results["tasks"]["chorales"])
    results["cpu_seconds"] = round(sum(row["cpu_seconds"] for row in rows), 1)
    return {"configuration": settings, "seeds": seeds, "results": results}


def table(results: dict[str, Any]) -> str:
    """Return a line for each variant."""
    heads = "adding: solved, median steps", "chorales: test NLL, 95 % t"
    lines = [f"{'variant':28}{heads[0]:>32}{heads[1]:>34}"]
    for variant, row in results["tasks"]["adding"].items():
        median = row["median_steps"] if row["median_steps"] is not None else "never"
        solved = f"{row['solved']} of {row['seeds']}, {median} (H {row['hidden_size']})"
        music = results["tasks"]["chorales"][variant]
        i = music["test_interval"]
        nll = f"{i['mean']:.3f} [{i['low']:.3f}, {i['high']:.3f}] (H {music['hidden_size']})"
        lines.append(f"{variant:28}{solved:>32}{nll:>34}")
    for pair, row in results["pairs"].items():
        lines.append(f"{pair}: {row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]")
    return "\n".join(lines)


def train_variant(configuration: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train all learning rates and seeds of one variant on one task, side by side."""
    settings, task = configuration["settings"], configuration["task"]
    models = _models(configuration)
    rates = [rate for rate in settings[task]["learning_rates"] for _ in configuration["seeds"]]
    optimiser = torch.optim.Adam(
        [{"params": m.parameters(), "lr": lr} for m, lr in zip(models, rates, strict=True)]
    )
    wall, cpu = time.perf_counter(), time.process_time()
    train = train_adding if task == "adding" else train_chorales
    measured = train(models, optimiser, configuration)
    return {
        "parameters": parameter_count(models[0]),
        "learning_rates": rates,
        **measured,
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }


# ---------------------------------------------------------------- the adding problem


def train_adding(
    models: list[VariantModel], optimiser: torch.optim.Optimizer, configuration: dict[str, Any]
) -> dict[str, Any]:
    """Return the validation errors (evaluations by models), until all are solved or time is up."""
    task, seeds = configuration["settings"]["adding"], configuration["seeds"]
    clip_norm = configuration["settings"]["clip_norm"]
    length, rates = task["length"], len(models) // len(seeds)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    held_out = torch.Generator().manual_seed(10_000)
    valid_x, valid_y = adding_problem(task["validation_sequences"], length, held_out)
    steps: list[int] = []
    errors: list[list[float | None]] = []
    solved: set[int] = set()
    for step in range(1, task["steps"] + 1):
        drawn = [adding_problem(task["batch_size"], length, g) for g in generators]
        # The models of one seed read the same sequences at every rate.
        x, y = (torch.cat([torch.stack(part)] * rates) for part in zip(*drawn, strict=True))
        loss = (run_side_by_side(models, x, last_only=True) - y).square().mean(dim=(1, 2))
        _update(models, optimiser, loss, clip_norm)
        if step % task["evaluate_every"] == 0:
            with torch.no_grad():
                off = run_side_by_side(models, valid_x, last_only=True) - valid_y
            steps.append(step)
            errors.append([_finite(value) for value in off.square().mean(dim=(1, 2)).tolist()])
            solved |= {
                s for s, e in enumerate(errors[-1]) if e is not None and e < task["solved_below"]
            }
            if len(solved) == len(models):
                break
    return {"steps": steps, "valid_mse": errors}


def _adding_summary(row: dict[str, Any]) -> dict[str, Any]:
    task = row["configuration"]["settings"]["adding"]
    reached = {
        rate: [
            first_below(row["steps"], row["valid_mse"], column, task["solved_below"])
            for column, r in enumerate(row["learning_rates"])
            if r == rate
        ]
        for rate in task["learning_rates"]
    }
    # More seeds that solve it, then fewer steps; at a tie the smaller rate.
    chosen = min(reached, key=lambda rate: (_unsolved(reached[rate]), _median(reached[rate]), rate))
    steps = reached[chosen]
    solved = len(steps) - _unsolved(steps)
    median = _median(steps)
    columns = [i for i, rate in enumerate(row["learning_rates"]) if rate == chosen]
    return {
        "hidden_size": row["configuration"]["hidden_size"],
        "parameters": row["parameters"],
        "learning_rate": chosen,
        "seeds": len(steps),
        "solved": solved,
        "solved_interval": binomial_interval(solved, len(steps)).as_dict(),
        "steps_to_solve": steps,
        "median_steps": None if math.isinf(median) else int(median),
        "steps_by_rate": {str(rate): values for rate, values in reached.items()},
        "curve_steps": row["steps"],
        "curve_valid_mse": [
            [None if (e := values[i]) is None else float(f"{e:.4g}") for values in row["valid_mse"]]
            for i in columns
        ],
        "cpu_seconds": row["cpu_seconds"],
    }


def first_below(
    steps: Sequence[int], errors: Sequence[Sequence[float | None]], column: int, limit: float
) -> int | None:
    """Return the first step at which a column of the errors is below the limit, if there is one."""
    for step, at_step in zip(steps, errors, strict=True):
        value = at_step[column]
        if value is not None and value < limit:
            return step
    return None


def _unsolved(steps: list[int | None]) -> int:
    return sum(step is None for step in steps)


def _median(steps: list[int | None]) -> float:
    """The median, with infinity for a run that never got there."""
    return statistics.median_low([math.inf if step is None else step for step in steps])


# ---------------------------------------------------------------- chorales


def train_chorales(
    models: list[VariantModel], optimiser: torch.optim.Optimizer, configuration: dict[str, Any]
) -> dict[str, Any]:
    """Return validation curves, and the test value of each model's best epoch on validation."""
    settings = configuration["settings"]
    task = settings["chorales"]
    parts = _chorales(task["dataset"], task.get("pieces"), task["batch_size"])
    order = torch.Generator().manual_seed(20_000)
    curves: list[list[float | None]] = []
    best = [math.inf] * len(models)
    weights = [copy.deepcopy(model.state_dict()) for model in models]
    for _ in range(task["epochs"]):
        for index in torch.randperm(len(parts["train"]), generator=order).tolist():
            total, frames = chorale_nll(models, *parts["train"][index])
            _update(models, optimiser, total / frames, settings["clip_norm"])
        curves.append(_evaluate_chorales(models, parts["valid"]))
        for k, value in enumerate(curves[-1]):
            if value is not None and value < best[k]:
                best[k], weights[k] = value, copy.deepcopy(models[k].state_dict())
    for model, kept in zip(models, weights, strict=True):
        model.load_state_dict(kept)
    return {"valid_nll": curves, "test_nll": _evaluate_chorales(models, parts["test"])}


def chorale_nll(models: list[VariantModel], rolls: Tensor, lengths: Tensor) -> tuple[Tensor, int]:
    """Negative log likelihood of each frame given those before it, in nats, summed; and frames.

    Takes rolls (B, T, 88), padded after lengths (B,); returns a sum for each model, (S,), over
    the keys and over all frames but the first of each piece, and the number of these frames.
    """
    logits = run_side_by_side(models, rolls[:, :-1])
    targets = rolls[:, 1:].expand_as(logits)
    nats = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=-1)
    real = torch.arange(1, rolls.shape[1]) < lengths[:, None]
    return (nats * real).sum(dim=(1, 2)), int(real.sum())


def _evaluate_chorales(
    models: list[VariantModel], batches: list[tuple[Tensor, Tensor]]
) -> list[float | None]:
    with torch.no_grad():
        sums = [chorale_nll(models, *batch) for batch in batches]
    total = torch.stack([nats for nats, _ in sums]).sum(dim=0) / sum(n for _, n in sums)
    return [_finite(value) for value in total.tolist()]


@cache
def _chorales(
    name: str, pieces: int | None, batch_size: int
) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Batches of pieces of similar length, so that there is little padding."""
    parts = {}
    for part, rolls in load_music(name).items():
        ordered = sorted(rolls[:pieces], key=len)
        parts[part] = [
            pad_rolls(ordered[i : i + batch_size]) for i in range(0, len(ordered), batch_size)
        ]
    return parts


def _chorales_summary(row: dict[str, Any]) -> dict[str, Any]:
    rates = row["learning_rates"]
    best = [_least(values) for values in zip(*row["valid_nll"], strict=True)]
    means = {
        rate: statistics.mean(b for b, r in zip(best, rates, strict=True) if r == rate)
        for rate in sorted(set(rates))
    }
    chosen = min(means, key=lambda rate: means[rate])
    mine = [i for i, rate in enumerate(rates) if rate == chosen]
    test = [row["test_nll"][i] for i in mine]
    return {
        "hidden_size": row["configuration"]["hidden_size"],
        "parameters": row["parameters"],
        "learning_rate": chosen,
        "valid_nll_by_rate": {str(rate): _finite(value) for rate, value in means.items()},
        "valid_nll": [best[i] for i in mine],
        "best_epoch": [1 + [v[i] for v in row["valid_nll"]].index(best[i]) for i in mine],
        "test_nll": test,
        "test_interval": t_interval(test).as_dict(),
        "cpu_seconds": row["cpu_seconds"],
    }


def _least(values: tuple[float | None, ...]) -> float:
    return min((value for value in values if value is not None), default=math.inf)


def _pairs(rows: dict[str, Any]) -> dict[str, Any]:
    """Differences of the test values from the cell that a variant is made from, paired by seed."""
    pairs = {}
    for variant, row in rows.items():
        base = variant.split(",")[0]
        if base != variant:
            interval = paired_difference(row["test_nll"], rows[base]["test_nll"])
            pairs[f"{variant} - {base}"] = interval.as_dict()
    for first, second in (("GRU", "LSTM"), ("GRU", "LSTM, coupled gates")):
        interval = paired_difference(rows[first]["test_nll"], rows[second]["test_nll"])
        pairs[f"{first} - {second}"] = interval.as_dict()
    return pairs


# ---------------------------------------------------------------- what both share


def _build(task: str, variant: str, hidden_size: int) -> VariantModel:
    inputs, outputs = (2, 1) if task == "adding" else (88, 88)
    return VariantModel(variant, inputs, hidden_size, outputs)


def variant_run(task: str, variant: str, settings: dict[str, Any], seeds: list[int]) -> Run:
    """Return the run of one variant on one task: every learning rate and seed, at equal size."""
    with torch.device("meta"):
        budget = parameter_count(_build(task, "LSTM", settings[task]["lstm_hidden_size"]))
    hidden_size = hidden_size_for(budget, partial(_build, task, variant))
    name = "".join(letter if letter.isalnum() else "-" for letter in variant)
    configuration = {
        "task": task,
        "variant": variant,
        "hidden_size": hidden_size,
        "seeds": seeds,
        "settings": {"clip_norm": settings["clip_norm"], task: settings[task]},
    }
    return Run(f"{task}-{name}", configuration)


def _models(configuration: dict[str, Any]) -> list[VariantModel]:
    """One model for each learning rate and seed; a seed's weights are the same at every rate."""
    task, models = configuration["task"], []
    for _ in configuration["settings"][task]["learning_rates"]:
        for seed in configuration["seeds"]:
            seed_everything(seed)
            models.append(_build(task, configuration["variant"], configuration["hidden_size"]))
    return models


def _update(
    models: list[VariantModel],
    optimiser: torch.optim.Optimizer,
    losses: Tensor,
    clip_norm: float,
) -> None:
    """One step for every model; each is clipped by the norm of its own gradient."""
    optimiser.zero_grad(set_to_none=True)
    losses.sum().backward()
    for model in models:
        clip_by_global_norm(model.parameters(), clip_norm)
    optimiser.step()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
