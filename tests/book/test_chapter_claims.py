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


# ---------------------------------------------------------------- claims ledger


def _steps(target, cell, rate):
    found = results("convergence")["targets"][target][cell]["rates"][rate]
    return [float("inf") if step is None else step for step in found["steps"]]


def test_on_the_adding_problem_the_gru_arrives_first_at_every_rate():
    for rate in ("0.001", "0.003", "0.01", "0.03"):
        for other in ("LSTM", "LSTM, forget bias 1"):
            assert np.median(_steps("adding", "GRU", rate)) < np.median(
                _steps("adding", other, rate)
            )
    assert max(_steps("adding", "GRU", "0.001")) < float("inf")
    for other in ("LSTM", "LSTM, forget bias 1"):
        assert min(_steps("adding", other, "0.001")) == float("inf")


def test_on_the_chorales_it_is_ahead_to_the_first_bound_and_not_to_the_second():
    targets = results("convergence")["targets"]
    assert targets["chorales, 10.0"]["ratios"]["LSTM / GRU"]["low"] > 1
    second = targets["chorales, 9.0"]["ratios"]["LSTM / GRU"]
    assert second["low"] < 1 < second["high"]
    slower, sooner = (np.median(_steps("chorales, 9.0", c, "0.01")) for c in ("GRU", "LSTM"))
    assert sooner < slower


def test_the_largest_rate_was_the_best_for_every_cell():
    for cells in results("convergence")["targets"].values():
        assert {c["best_rate"] for name, c in cells.items() if name != "ratios"} == {"0.03"}


# ---------------------------------------------------------------- benchmarks


def _ratio(section, size, name, what="training", threads=1):
    cases = results(f"bench_cpu_{threads}")[section]
    case = next(c for c in cases if tuple(c["size"].values()) == size)
    row = next(c for c in case["competitors"] if c["name"] == name)
    return row[what]["ratio"]["median"]


SMALL, MIDDLE = (32, 100, 64, 128), (64, 256, 128, 256)
LONG, LARGE = (1, 1000, 64, 128), (128, 64, 512, 512)


def test_what_the_benchmark_page_says_of_the_gru():
    for size in (SMALL, LONG):
        fused = _ratio("gru", size, "ours, fused")
        assert _ratio("gru", size, "JAX, lax.scan") < fused  # it is ahead of us
        assert fused < _ratio("gru", size, "plain loop, 4 steps compiled")  # worth more than that
    assert _ratio("gru", LONG, "NumPy, fused") == pytest.approx(1 / 6, abs=0.02)
    assert _ratio("gru", LONG, "ours, fused") == pytest.approx(1 / 4, abs=0.02)
    missed = [g for t in (1, 2) for g in results(f"bench_cpu_{t}")["targets"] if not g["met"]]
    assert [g["what"] for g in missed] == ["training, (128, 64, 512, 512)"]
    assert _ratio("hidden", (32, 100, 64, 1024), "ours, fused", "forward") > 1


def test_what_the_benchmark_page_says_of_the_lstm_and_of_minimal_cells():
    for size in (SMALL, MIDDLE, LONG, LARGE):
        assert _ratio("lstm", size, "ours, fused", "forward") > 1
        assert (_ratio("lstm", size, "ours, fused") < 1) == (size in (MIDDLE, LARGE))
        by_hand = _ratio("minimal", size, "minGRU, fused")
        assert (by_hand < _ratio("minimal", size, "minGRU, doubling")) == (size != LONG)
        slowest = [_ratio("minimal", size, f"minGRU, {way}") for way in ("steps", "doubling")]
        in_logs = [_ratio("minimal", size, f"minGRU, log{way}") for way in ("", "-cumulative")]
        assert (min(in_logs) > max(slowest)) == (size != LONG)


def test_what_the_benchmark_page_says_of_marking_a_class():
    found = results("marking/throughput")
    rows = found["sealed"]
    largest = rows[-1]
    for row in rows:
        line = largest["seconds"] * row["hand_ins"] / largest["hand_ins"]
        assert line <= row["seconds"] < line + 10  # above the straight line, and not by much
    peaks = [row["peak_mib"] for row in rows]
    assert max(peaks) < 1.2 * min(peaks)  # "nearly the same for every size"
    assert found["stock"]["same_scores"] is True
