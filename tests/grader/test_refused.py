"""One mark that the gradebook or the disk refuses is named, and costs nobody else anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc

from grader import cli, gradebook, pool
from grader.classroom import Classroom
from grader.job import Job, judge
from grader.markclass import mark_class
from tests.grader import classes as c

pytestmark = pytest.mark.slow
FULL, STUDENTS = sum(c.worth().values()), [f"s{n:02d}" for n in range(30)]
POISONED = "s13"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of thirty, in which nothing has been marked."""
    root = tmp_path_factory.mktemp("refused") / "fresh"
    return c.new_class(root, dict.fromkeys(STUDENTS, c.full().bytes())).root


@pytest.fixture
def room(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    shutil.copytree(fresh, tmp_path / "room")
    made: dict[str, dict[str, Any]] = {}

    def once(one: Job, factory: Any) -> dict[str, Any]:
        """All hand in the same: it is marked once."""
        if one.key not in made:
            made[one.key] = judge(one, factory)
        return dict(made[one.key])

    monkeypatch.setattr(pool, "judge", once)
    return Classroom.open(tmp_path / "room")


def kept(room: Classroom) -> dict[str, float]:
    with room.gradebook() as book:
        return {s.student.id: s.score for s in book.assignment_submissions(c.SLUG)}


def as_marked(room: Classroom) -> set[str]:
    return {path.parent.parent.name for path in room.autograded.rglob("*.ipynb")}


def a_fault(error: Exception) -> Callable[..., Any]:
    """An entering that refuses one student."""
    real = gradebook._Ledger._grades

    def refuse(self: Any, notebooks: Any) -> None:
        if POISONED in self._entries:
            raise error
        real(self, notebooks)

    return refuse


@pytest.mark.parametrize(
    "error",
    [
        KeyError("rnn_step"),
        exc.IntegrityError("insert", {}, Exception("UNIQUE constraint failed: grade.id")),
        exc.DataError("insert", {}, Exception("value too long for type character varying(128)")),
        UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_one_among_thirty_is_named_and_the_others_are_entered(
    room: Classroom, monkeypatch, capsys, error: Exception
) -> None:
    monkeypatch.setattr(gradebook._Ledger, "_grades", a_fault(error))
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 1
    said = capsys.readouterr()
    (line,) = [x for x in said.err.splitlines() if x.startswith("grader: ")]
    assert line.startswith(f"grader: The mark of {POISONED!r} in 'rnn' could not be entered")
    assert type(error).__name__ in line and "Its record is kept." in line
    others = set(STUDENTS) - {POISONED}
    assert kept(room) == dict.fromkeys(others, FULL)
    assert as_marked(room) == others
    assert len(list(room.records.rglob("*.json"))) == len(STUDENTS)
    assert "29 entered" in said.out
    again = mark_class(room, jobs=1)  # it is tried each time, and named each time
    assert (again.marked, again.entered, again.refused, len(again.remarks)) == (0, 0, 1, 1)
    monkeypatch.undo()
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 0
    assert kept(room) == dict.fromkeys(STUDENTS, FULL)
    assert as_marked(room) == set(STUDENTS)


@pytest.mark.parametrize("folder", ["records/rnn", "autograded"])
def test_a_file_in_the_way_of_one_student(room: Classroom, folder: str, capsys) -> None:
    in_the_way = room.root / folder / POISONED
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("mine")
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert f"The mark of {POISONED!r} in 'rnn' could not be" in said and "Traceback" not in said
    assert as_marked(room) == set(STUDENTS) - {POISONED}
    assert in_the_way.read_text() == "mine"
    in_the_way.unlink()
    assert mark_class(room, jobs=1).refused == 0
    assert as_marked(room) == set(STUDENTS) and kept(room) == dict.fromkeys(STUDENTS, FULL)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exc.OperationalError("x", {}, Exception("database is locked")), "in use by another"),
        (exc.OperationalError("x", {}, Exception("database or disk is full")), "The disk is full"),
        (exc.DatabaseError("x", {}, Exception("disk image is malformed")), "not a database any"),
        (OSError(28, "No space left on device", "autograded/x"), "The disk is full while writing"),
    ],
    ids=["locked", "full", "malformed", "disk"],
)
def test_a_fault_of_the_whole_gradebook_stops_at_once(
    room: Classroom, monkeypatch, capsys, error: Exception, words: str
) -> None:
    tried = []

    def refuse(*arguments: Any) -> None:
        tried.append(arguments)
        raise error

    monkeypatch.setattr(gradebook, "enter", refuse)
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("grader: ")]
    assert words in line
    assert len(tried) == 1
    monkeypatch.undo()
    mark_class(room, jobs=1)
    assert kept(room) == dict.fromkeys(STUDENTS, FULL)


def test_a_fault_of_every_record_is_not_said_thirty_times(room: Classroom, monkeypatch) -> None:
    monkeypatch.setattr(gradebook, "assemble", lambda *_: {}["lost"])
    outcome = mark_class(room, jobs=1)
    assert (outcome.refused, outcome.entered, len(outcome.remarks)) == (30, 0, 11)
    assert outcome.remarks[-1] == "20 more marks could not be kept or entered."
    monkeypatch.undo()
    assert mark_class(room, jobs=1).refused == 0
    assert as_marked(room) == set(STUDENTS) and kept(room) == dict.fromkeys(STUDENTS, FULL)


def test_the_score_of_an_earlier_hand_in_does_not_stand_in_silence(
    room: Classroom, monkeypatch
) -> None:
    mark_class(room, jobs=1)
    c.hand_in(room, POISONED, c.Blank(c.SLUG).bytes())
    monkeypatch.setattr(gradebook._Ledger, "_grades", a_fault(KeyError("x")))
    assert mark_class(room, jobs=1).refused == 1
    with room.gradebook() as book:
        waiting = {
            s.student.id for s in book.assignment_submissions(c.SLUG) if s.needs_manual_grade
        }
    assert waiting == {POISONED}
    monkeypatch.undo()
    mark_class(room, jobs=1)
    assert kept(room) == dict.fromkeys(STUDENTS, FULL) | {POISONED: 0}
    with room.gradebook() as book:
        assert not any(s.needs_manual_grade for s in book.assignment_submissions(c.SLUG))


@pytest.mark.parametrize(
    "damage", ["", "{", "[" * 100_000, "{}", '{"schema": "gatedrnn-record/1"}']
)
def test_a_damaged_record_is_made_again(room: Classroom, damage: str) -> None:
    before = mark_class(room, jobs=1).records[POISONED, c.SLUG]
    (path,) = (room.records / c.SLUG / POISONED).iterdir()
    if damage.endswith("}") and len(damage) > 2:
        damage = damage[:-1] + f', "key": "{path.stem}", "status": "marked"}}'
    path.write_text(damage)
    assert mark_class(room, jobs=1).marked == 1
    after = mark_class(room, jobs=1).records[POISONED, c.SLUG]
    assert after["earned"] == before["earned"] and os.listdir(path.parent) == [path.name]
