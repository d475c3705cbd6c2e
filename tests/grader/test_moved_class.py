"""A marked class is a folder: zipped, taken elsewhere and opened, it is the same class."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from grader.classreport import write_report
from grader.classroom import Classroom
from grader.export import export
from grader.givebacks import give_back
from grader.markclass import mark_class
from tests.grader import classes as c

pytestmark = pytest.mark.slow


def test_a_class_zipped_and_opened_elsewhere(tmp_path: Path) -> None:
    made = {"ada": c.full().bytes(), "bo": c.Blank(c.SLUG).bytes(), "lena": b"not json"}
    here = c.new_class(tmp_path / "here" / "autumn", made)
    mark_class(here, jobs=1)
    with here.gradebook() as book:
        grade = book.find_grade(c.last_exercise(), c.SLUG, c.SLUG, "bo")
        grade.manual_score, grade.extra_credit = 1.5, 0.5
        book.find_comment(f"{c.last_exercise()}-answer", c.SLUG, c.SLUG, "bo").manual_comment = "!"
        book.db.commit()
    grades = export(here)[0].read_text()
    give_back(here)
    archive = shutil.make_archive(str(tmp_path / "class"), "zip", here.root)
    there = tmp_path / "another machine" / "ünder"
    zipfile.ZipFile(archive).extractall(there)
    shutil.rmtree(tmp_path / "here")

    for path in there.rglob("*"):
        if path.suffix in (".json", ".ipynb", ".html", ".py", ".txt", ".csv"):
            assert str(here.root) not in path.read_text("utf-8"), path
    room = Classroom.open(there)
    outcome = mark_class(room, jobs=1)
    assert (outcome.marked, outcome.kept, outcome.entered) == (0, 3, 0)
    assert export(room)[0].read_text() == grades
    assert give_back(room) == (3, [])
    assert write_report(room, [c.SLUG], room.root / "report")["units"][0]["marked"] == 2
    with room.gradebook() as book:
        grade = book.find_grade(c.last_exercise(), c.SLUG, c.SLUG, "bo")
        assert (grade.manual_score, grade.extra_credit) == (1.5, 0.5)
    # A hand-in that comes after the move is marked there.
    c.hand_in(room, "bo", c.full().bytes(), "2026-03-02 12:00:00 UTC")
    assert mark_class(room, jobs=1).marked == 1
