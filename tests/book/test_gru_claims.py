"""The verdict that the GRU chapter writes in words must follow from the record that it shows."""

from pathlib import Path

import pytest

from gatedrnn.analysis.statistics import Interval, paired_difference
from gatedrnn.experiments.records import read_record

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "book" / "results" / "tinyshakespeare_cells.json"


@pytest.fixture(scope="module")
def results() -> dict:
    return read_record(RECORD)["results"]


def difference(results: dict, first: str, second: str, part: str) -> Interval:
    cells = results["cells"]
    return paired_difference(cells[first][f"{part}_bpc"], cells[second][f"{part}_bpc"])


# "ahead of" means that the interval lies below 0, "cannot be told apart" that it holds 0.
@pytest.mark.parametrize(
    ("first", "second", "part", "ahead"),
    [
        ("GRU", "RNN", "test", True),
        ("GRU", "RNN", "valid", True),
        ("GRU", "LSTM", "test", True),
        ("GRU", "LSTM", "valid", False),
        ("LSTM", "RNN", "test", False),
        ("LSTM", "RNN", "valid", True),
    ],
)
def test_the_record_bears_the_verdict(results, first, second, part, ahead):
    interval = difference(results, first, second, part)
    assert (interval.high < 0) if ahead else (interval.low <= 0 <= interval.high)


def test_the_comparison_is_the_one_that_the_chapter_describes(results):
    cells, baseline = results["cells"], results["baseline"]
    counts = [cell["parameters"] for cell in cells.values()]
    assert max(counts) / min(counts) < 1.01
    assert all(len(cell["test_bpc"]) >= 5 for cell in cells.values())
    # The chapter quotes the baseline's validation value by its place in the list.
    assert baseline["orders"][4] == baseline["order"]
    assert min(baseline["valid_bpc"]) == baseline["valid_bpc"][4]


def test_no_run_had_finished_learning(results):
    for cell in results["cells"].values():
        for curve in cell["curve_valid_bpc"]:
            assert min(curve) == curve[-1]
