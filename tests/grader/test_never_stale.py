"""A grade is of what is handed in now, or it is flagged; a kill leaves a gradebook that agrees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader import cli, job, pool
from grader.classroom import Classroom
from grader.markclass import Outcome, mark_class
from tests.grader import classes as c

pytestmark = pytest.mark.slow
FULL = sum(c.worth().values())


def kept(room: Classroom) -> dict[str, tuple[float, bool]]:
    """Student -> the score in the gradebook, and whether it waits for a person."""
    with room.gradebook() as book:
        return {
            s.student.id: (s.score, s.needs_manual_grade)
            for s in book.assignment_submissions(c.SLUG)
        }


def one(tmp_path: Path, data: bytes | None = None) -> Classroom:
    room = c.new_class(tmp_path / "room", {"ada": data or c.full().bytes()})
    mark_class(room, jobs=1)
    return room


def flags(outcome: Outcome, student: str = "ada") -> str:
    return " ".join(outcome.records[student, c.SLUG]["flags"])


# ---------------------------------------------------------------- under another name


def test_a_resubmission_under_another_name_replaces_the_mark(tmp_path: Path) -> None:
    room = one(tmp_path)
    assert kept(room) == {"ada": (FULL, False)}
    path = room.hand_in_path(c.SLUG, "ada")
    path.unlink()
    path.with_name("rnn (1).ipynb").write_bytes(c.Blank(c.SLUG).bytes())
    outcome = mark_class(room, jobs=1)
    assert kept(room) == {"ada": (0, False)}
    assert "It was handed in as rnn (1).ipynb, not rnn.ipynb." in flags(outcome)
    assert (again := mark_class(room, jobs=1)).marked + again.entered == 0


def test_a_notebook_beside_the_one_that_is_marked_is_flagged(tmp_path: Path) -> None:
    room = one(tmp_path)
    path = room.hand_in_path(c.SLUG, "ada")
    path.with_name("RNN-final.IPYNB").write_bytes(c.Blank(c.SLUG).bytes())
    outcome = mark_class(room, jobs=1)
    assert kept(room) == {"ada": (FULL, True)}
    assert "RNN-final.IPYNB was handed in beside it" in flags(outcome)
    path.with_name("RNN-final.IPYNB").unlink()
    assert mark_class(room, jobs=1).marked == 0  # its first record stands
    assert kept(room) == {"ada": (FULL, False)}


def test_two_notebooks_under_other_names_wait_for_a_person(tmp_path: Path) -> None:
    room = one(tmp_path)
    path = room.hand_in_path(c.SLUG, "ada")
    path.rename(path.with_name("a.ipynb"))
    path.with_name("b.ipynb").write_bytes(c.Blank(c.SLUG).bytes())
    outcome = mark_class(room, jobs=1)
    assert kept(room) == {"ada": (0, True)}
    assert "There are 2 notebooks and none is rnn.ipynb: a.ipynb, b.ipynb." in flags(outcome)


# ---------------------------------------------------------------- gone


@pytest.mark.parametrize("what", ["file", "folder", "student"])
def test_a_hand_in_that_is_gone_keeps_no_grade_in_silence(
    what: str, tmp_path: Path, capsys
) -> None:
    room = one(tmp_path)
    path = room.hand_in_path(c.SLUG, "ada")
    gone = {"file": path, "folder": path.parent, "student": path.parent.parent}[what]
    gone.rename(tmp_path / "elsewhere")
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 0
    said = capsys.readouterr()
    if what == "file":  # handed in, and nothing in it
        assert kept(room) == {"ada": (0, True)}
        assert "No file rnn.ipynb was handed in" in said.out
    else:  # nothing is lost, and nothing is passed over
        assert kept(room) == {"ada": (FULL, True)}
        assert "grader: The hand-in of ada to 'rnn' is not there any more" in said.err
    gone.parent.mkdir(exist_ok=True)
    (tmp_path / "elsewhere").rename(gone)
    mark_class(room, jobs=1)
    assert kept(room) == {"ada": (FULL, False)}


def test_a_score_that_a_person_gave_is_not_flagged_when_the_hand_in_is_gone(tmp_path: Path) -> None:
    room = one(tmp_path)
    first, *_ = c.worth()
    with room.gradebook() as book:
        grade = book.find_grade(first, c.SLUG, c.SLUG, "ada")
        grade.manual_score = 0.25
        book.db.commit()
    path = room.hand_in_path(c.SLUG, "ada").parent
    path.rename(tmp_path / "elsewhere")
    mark_class(room, jobs=1)
    with room.gradebook() as book:
        waiting = {
            g.name: g.needs_manual_grade
            for g in book.find_submission_notebook(c.SLUG, c.SLUG, "ada").grades
        }
    assert waiting == {name: name != first for name in c.worth()}


# ---------------------------------------------------------------- meanwhile


def changing(monkeypatch: pytest.MonkeyPatch, change: Callable[[int], None]) -> None:
    """Something happens to the hand-ins each time that one has just been read."""
    real, calls = job.judge, [0]

    def judge(*arguments: Any) -> dict[str, Any]:
        calls[0] += 1
        change(calls[0])
        return real(*arguments)

    monkeypatch.setattr(pool, "judge", judge)


def test_a_hand_in_that_changes_while_it_is_marked_is_marked_again(tmp_path: Path, monkeypatch):
    room = c.new_class(tmp_path / "room", {n: c.full().bytes() for n in ("ada", "bo", "carmen")})
    path = room.hand_in_path(c.SLUG, "bo")
    changing(monkeypatch, lambda n: path.write_bytes(c.Blank(c.SLUG).bytes()) if n == 2 else None)
    outcome = mark_class(room, jobs=1)
    assert outcome.marked == 4 and outcome.remarks == []
    assert kept(room) == {"ada": (FULL, False), "bo": (0, False), "carmen": (FULL, False)}
    assert outcome.records["bo", c.SLUG]["earned"] == 0


def test_one_that_never_rests_is_named_and_stops_nobody(tmp_path: Path, monkeypatch) -> None:
    room = c.new_class(tmp_path / "room", {n: c.full().bytes() for n in ("ada", "bo")})
    path = room.hand_in_path(c.SLUG, "bo")
    changing(monkeypatch, lambda n: path.write_bytes(c.with_cell(f"n = {n}")))
    outcome = mark_class(room, jobs=1)
    assert [r for r in outcome.remarks if "bo to 'rnn' changed each time" in r]
    assert kept(room) == {"ada": (FULL, False), "bo": (FULL, False)}


def test_one_that_is_taken_away_while_it_is_marked(tmp_path: Path, monkeypatch) -> None:
    room = c.new_class(tmp_path / "room", {n: c.full().bytes() for n in ("ada", "bo")})
    folder = room.hand_in_path(c.SLUG, "bo").parent

    def take_away(n: int) -> None:
        if n == 2:
            folder.rename(tmp_path / "elsewhere")

    changing(monkeypatch, take_away)
    outcome = mark_class(room, jobs=1)
    assert kept(room) == {"ada": (FULL, False), "bo": (FULL, True)}
    assert "bo to 'rnn' is not there any more" in outcome.remarks[0]


# ---------------------------------------------------------------- kill -9


_KILL = """
import os, signal, sys
from pathlib import Path
from grader import gradebook, classroom, markclass, record
from grader.classroom import Classroom

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def after(count, real):
    left = [count]
    def wrapped(*arguments, **named):
        made = real(*arguments, **named)
        left[0] -= 1
        return made if left[0] else die()
    return wrapped

where = sys.argv[2]
if where == "before the commit":
    gradebook._penalise = die
elif where == "after the commit":
    gradebook.enter = after(1, gradebook.enter)
elif where == "between the notebooks":
    gradebook.assemble = after(2, gradebook.assemble)
elif where == "between the records":
    record.write = after(3, record.write)
elif where == "between two batches":
    markclass._TOGETHER = 2
    classroom.Classroom.enter = after(1, classroom.Classroom.enter)
markclass.mark_class(Classroom.open(Path(sys.argv[1])), jobs=1, seed=5)
"""


def gradebook_of(room: Classroom) -> dict[str, Any]:
    """Every score, comment and time that the gradebook holds, and what the notebooks say."""
    with room.gradebook() as book:
        rows = {
            s.student.id: (
                s.timestamp,
                sorted((g.name, g.auto_score, g.needs_manual_grade) for g in s.notebooks[0].grades),
                sorted((x.name, x.auto_comment or "") for x in s.notebooks[0].comments),
                s.notebooks[0].late_submission_penalty,
            )
            for s in book.assignment_submissions(c.SLUG)
        }
    notebooks = {
        str(p.relative_to(room.autograded)): p.read_text() for p in room.autograded.rglob("*.ipynb")
    }
    return {"rows": rows, "notebooks": notebooks}


def made() -> dict[str, Any]:
    half = c.Blank(c.SLUG)
    return {
        "ada": c.full().bytes(),
        "bo": c.Blank(c.SLUG).bytes(),
        "carmen": half.solve(*half.exercises[::2]).bytes(),
        "dmitri": b"no",
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    room = c.new_class(tmp_path_factory.mktemp("calm") / "room", made())
    mark_class(room, jobs=1, seed=5)
    return gradebook_of(room)


@pytest.mark.parametrize(
    "where",
    [
        "between the records",
        "before the commit",
        "after the commit",
        "between the notebooks",
        "between two batches",
    ],
)
def test_a_kill_leaves_a_whole_gradebook_and_the_next_run_ends_it(
    where: str, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    room = c.new_class(tmp_path / "room", made())
    done = subprocess.run(
        [sys.executable, "-c", _KILL, str(room.root), where], env=os.environ, check=False
    )
    assert done.returncode == -signal.SIGKILL
    rows = gradebook_of(room)["rows"]
    # Whoever is in the gradebook is there whole: no half-written row, no student without a score.
    assert {name: row for name, row in undisturbed["rows"].items() if name in rows} == rows
    expected = {"after the commit": 4, "between the notebooks": 4, "between two batches": 2}
    assert len(rows) == expected.get(where, 0)
    mark_class(room, jobs=1, seed=5)
    assert gradebook_of(room) == undisturbed
