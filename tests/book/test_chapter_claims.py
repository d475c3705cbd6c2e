"""What the chapters say in words about a record must follow from that record.

The numbers themselves are read from the records when the book is built; here are the words around
them: "lowest", "apart", "never", "cannot be told apart".
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gatedrnn.experiments.records import read_record

RECORDS = Path(__file__).resolve().parents[2] / "book" / "results"


@cache
def results(name: str) -> dict:
    return read_record(RECORDS / f"{name}.json")["results"]


# ---------------------------------------------------------------- sequences


def test_the_autoregression_is_lowest_at_every_horizon():
    for series in results("naive_forecasts")["series"].values():
        methods = {name: np.array(row["mean"]) for name, row in series["methods"].items()}
        lowest = methods.pop("autoregression")
        assert all((lowest < other).all() for other in methods.values())


def test_two_years_ahead_its_lead_on_sunspots_is_not_certain():
    pairs = results("naive_forecasts")["series"]["sunspots"]["pairs"]
    lead = pairs["autoregression - seasonal naive"]["24"]
    assert lead["low"] < 0 < lead["high"]


@pytest.mark.parametrize("part", ["valid", "test"])
def test_each_network_is_below_the_counts_on_the_mean(part):
    text = results("tinyshakespeare_cells")
    base = text["baseline"]
    counted = base["test_bpc"] if part == "test" else min(base["valid_bpc"])
    for cell in text["cells"].values():
        assert cell[f"{part}_interval"]["mean"] < counted
        assert cell["parameters"] < base["counts"]


def test_the_best_order_grows_with_the_text():
    orders = [results("ngram_orders")["best"][share]["order"] for share in ("0.01", "0.1", "1.0")]
    assert orders == sorted(set(orders))


# ---------------------------------------------------------------- gradients


def test_before_training_orthogonal_weights_keep_more_than_fresh_gates():
    kept = {
        name: row["h"]["at_lag"]["100"]["geometric_mean"]
        for name, row in results("gradient_lag")["variants"].items()
    }
    assert kept["RNN"] < kept["GRU"] < 1e-17 and kept["RNN"] < kept["LSTM"] < 1e-17
    assert kept["RNN, orthogonal W_hh"] > 1e5 * max(kept["GRU"], kept["LSTM"])
    assert kept["GRU, bias of z +4"] > 0.1


def test_training_opens_the_gates_and_the_plain_network_does_not_solve_the_long_question():
    tasks = results("gradient_lag_trained")["tasks"]
    for cell, state in (("GRU", "h"), ("LSTM", "c")):
        row = tasks["long"][cell]
        assert row["solved"] == len(row["after"][state]["norms"])
        after, before = (row[when][state]["at_lag"]["50"] for when in ("after", "before"))
        assert after["low"] > 0.1 and before["high"] < 1e-6
    assert tasks["long"]["RNN"]["solved"] == 0
    short = tasks["short"]["GRU"]
    assert short["after"]["h"]["at_lag"]["50"]["low"] > short["before"]["h"]["at_lag"]["50"]["high"]


# ---------------------------------------------------------------- gru_backward


def test_the_direct_route_is_the_largest_at_every_step_and_not_the_way_of_the_whole():
    for name, row in results("gradient_routes")["variants"].items():
        sizes = {route: np.array(values) for route, values in row["sizes"].items()}
        for route in ("n", "z", "r"):
            assert (sizes["direct"] > sizes[route]).all(), name
    fresh = results("gradient_routes")["variants"]["GRU"]["at_lag"]["100"]["confined"]
    assert fresh["direct alone"]["high"] < 1e-6
    assert fresh["direct and n"]["mean"] == pytest.approx(1, abs=0.05)


# ---------------------------------------------------------------- lstm


def test_who_never_solves_the_adding_problem():
    adding = results("ablations")["tasks"]["adding"]
    never = {name for name, row in adding.items() if row["solved"] == 0}
    assert never == {"RNN", "GRU, no update gate", "LSTM, no input gate"}
    some = {name for name, row in adding.items() if 0 < row["solved"] < row["seeds"]}
    assert some == {"LSTM, no forget gate"}
    steps = {name: row["median_steps"] for name, row in adding.items()}
    assert steps["LSTM, coupled gates"] < steps["LSTM"] / 2
    assert steps["GRU"] < steps["GRU, gates uncoupled"]


@pytest.mark.parametrize(
    ("pair", "verdict"),
    [
        ("LSTM, no output gate - LSTM", "worse"),
        ("GRU, no reset gate - GRU", "worse"),
        ("LSTM, peepholes - LSTM", "worse"),
        ("LSTM, no output activation - LSTM", "better"),
        ("GRU, gates uncoupled - GRU", "better"),
        ("GRU, no update gate - GRU", "not told apart"),
        ("LSTM, no input gate - LSTM", "not told apart"),
        ("LSTM, no forget gate - LSTM", "not told apart"),
        ("LSTM, coupled gates - LSTM", "not told apart"),
        ("GRU - LSTM", "worse"),
    ],
)
def test_what_a_missing_part_costs_on_the_chorales(pair, verdict):
    interval = results("ablations")["pairs"][pair]
    found = "worse" if interval["low"] > 0 else "better" if interval["high"] < 0 else ""
    assert (found or "not told apart") == verdict


def test_the_best_and_the_worst_variant_on_the_chorales():
    rows = results("ablations")["tasks"]["chorales"]
    ordered = sorted(rows, key=lambda name: rows[name]["test_interval"]["mean"])
    assert (ordered[0], ordered[-1]) == ("GRU, gates uncoupled", "GRU, no reset gate")


# ---------------------------------------------------------------- automata


def test_how_far_the_trained_networks_count():
    cells = results("anbn_generalisation")["cells"]
    furthest = {name: cells[name]["furthest"] for name in cells}
    assert cells["LSTM"]["furthest_interval"]["low"] > cells["GRU"]["furthest_interval"]["high"]
    assert max(furthest["LSTM"]) < 100
    assert min(furthest["GRU"]) >= 30 and max(furthest["GRU"]) < 40
    learned = [n for n in furthest["RNN"] if n >= 30]
    assert len(learned) == cells["RNN"]["learned"]["count"] < 5
    assert max(learned) > max(furthest["GRU"])
