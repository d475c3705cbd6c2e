"""The experiments by name; each is a module that offers what `Experiment` lists."""

from importlib import import_module
from typing import Any, Protocol, cast

from gatedrnn.experiments.options import ExperimentError, Options

# Modules are named, not imported: running one should not import the others.
_MODULES = {
    "ablations": "gatedrnn.experiments.ablations",
    "anbn_generalisation": "gatedrnn.experiments.anbn_generalisation",
    "convergence": "gatedrnn.experiments.convergence",
    "cpu_time": "gatedrnn.experiments.cpu_time",
    "gradient_lag": "gatedrnn.experiments.gradient_lag",
    "gradient_routes": "gatedrnn.experiments.gradient_routes",
    "gradient_lag_trained": "gatedrnn.experiments.gradient_lag_trained",
    "live_reader": "gatedrnn.experiments.live_reader",
    "naive_forecasts": "gatedrnn.experiments.naive_forecasts",
    "ngram_orders": "gatedrnn.experiments.ngram_orders",
    "tinyshakespeare_cells": "gatedrnn.experiments.tinyshakespeare_cells",
}


class Experiment(Protocol):
    """What an experiment's module offers."""

    TITLE: str
    # The largest number of runs at the same time; 1 where runs would disturb each other.
    MAX_JOBS: int

    def run(self, options: Options) -> dict[str, Any]:
        """Run, and return the configuration, the seeds and the results."""

    def table(self, results: dict[str, Any]) -> str:
        """Say the results in a few lines."""


def experiment_names() -> list[str]:
    """Return the names of all experiments, sorted."""
    return sorted(_MODULES)


def load_experiment(name: str) -> Experiment:
    """Return an experiment's module; raises ExperimentError for an unknown name."""
    if name not in _MODULES:
        raise ExperimentError(
            f"There is no experiment called {name!r}; choose one of: "
            f"{', '.join(experiment_names())}."
        )
    return cast(Experiment, import_module(_MODULES[name]))
