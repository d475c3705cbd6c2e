"""Steps to a target: counted at every rate, and compared only where every seed arrived."""

import math
import os

import numpy as np
import pytest

from gatedrnn.analysis.statistics import t_interval
from gatedrnn.experiments import convergence
from gatedrnn.experiments.options import Options


def row(steps_of_columns, rates):
    """A run whose columns fall below 0.01 at the steps given (None: never)."""
    steps = [10, 20, 30, 40]
    errors = [
        [0.5 if reached is None or step < reached else 0.001 for reached in steps_of_columns]
        for step in steps
    ]
    settings = {"adding": {"solved_below": 0.01}}
    return {
        "configuration": {"task": "adding", "settings": settings, "hidden_size": 3},
        "learning_rates": rates,
        "parameters": 9,
        "steps": steps,
        "valid_mse": errors,
    }


RATES = [0.1, 0.1, 0.2, 0.2]


def test_every_rate_is_counted_and_the_one_where_most_seeds_arrive_is_the_best():
    found = convergence._reached(row([10, None, 40, 30], RATES))["adding"]
    assert found["rates"]["0.1"] == {
        "steps": [10, None],
        "seeds": 2,
        "reached": 1,
        "median": 10,
    }
    assert found["rates"]["0.2"]["steps"] == [40, 30]
    assert found["best_rate"] == "0.2"
    assert found["rates_that_reach_with_every_seed"] == 1


def test_the_ratio_is_a_geometric_mean_over_pairs_of_one_seed():
    cells = {
        "GRU": convergence._reached(row([None, None, 10, 20], RATES))["adding"],
        "LSTM": convergence._reached(row([40, 30, None, 10], RATES))["adding"],
        "LSTM, forget bias 1": convergence._reached(row([None, 40, 10, None], RATES))["adding"],
    }
    ratios = convergence._ratios(cells)
    # The second LSTM has a rate at which one seed arrived, and so no ratio.
    assert list(ratios) == ["LSTM / GRU"]
    expected = t_interval(np.log([40 / 10, 30 / 20]))
    assert ratios["LSTM / GRU"]["mean"] == pytest.approx(math.sqrt(4 * 1.5))
    assert ratios["LSTM / GRU"]["low"] == pytest.approx(math.exp(expected.low))
    assert ratios["LSTM / GRU"]["high"] == pytest.approx(math.exp(expected.high))
    assert ratios["LSTM / GRU"]["n"] == 2


def test_chorales_have_a_column_of_epochs_for_each_target():
    settings = {"chorales": {"targets": [10.0, 9.0]}}
    found = convergence._reached(
        {
            "configuration": {"task": "chorales", "settings": settings, "hidden_size": 3},
            "learning_rates": [0.1, 0.2],
            "parameters": 9,
            "valid_nll": [[11.0, None], [9.5, 9.9], [9.1, 8.9]],
        }
    )
    assert found["chorales, 10.0"]["rates"]["0.1"]["steps"] == [2]
    assert found["chorales, 9.0"]["rates"]["0.1"]["steps"] == [None]
    assert found["chorales, 9.0"]["rates"]["0.2"]["steps"] == [3]
    assert found["chorales, 9.0"]["best_rate"] == "0.2"


@pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)
def test_a_trial_holds_every_cell_and_target(tmp_path, monkeypatch):
    easy = convergence.QUICK["adding"] | {"solved_below": 100.0}
    monkeypatch.setattr(convergence, "QUICK", convergence.QUICK | {"adding": easy})
    outcome = convergence.run(Options(tmp_path, seeds=2, quick=True, progress=False))
    targets = outcome["results"]["targets"]
    assert list(targets) == ["adding", "chorales, 10.0", "chorales, 9.0"]
    for cells in targets.values():
        assert list(cells) == [*convergence.FULL["variants"], "ratios"]
    # At a target that nobody can miss both arrive at the first look.
    assert targets["adding"]["ratios"]["LSTM / GRU"]["mean"] == 1.0
    said = convergence.table(outcome["results"])
    assert "LSTM / GRU at the best rate of each: 1.00 [1.00, 1.00]" in said
    assert "never (0 of 2)" in said
