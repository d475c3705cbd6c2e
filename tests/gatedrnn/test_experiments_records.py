"""The records in the book were made by the commands that they name."""

from pathlib import Path

import pytest

from gatedrnn.experiments.records import read_record
from gatedrnn.experiments.registry import experiment_names, load_experiment

RESULTS = Path(__file__).parents[2] / "book" / "results"
RECORDS = sorted(RESULTS.glob("*.json"))


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


def test_there_are_records():
    assert set(experiment_names()) <= {path.stem for path in RECORDS}
