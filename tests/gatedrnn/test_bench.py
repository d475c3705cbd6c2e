"""The benchmark: intervals, rounds in turn, kept bytes, and its harness at small size."""

import itertools
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from gatedrnn.analysis.timing import (
    median_interval,
    process_clock,
    ratios,
    run_in_turn,
    saved_bytes,
    wall_clock,
)
from gatedrnn.bench import cli, competitors, parts, peers, report
from gatedrnn.bench.case import Case, Competitor, Size

SMALL = Size(3, 5, 4, 6)


# ---------------------------------------------------------------- medians


def test_the_interval_of_a_median_has_the_ranks_of_the_binomial_table():
    # n = 15 at 95 %: the 4th smallest and the 4th largest (Conover, table A3).
    found = median_interval(list(range(1, 16)))
    assert (found.low, found.median, found.high, found.n) == (4, 8, 12, 15)
    assert 0.95 <= found.level < 0.97


@pytest.mark.parametrize("n", [6, 11, 25])
def test_the_interval_holds_the_true_median_as_often_as_it_says(n):
    # By enumeration: each value is below the true median or not, with equal chance.
    ranks = median_interval(list(range(n)))
    low, high = int(ranks.low), int(ranks.high)
    held = sum(math.comb(n, below) for below in range(low + 1, high + 1)) / 2**n
    assert held == pytest.approx(ranks.level, abs=1e-12)
    assert held >= 0.95


def test_few_values_say_how_little_they_hold():
    found = median_interval([3.0, 1.0, 2.0])
    assert (found.low, found.median, found.high) == (1.0, 2.0, 3.0)
    assert found.level == 0.75  # outside only when all three lie on one side: 2 / 8
    assert median_interval([1.0]).level == 0
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


# ---------------------------------------------------------------- rounds


def test_competitors_take_turns_and_slow_ones_stop_early():
    calls = []
    works = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    duration = {"a": 1.0, "b": 9.0}

    def clock(work):
        work()
        return duration[calls[-1]]

    seconds = run_in_turn(works, clock, rounds=4, warm_up=1, slow=5, slow_rounds=2)
    assert "".join(calls) == "ab" + "ababaa"
    assert seconds == {"a": [1.0] * 4, "b": [9.0] * 2}
    assert ratios(seconds["b"], seconds["a"]) == [9.0, 9.0]


def test_the_clocks_count_what_they_say():
    def sleep():
        import time

        time.sleep(0.05)

    assert wall_clock(sleep) >= 0.05
    assert process_clock(sleep) < 0.03
    assert process_clock(lambda: sum(itertools.repeat(1, 200_000))) > 0


# ---------------------------------------------------------------- kept bytes


def test_kept_bytes_are_those_of_the_saved_tensors():
    x = torch.randn(10, 8)
    w = torch.randn(8, 8, requires_grad=True)
    # sigmoid keeps its result; the product keeps x and w, which were given.
    assert saved_bytes(lambda: (x @ w).sigmoid(), [x, w]) == 10 * 8 * 4
    # Both factors are views of one memory, which counts once and whole.
    y = torch.randn(10, 8, requires_grad=True)

    def halves():
        doubled = y * 2
        return doubled[:5] * doubled[5:]

    assert saved_bytes(halves, [y]) == 10 * 8 * 4


def test_torch_keeps_seven_values_for_each_output_of_a_gru():
    T, B, D, H = 30, 4, 3, 5
    layer, x = nn.GRU(D, H), torch.randn(T, B, D)
    kept = saved_bytes(lambda: layer(x)[0], [x, *layer.parameters()])
    assert kept / (4 * T * B * H) == pytest.approx(7, abs=0.2)


# ---------------------------------------------------------------- competitors


@pytest.mark.parametrize("section", ["gru", "lstm"])
def test_every_competitor_computes_what_the_reference_does(section):
    case = Case(section, SMALL, torch.device("cpu"))
    field = [
        build(case) for build in parts.builders(section, SMALL, "cpu") if not peers.missing(build)
    ]
    differences = parts._differences(field)
    assert {"ours, fused", "ours, plain", "ours, fused, recomputing"} <= differences.keys()
    assert max(differences.values()) < 1e-5


def test_a_competitor_with_another_result_ends_the_run():
    case = Case("gru", SMALL, torch.device("cpu"))
    reference = competitors.library(case)
    wrong = Competitor("wrong", lambda: reference.forward() * 1.01)
    with pytest.raises(ValueError, match="wrong differs from torch.nn.GRU by"):
        parts._differences([reference, wrong])
    nan = Competitor("nan", lambda: reference.forward() * np.nan)
    with pytest.raises(ValueError, match="nan differs"):
        parts._differences([reference, nan])


def test_the_floor_has_the_products_of_a_training_step():
    case = Case("gru", SMALL, torch.device("cpu"))
    floor = competitors.products_alone(case)
    B, T, D, H = SMALL.B, SMALL.T, SMALL.D, SMALL.H
    with torch.profiler.profile(with_flops=True) as profile:
        floor.training()
    done = sum(event.flops for event in profile.key_averages())
    # Forward twice over, less the gradient of x, as in the text.
    assert done == 18 * B * T * H * (D + H) - 6 * B * T * H * D


def test_a_missing_peer_says_what_to_install(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert "pip install 'gatedrnn[bench]'" in peers.missing(peers.jax_scan)
    assert peers.missing(peers.numpy_fused) is None


# ---------------------------------------------------------------- report and command


def row(name, training, forward=1.0, saved=5.1):
    return {
        "name": name,
        "saved": saved,
        **{
            what: {
                "ratio": {"median": value, "low": value, "high": value},
                "seconds": {"median": 1},
            }
            for what, value in (("training", training), ("forward", forward))
        },
    }


def test_targets_are_judged_by_size_and_threads():
    case = {
        "size": {"B": 32, "T": 100, "D": 64, "H": 128},
        "absent": {},
        "competitors": [
            row("torch.nn.GRU", 1.0, saved=7),
            row("ours, fused", 0.7, forward=0.95),
            row("ours, fused, recomputing", 0.9, saved=1.1),
            row("NumPy, fused", 0.8),
        ],
    }
    judged = {t["what"]: t for t in report.targets({"gru": [case]}, threads=1)}
    assert judged["training, (32, 100, 64, 128)"]["met"]
    assert not judged["forward, (32, 100, 64, 128)"]["met"]
    assert judged["recomputing / keeping, training, (32, 100, 64, 128)"]["reached"] == 1.286
    two = {t["what"]: t for t in report.targets({"gru": [case]}, threads=2)}
    assert not two["training, (32, 100, 64, 128)"]["met"]
    assert "MISSED" in report.target_line(two["training, (32, 100, 64, 128)"])


@pytest.mark.slow
def test_a_trial_run_writes_a_record_and_keeps_what_it_finished(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["--quick", "--threads", "1", "--sections", "minimal", "imports", "--out", "."]
    run_part = cli._run_part

    def fail_at_imports(part, path):
        if part["section"] == "imports":
            raise cli.ExperimentError("stopped")
        run_part(part, path)

    monkeypatch.setattr(cli, "_run_part", fail_at_imports)
    assert cli.main(command) == 1
    ran = []
    monkeypatch.setattr(
        cli, "_run_part", lambda p, path: (ran.append(p["section"]), run_part(p, path))
    )
    assert cli.main(command) == 0
    assert ran == ["imports"]
    record = json.loads((tmp_path / "bench_cpu_1.json").read_text())
    assert record["threads"] == 1 and record["quick"]
    names = [r["name"] for r in record["results"]["minimal"][0]["competitors"]]
    assert names[0] == "torch.nn.GRU" and "minGRU, fused" in names
    assert record["results"]["imports"]["equations import torch"] is False
    assert "minGRU, fused" in report.table(record["results"])


def test_a_time_of_other_code_is_not_taken_again(monkeypatch):
    part = {"section": "gru", "size": {"B": 4}, "threads": 1}
    name = cli._file_name(part)
    assert cli._file_name(part | {"threads": 2}) != name
    monkeypatch.setattr(cli, "source_digest", lambda: "edited")
    assert cli._file_name(part) != name


def test_the_command_explains_itself():
    done = subprocess.run(
        [sys.executable, "-m", "gatedrnn.bench", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--threads" in done.stdout
