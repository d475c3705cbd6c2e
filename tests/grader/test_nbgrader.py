"""nbgrader as the authority: stock marking agrees, and its own commands work on a class of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from grader import notebooks
from grader.booklinks import lead_out
from grader.classroom import Classroom
from grader.demo import source_of
from grader.givebacks import give_back
from grader.markclass import mark_class
from grader.units import misconceptions
from tests.grader import classes as c

pytestmark = pytest.mark.slow

_EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:alert(3)) ![b](http://x.example/t.png)"


def honest() -> dict[str, bytes]:
    first, second, *_ = misconceptions(c.SLUG)
    half = c.Blank(c.SLUG)
    return {
        "ada": c.full().bytes(),
        "bo": half.solve(*half.exercises[::2]).bytes(),
        "carmen": c.full().write(second.exercise, source_of(second)).bytes(),
    }


def nbgrader(folder: Path, *arguments: str) -> str:
    """Run nbgrader's own command in a class."""
    bin_folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def scores(folder: Path) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            item.student.id: {g.name: g.auto_score for g in item.notebooks[0].grades}
            for item in book.assignment_submissions(c.SLUG)
        }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    evil = c.full()
    evil.notebook.cells.append(nbformat.v4.new_markdown_cell(_EVIL, id="evil"))
    evil.add(
        "from IPython.display import HTML, display\n"
        "display(HTML('<script>alert(4)</script>'))\nprint('<script>alert(5)</script>')",
        at=3,
    )
    made = honest() | {"eve": evil.bytes(), "lena": b"not json"}
    room = c.new_class(tmp_path_factory.mktemp("nbgrader") / "room", made)
    mark_class(room, jobs=2)
    return room


def test_stock_nbgrader_gives_honest_work_the_same_scores(room: Classroom, tmp_path: Path) -> None:
    """Execute with a real kernel and partial credit from what the check cell returns."""
    for name in ("source", "submitted"):
        shutil.copytree(room.root / name, tmp_path / name)
    for name in ("eve", "lena"):
        shutil.rmtree(tmp_path / "submitted" / name)
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.ExecutePreprocessor.timeout = 180\n"
    )
    nbgrader(tmp_path, "generate_assignment", c.SLUG)
    nbgrader(tmp_path, "autograde", c.SLUG)
    ours = scores(room.root)
    assert scores(tmp_path) == {name: ours[name] for name in honest()}
    assert 0 < sum(ours["carmen"].values()) < sum(ours["ada"].values())


def test_nbgraders_own_autograde_marks_with_our_engine(room: Classroom, tmp_path: Path) -> None:
    copy = tmp_path / "moved"  # a class can be moved
    shutil.copytree(room.root, copy)
    (copy / "gradebook.db").unlink()
    shutil.rmtree(copy / "autograded")
    shutil.rmtree(copy / "records")
    nbgrader(copy, "generate_assignment", c.SLUG, "--force")
    nbgrader(copy, "autograde", c.SLUG)
    assert scores(copy) == scores(room.root)
    for student in ("ada", "lena"):
        place = Path("autograded", student, c.SLUG, f"{c.SLUG}.ipynb")
        left, right = (nbformat.read(root / place, 4) for root in (copy, room.root))
        assert [x.source for x in left.cells] == [x.source for x in right.cells]
    nbgrader(copy, "generate_feedback", c.SLUG)
    assert "gatedrnn-report" in (copy / "feedback" / "ada" / c.SLUG / f"{c.SLUG}.html").read_text()


def test_what_a_person_gave_and_what_lateness_costs_survive_nbgraders_own_second_marking(
    tmp_path: Path,
) -> None:
    """Manual score, extra credit, comment and late penalty, by `nbgrader autograde --force`."""
    last = c.last_exercise()
    room = c.new_class(tmp_path / "room", {"ada": c.Blank(c.SLUG).bytes()})
    c.hand_in(room, "bo", c.full().bytes(), "2026-03-02 12:00:00 UTC")  # a day late
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    nbgrader(room.root, "db", "assignment", "add", c.SLUG, "--duedate=2026-03-01 13:00 UTC")
    mark_class(room, jobs=1)
    with Gradebook(f"sqlite:///{room.root}/gradebook.db") as book:
        grade = book.find_grade(last, c.SLUG, c.SLUG, "ada")
        grade.manual_score, grade.extra_credit = 2.0, 0.5
        book.find_comment(f"{last}-answer", c.SLUG, c.SLUG, "ada").manual_comment = "See me."
        book.db.commit()
    for again in (lambda: nbgrader(room.root, "autograde", c.SLUG, "--force"),
                  lambda: mark_class(room, jobs=1)):  # fmt: skip
        again()
        with Gradebook(f"sqlite:///{room.root}/gradebook.db") as book:
            grade = book.find_grade(last, c.SLUG, c.SLUG, "ada")
            assert (grade.manual_score, grade.extra_credit, grade.score) == (2.0, 0.5, 2.5)
            comment = book.find_comment(f"{last}-answer", c.SLUG, c.SLUG, "ada")
            assert comment.comment == "See me."
            late = book.find_submission(c.SLUG, "bo")
            assert late.late_submission_penalty == late.score == sum(c.worth().values())


def test_the_release_is_the_notebook_that_the_course_commits(room: Classroom) -> None:
    """nbgrader's own generate_assignment against the course's converter."""
    released = nbformat.read(room.root / "release" / c.SLUG / f"{c.SLUG}.ipynb", 4)
    ours = notebooks.student_notebook(c.SLUG)
    assert [(x.cell_type, x.source, x.metadata) for x in released.cells] == [
        (x.cell_type, lead_out(x.source), x.metadata) for x in ours.cells
    ]


def test_feedback_runs_nothing_fetches_nothing_and_shows_no_solution(room: Classroom) -> None:
    assert give_back(room) == (5, [])
    for student in ("ada", "eve", "carmen", "lena"):
        page = (room.root / "feedback" / student / c.SLUG / f"{c.SLUG}.html").read_text()
        assert "<script" not in page
        assert not re.search(r"<[^>]*\s(src|onerror|onclick)=", page)
        assert not re.search(r"<[^>]*javascript:", page)
        assert not re.search(r"url\(|@import|<link", page)
        assert "default-src 'none'" in page
        assert "SOLUTION" not in page
    carmen = (room.root / "feedback" / "carmen" / c.SLUG / f"{c.SLUG}.html").read_text()
    assert f"Recognised: {misconceptions(c.SLUG)[1].name}" in carmen
    lena = (room.root / "feedback" / "lena" / c.SLUG / f"{c.SLUG}.html").read_text()
    assert "its text is not JSON" in lena


def test_a_students_html_is_not_in_what_formgrader_reads(room: Classroom) -> None:
    text = (room.autograded / "eve" / c.SLUG / f"{c.SLUG}.ipynb").read_text()
    notebook = nbformat.reads(text, 4)
    prose = [x.source for x in notebook.cells if "alert(1)" in x.source]
    assert prose and "<script" not in prose[0] and "<img" not in prose[0]
    assert "](javascript" not in prose[0] and "![" not in prose[0]
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            for output in cell.outputs:
                assert set(output.get("data", {})) <= {"text/plain"}
