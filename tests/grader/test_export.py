"""Grades as files: nbgrader's exporter and gradebook are the authority, the columns are exact."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import pytest
from nbgrader.plugins import CsvExportPlugin

from grader import cli
from grader.classroom import Classroom
from grader.export import export
from tests.grader import classes as c

# nbgrader builds a submission's rows before it adds them, and SQLAlchemy says so each time.
pytestmark = pytest.mark.filterwarnings("ignore:Object of type")

_WORTH = f"{sum(c.worth().values()):g}"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """A gradebook as nbgrader's own commands leave it; nothing needs to be run for that."""
    room = c.new_class(tmp_path_factory.mktemp("export") / "room", {})
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.Grader.lms_names = {"rnn": "Week 2, RNN (4711)"}\n')
    due = datetime.datetime(2026, 3, 1, 12)
    exercise, other = list(c.worth())[:2]
    with room.gradebook() as book:
        book.update_or_create_assignment(c.SLUG, duedate=due)
        people = {
            "ada": ("Ada", "Lovelace", "ada@example.org", "101"),
            "bo": ("Bo", "O'Neil, Jr.", "", "S-77"),
            "=cmd": ("=HYPERLINK(1)", "@evil", "+1", None),
            "noor": ("Noor", "None", "", "105"),
        }
        for name, (first, last, email, lms) in people.items():
            book.update_or_create_student(
                name, first_name=first, last_name=last, email=email, lms_user_id=lms
            )
        for name, auto in {"ada": 4.0, "bo": 5.0, "=cmd": 1.25}.items():
            submission = book.update_or_create_submission(c.SLUG, name)
            submission.timestamp = due + datetime.timedelta(hours=5 if name == "bo" else -1)
            book.db.commit()
            book.find_grade(exercise, c.SLUG, c.SLUG, name).auto_score = auto
        book.find_grade(other, c.SLUG, c.SLUG, "ada").manual_score = 2.5
        book.find_grade(other, c.SLUG, c.SLUG, "ada").extra_credit = 1.0
        late = book.find_submission_notebook(c.SLUG, c.SLUG, "bo")
        late.late_submission_penalty = 1.5
        alone = book.find_submission_notebook(c.SLUG, c.SLUG, "=cmd")
        alone.late_submission_penalty = 3.0  # more than was earned
        book.db.commit()
    return Classroom.open(room.root)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_canvas(room: Classroom) -> None:
    path, notes = export(room, form="canvas")
    assert path.name == "grades-canvas.csv"
    assert rows(path) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Week 2, RNN (4711)"],
        ["    Points Possible", "", "", "", "", _WORTH],
        ["'@evil, =HYPERLINK(1)", "", "", "'=cmd", "", "0"],
        ["Lovelace, Ada", "101", "", "ada", "", "7.5"],
        ["O'Neil, Jr., Bo", "", "S-77", "bo", "", "3.5"],
    ]
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert any("1 students have no lms_user_id" in note for note in notes)
    assert any("=cmd begin as a formula" in note for note in notes)


def test_moodle(room: Classroom) -> None:
    path, _ = export(room, form="moodle")
    assert rows(path) == [
        ["Username", "ID number", "First name", "Last name", "Email address", "Week 2, RNN (4711)"],
        ["'=cmd", "", "'=HYPERLINK(1)", "'@evil", "'+1", "0"],
        ["ada", "101", "Ada", "Lovelace", "ada@example.org", "7.5"],
        ["bo", "S-77", "Bo", "O'Neil, Jr.", "", "3.5"],
    ]


def test_a_unit_without_a_hand_in_is_empty_in_canvas_and_a_dash_in_moodle(
    room: Classroom, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(room.root, tmp_path / "copy")
    copy = Classroom.open(tmp_path / "copy")
    copy.release("gru")
    assert rows(export(copy, form="canvas")[0])[3][5:] == ["7.5", ""]
    assert rows(export(copy, form="moodle")[0])[2][5:] == ["7.5", "-"]
    only = export(copy, form="moodle", slugs=[c.SLUG])[0]
    assert len(rows(only)[0]) == 6


def test_csv_has_nbgraders_columns_and_values(room: Classroom, tmp_path: Path) -> None:
    """Against nbgrader's exporter, on the students whose names it can write."""
    ours = rows(export(room)[0])
    with room.gradebook() as book:
        CsvExportPlugin(to=str(tmp_path / "theirs.csv"), student=["ada", "noor"]).export(book)
    theirs = rows(tmp_path / "theirs.csv")
    assert ours[0] == theirs[0]

    def plain(row: list[str]) -> list[str | float]:
        return [*row[:7], *map(float, row[7:])]

    mine = {row[3]: plain(row) for row in ours[1:]}
    assert {row[3]: plain(row) for row in theirs[1:]} == {k: mine[k] for k in ("ada", "noor")}
    assert mine["bo"][4] == "O'Neil, Jr." and mine["bo"][7:10] == [5.0, 1.5, 3.5]
    assert mine["'=cmd"][7:10] == [1.25, 3.0, 0.0]


def test_nothing_marked_and_a_name_for_no_unit(tmp_path: Path, capsys) -> None:
    room = c.new_class(tmp_path / "room", {})
    assert cli.main(["export", str(room.root)]) == 1
    assert "The gradebook holds no marks yet: `grader mark" in capsys.readouterr().err
    with room.gradebook() as book:
        book.update_or_create_student("ada")
        book.update_or_create_submission(c.SLUG, "ada")
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.Grader.lms_names = {"rnm": "x"}\n')
    assert cli.main(["export", str(room.root), "--format", "canvas"]) == 1
    assert "sets a name for 'rnm', which is no unit released" in capsys.readouterr().err
    assert not list(room.root.glob("grades*"))
