"""The records in the book were made by the commands that they name."""

from pathlib import Path

import pytest

from gatedrnn.bench import cli, report
from gatedrnn.experiments.records import read_record
from gatedrnn.experiments.registry import experiment_names, load_experiment

RESULTS = Path(__file__).parents[2] / "book" / "results"
BENCHMARKS = sorted(RESULTS.glob("bench_*.json"))
RECORDS = sorted(set(RESULTS.glob("*.json")) - set(BENCHMARKS))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_whole_and_can_be_shown(path):
    record = read_record(path)
    assert record["experiment"] == path.stem in experiment_names()
    assert record["command"].startswith(f"python -m gatedrnn.experiments run {path.stem}")
    assert not record["quick"]
    # A "+" would say that the source was not the one that is committed.
    assert record["commit"] and not record["commit"].endswith("+")
    experiment = load_experiment(path.stem)
    assert record["title"] == experiment.TITLE
    assert record["configuration"] == experiment.FULL
    assert experiment.table(record["results"]).count("\n") > 3


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_is_whole_and_judged_by_the_bounds_of_today(path):
    record = read_record(path)
    assert record["experiment"] == path.stem == f"bench_cpu_{record['threads']}"
    assert record["command"].startswith("python -m gatedrnn.bench")
    assert not record["quick"]
    assert record["commit"] and not record["commit"].endswith("+")
    results = record["results"]
    assert [len(results[s]) for s in ("gru", "lstm", "minimal", "time", "hidden")] == [
        4,
        4,
        4,
        7,
        6,
    ]
    assert not any(case["absent"] for case in results["gru"])
    # A bound that is moved after the run would show here.
    assert results["targets"] == report.targets(results, record["threads"])
    assert record["configuration"].items() >= cli.FULL.items()


def test_there_are_records():
    assert len(BENCHMARKS) == 2
    assert set(experiment_names()) <= {path.stem for path in RECORDS}
