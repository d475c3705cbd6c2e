"""The benchmark of marking: that it runs, and that its record in the book is a whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatedrnn.experiments.records import read_record
from grader import bench
from grader.worker import seal


@pytest.mark.slow
@pytest.mark.skipif(bool(seal.trial()), reason=f"sealed marking does not work: {seal.trial()}")
def test_a_quick_run_marks_like_stock_and_says_what_it_took(tmp_path: Path, capsys) -> None:
    path = tmp_path / "throughput.json"
    assert bench.main(["--quick", "--jobs", "2", "--out", str(path)]) == 0
    results = read_record(path)["results"]
    (ours,) = results["sealed"]
    assert results["stock"]["same_scores"] is True
    assert ours["isolation"] == "sealed: bubblewrap + seccomp"
    for row in (ours, results["alone"]):
        assert 0 < row["median"] <= row["seconds"] and row["cpu_each"] > 0
    assert ours["peak_mib"] > 50 and results["stock"]["peak_mib"] > 50  # Python with NumPy alone
    assert results["ratio"] == pytest.approx(results["stock"]["each"] / ours["each"], abs=0.1)
    assert "scores of stock and ours" in capsys.readouterr().out
    assert bench.main(["--show", "--out", str(path)]) == 0


def test_the_classes_are_honest_work_and_no_two_files_are_the_same(tmp_path: Path) -> None:
    room = bench.new_class(tmp_path / "room", 9)
    data = [hand_in.path.read_bytes() for hand_in in room.hand_ins()]
    assert len(data) == len(set(data)) == 9


def test_a_target_that_is_missed_is_said_to_be_missed() -> None:
    sealed = [{"hand_ins": 1000, "each": 0.1, "seconds": 100.0, "again_seconds": 9.0}]
    results = {
        "alone": {"median": 0.2},
        "sealed": sealed,
        "stock": {"same_scores": False},
        "ratio": 24.9,
        "cpu_ratio": 26.0,
        "targets": bench.TARGETS,
    }
    words = dict(bench._against_targets(results))
    assert words["one hand-in alone, the median"].endswith("does not hold")
    assert words["one of the largest class, on average"].endswith(": holds")
    assert words["throughput, times stock's"].endswith("does not hold")
    assert words["the same by processor time"].endswith(": holds")
    assert words["1,000 hand-ins"].endswith(": holds")
    assert words["a second run of 1,000"].endswith("does not hold")
    assert words["scores of stock and ours"] == "NOT the same"


def test_the_record_in_the_book_is_of_a_full_sealed_run() -> None:
    record = read_record(bench.RECORD)
    assert record["command"].startswith("python -m grader.bench") and not record["quick"]
    assert record["commit"] and not record["commit"].endswith("+")
    assert record["results"]["stock"]["same_scores"] is True
    for row in record["results"]["sealed"]:
        assert row["isolation"] == "sealed: bubblewrap + seccomp"
        assert row["each"] == pytest.approx(
            row["seconds"] / row["hand_ins"], abs=0.01 / row["hand_ins"] + 1e-4
        )
