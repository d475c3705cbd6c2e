"""Damaged notebooks: each is read or refused, and each that is marked leaves the class whole."""

from __future__ import annotations

from pathlib import Path

import jsonschema

from grader import record
from grader.markclass import mark_class
from grader.worker.launch import Limits
from tests.grader import classes as c
from tests.grader import fuzz
from tests.grader.gallery.run import scores_of

#: A seed that failed once stays here.
FIRST, COUNT = 0, 400


def test_a_damaged_notebook_is_read_as_the_course_means_it_or_refused() -> None:
    assert fuzz.faults(range(FIRST, FIRST + COUNT), fuzz.unit_source()) == {}


def test_a_seed_makes_the_same_notebook_again() -> None:
    assert [fuzz.damaged(n) for n in range(20)] == [fuzz.damaged(n) for n in range(20)]
    assert len({fuzz.damaged(n) for n in range(50)}) > 40


def test_a_class_of_damaged_notebooks_is_marked(tmp_path: Path) -> None:
    made = {f"{n:03d}": fuzz.damaged(n) for n in range(FIRST, FIRST + 40)}
    mates = {f"{n:03d}-then": c.full().bytes() for n in range(FIRST, FIRST + 40, 8)}
    room = c.new_class(tmp_path / "class", made | mates)
    room.limits = Limits(cell=4, call=2, notebook=20, deaths=1, memory=2 * 2**30)
    outcome = mark_class(room, jobs=2)
    records = {student: found for (student, _), found in outcome.records.items()}
    scores, worth = scores_of(room), c.worth()
    assert set(records) == set(scores) == set(made | mates)
    for student, found in records.items():
        jsonschema.validate(found, record.schema())
        assert found["status"] in ("marked", "unreadable"), found["reason"]
        assert found["status"] == "marked" or found["flags"]
        assert all(0 <= scores[student][name] <= worth[name] for name in worth)
        assert sum(scores[student].values()) == found["earned"]
    assert all(scores[student] == worth for student in mates)
