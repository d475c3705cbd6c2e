"""How soon a GRU and an LSTM reach a given error, over learning rates and seeds.

Both tasks, the equal parameters and the training are those of the ablations; here every learning
rate is kept, for "easier to train" is also a statement about how many rates will do. The errors to
be reached were set before the run, at values that the cells of the ablations had reached.
"""

import math
import statistics
from dataclasses import replace
from typing import Any

from gatedrnn.analysis.statistics import Interval, t_interval
from gatedrnn.experiments import ablations
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import run_all

TITLE = "Steps until a given error is reached: GRU and LSTM, four learning rates, two tasks"
MAX_JOBS = 6

_RATES = [0.001, 0.003, 0.01, 0.03]
FULL: dict[str, Any] = ablations.FULL | {
    "variants": ["GRU", "LSTM", "LSTM, forget bias 1"],
    "not_tuned": "all but the learning rate, which is shown at every value",
    "adding": ablations.FULL["adding"] | {"learning_rates": _RATES, "steps": 2000},
    # Both were reached by every cell of the ablations on the validation part.
    "chorales": ablations.FULL["chorales"] | {"learning_rates": _RATES, "targets": [10.0, 9.0]},
}
QUICK = FULL | {task: FULL[task] | ablations.QUICK[task] for task in ablations.TASKS}
for _task in ablations.TASKS:
    QUICK[_task] = QUICK[_task] | {"learning_rates": _RATES[2:]}


def run(options: Options) -> dict[str, Any]:
    """Train each cell on both tasks with every learning rate and seed."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    runs = [
        ablations.variant_run(task, variant, settings, seeds)
        for task in ablations.TASKS
        for variant in settings["variants"]
    ]
    rows = run_all(ablations.train_variant, runs, options)
    results: dict[str, Any] = {"targets": {}}
    for row in rows:
        for name, found in _reached(row).items():
            cells = results["targets"].setdefault(name, {})
            cells[row["configuration"]["variant"]] = found
    for cells in results["targets"].values():
        cells["ratios"] = _ratios(cells)
    results["cpu_seconds"] = round(sum(row["cpu_seconds"] for row in rows), 1)
    return {"configuration": settings, "seeds": seeds, "results": results}


def table(results: dict[str, Any]) -> str:
    """Return for each target and cell the steps or epochs at every rate."""
    lines = []
    for target, cells in results["targets"].items():
        lines.append(target)
        for cell, found in cells.items():
            if cell == "ratios":
                continue
            shown = [
                f"{rate}: {r['median'] or 'never'} ({r['reached']} of {r['seeds']})"
                for rate, r in found["rates"].items()
            ]
            lines.append(f"  {cell:20} {'   '.join(shown)}")
        for pair, ratio in cells["ratios"].items():
            said = f"{ratio['mean']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
            lines.append(f"  {pair} at the best rate of each: {said}")
    return "\n".join(lines)


def _reached(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps (adding) or epochs (chorales) to each target, for every rate."""
    task = row["configuration"]["task"]
    settings = row["configuration"]["settings"][task]
    if task == "adding":
        return {"adding": _by_rate(row, row["steps"], row["valid_mse"], settings["solved_below"])}
    epochs = range(1, len(row["valid_nll"]) + 1)
    return {
        f"chorales, {limit}": _by_rate(row, epochs, row["valid_nll"], limit)
        for limit in settings["targets"]
    }


def _by_rate(row: dict[str, Any], steps: Any, errors: Any, limit: float) -> dict[str, Any]:
    rates: dict[str, Any] = {}
    for rate in dict.fromkeys(row["learning_rates"]):
        columns = [i for i, r in enumerate(row["learning_rates"]) if r == rate]
        taken = [ablations.first_below(steps, errors, column, limit) for column in columns]
        middle = statistics.median_low([math.inf if step is None else step for step in taken])
        rates[str(rate)] = {
            "steps": taken,
            "seeds": len(taken),
            "reached": sum(step is not None for step in taken),
            "median": None if math.isinf(middle) else int(middle),
        }
    best = min(rates, key=lambda rate: (-rates[rate]["reached"], rates[rate]["median"] or math.inf))
    return {
        "hidden_size": row["configuration"]["hidden_size"],
        "parameters": row["parameters"],
        "below": limit,
        "rates": rates,
        "best_rate": best,
        "rates_that_reach_with_every_seed": sum(r["reached"] == r["seeds"] for r in rates.values()),
    }


def _ratios(cells: dict[str, Any]) -> dict[str, Any]:
    """Steps of each LSTM over those of the GRU, each at its best rate, where every seed arrived.

    A geometric mean over pairs of one seed, with its 95 % t interval.
    """
    ratios = {}
    gru = _best_steps(cells["GRU"])
    for cell in cells:
        mine = _best_steps(cells[cell])
        if cell != "GRU" and None not in gru and None not in mine:
            logs = [math.log(a / b) for a, b in zip(mine, gru, strict=True)]
            ratios[f"{cell} / GRU"] = _exp(t_interval(logs)).as_dict()
    return ratios


def _best_steps(cell: dict[str, Any]) -> list[Any]:
    steps: list[Any] = cell["rates"][cell["best_rate"]]["steps"]
    return steps


def _exp(i: Interval) -> Interval:
    return replace(i, mean=math.exp(i.mean), low=math.exp(i.low), high=math.exp(i.high))
