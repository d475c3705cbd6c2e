"""Mean absolute error of three simple forecasts against the horizon, on two monthly series.

Origins roll through the last part of each series. At each origin the autoregression is fitted to
all values before it, so nothing later than the origin is used. Forecasts from neighbouring origins
err together; the interval is over the means of contiguous blocks of origins, which do so less.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatedrnn.analysis.statistics import paired_difference, t_interval
from gatedrnn.data.series import load_series
from gatedrnn.experiments.options import Options
from gatedrnn.models.forecasts import Autoregression, persistence, seasonal_naive

TITLE = "Error of persistence, seasonal-naive and linear autoregression against the horizon"
MAX_JOBS = 1

Array = NDArray[np.float64]

FULL: dict[str, Any] = {
    "series": {
        # A season of 132 months is the often-quoted 11 years of the solar cycle.
        "elnino": {"season": 12, "order": 24, "first_origin": 0.5, "every": 1},
        "sunspots": {"season": 132, "order": 36, "first_origin": 0.5, "every": 4},
    },
    "steps": 24,
    "blocks": 10,
    "in_table": [1, 3, 6, 12, 24],
    "fit": "least squares on all values before the origin, again at each origin",
}
QUICK = FULL | {
    "series": {"elnino": {"season": 12, "order": 2, "first_origin": 0.8, "every": 4}},
    "steps": 3,
    "in_table": [1, 3],
}


def run(options: Options) -> dict[str, Any]:
    """Forecast from every origin of every series; nothing is random."""
    settings = QUICK if options.quick else FULL
    found: dict[str, Any] = {}
    for name, plan in settings["series"].items():
        values = load_series(name)
        origins = rolling_origins(len(values), settings["steps"], plan)
        errors = absolute_errors(values, origins, settings["steps"], plan)
        found[name] = _summary(errors, settings) | {
            "values": len(values),
            "origins": len(origins),
        }
    return {
        "configuration": settings,
        "seeds": [],
        "results": {"horizons": list(range(1, settings["steps"] + 1)), "series": found},
    }


def table(results: dict[str, Any]) -> str:
    """Return a line for each series, method and horizon of the table."""
    lines = []
    for name, row in results["series"].items():
        for method, at in row["methods"].items():
            cells = "".join(f"{f'{h}: ' + _in_words(i):>28}" for h, i in at["at"].items())
            lines.append(f"{name:10}{method:16}{cells}")
    lines.append("Mean absolute error at a horizon in months, 95 % t interval over blocks.")
    return "\n".join(lines)


def rolling_origins(count: int, steps: int, plan: dict[str, Any]) -> list[int]:
    """Return how many values are known at each origin; all steps are still to come."""
    first = int(count * plan["first_origin"])
    return list(range(first, count - steps + 1, plan["every"]))


def absolute_errors(
    values: Array, origins: list[int], steps: int, plan: dict[str, Any]
) -> dict[str, Array]:
    """Return absolute errors (origins, steps) by method; an origin sees values[:origin] only."""
    methods = {
        "persistence": lambda known: persistence(known, steps),
        "seasonal naive": lambda known: seasonal_naive(known, steps, plan["season"]),
        "autoregression": lambda known: Autoregression(known, plan["order"]).forecast(known, steps),
    }
    truth = np.array([values[origin : origin + steps] for origin in origins])
    return {
        name: np.abs(np.array([method(values[:origin]) for origin in origins]) - truth)
        for name, method in methods.items()
    }


def _summary(errors: dict[str, Array], settings: dict[str, Any]) -> dict[str, Any]:
    blocks = {
        name: np.array([part.mean(axis=0) for part in np.array_split(error, settings["blocks"])])
        for name, error in errors.items()
    }
    methods = {
        name: {
            "mean": [_rounded(value) for value in rows.mean(axis=0)],
            "low": [_rounded(t_interval(column).low) for column in rows.T],
            "high": [_rounded(t_interval(column).high) for column in rows.T],
            "at": {str(h): _interval(rows[:, h - 1]) for h in settings["in_table"]},
        }
        for name, rows in blocks.items()
    }
    pairs = {
        f"{first} - {second}": {
            str(h): paired_difference(
                blocks[first][:, h - 1].tolist(), blocks[second][:, h - 1].tolist()
            ).as_dict()
            for h in settings["in_table"]
        }
        for first, second in (
            ("seasonal naive", "persistence"),
            ("autoregression", "persistence"),
            ("autoregression", "seasonal naive"),
        )
    }
    return {"methods": methods, "pairs": pairs}


def _interval(values: Array) -> dict[str, float]:
    return t_interval(values.tolist()).as_dict()


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _in_words(interval: dict[str, float]) -> str:
    return f"{interval['mean']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]"
