"""The command's words: what it says when something is wrong, and that a stop loses nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from grader import cli, units
from grader.classroom import Classroom
from grader.markclass import mark_class
from tests.grader import classes as c


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = cli.main([str(a) for a in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    return c.new_class(tmp_path_factory.mktemp("cli") / "room", {"ada": c.Blank(c.SLUG).bytes()})


def test_init_makes_a_class_and_never_into_a_full_folder(tmp_path: Path, capsys) -> None:
    code, out, _ = run(capsys, "init", tmp_path / "new")
    assert code == 0 and "Made a class" in out
    for name in ("submitted", "records", "gradebook.db", "README.txt", "nbgrader_config.py"):
        assert (tmp_path / "new" / name).exists()
    code, _, err = run(capsys, "init", tmp_path / "new")
    assert code == 1
    assert "exists already and is not empty; choose another folder." in err
    assert [p.name for p in tmp_path.iterdir()] == ["new"]  # nothing half-made beside it


def test_a_folder_that_is_no_class(tmp_path: Path, capsys) -> None:
    code, _, err = run(capsys, "mark", tmp_path)
    assert code == 1 and "is not a class: it has no nbgrader_config.py" in err
    code, _, err = run(capsys, "mark", tmp_path / "nowhere")
    assert code == 1 and "There is no folder" in err and "grader init" in err


@pytest.mark.parametrize("command", [["release", "rnm"], ["mark", "--unit", "rnm"]])
def test_a_misspelt_unit(room: Classroom, capsys, command: list[str]) -> None:
    name, *rest = command
    code, _, err = run(capsys, name, room.root, *rest)
    assert code == 1
    assert err.strip() == "grader: There is no unit 'rnm'; did you mean 'rnn'?"


def test_a_unit_that_is_not_released(room: Classroom, capsys) -> None:
    other = next((s for s in units.slugs() if s != c.SLUG), None)
    if other is None:
        pytest.skip("the course has one unit only")
    code, _, err = run(capsys, "mark", room.root, "--unit", other)
    assert code == 1 and f"{other!r} has not been released in this class" in err


def test_a_misspelt_student(room: Classroom, capsys) -> None:
    code, _, err = run(capsys, "mark", room.root, "--student", "adda")
    assert code == 1 and "There is no student 'adda' in this class; did you mean 'ada'?" in err


def test_a_locked_gradebook(room: Classroom, capsys) -> None:
    book = sqlite3.connect(room.root / "gradebook.db", timeout=1)
    book.execute("BEGIN EXCLUSIVE")
    try:
        code, _, err = run(capsys, "mark", room.root, "--jobs", "1")
    finally:
        book.rollback()
        book.close()
    assert code == 1 and "The gradebook is in use by another program" in err


def test_a_gradebook_that_is_none(tmp_path: Path, capsys) -> None:
    room = c.new_class(tmp_path / "room", {"ada": b"x"})
    (room.root / "gradebook.db").write_bytes(b"this is not a database, it is a line of text" * 50)
    code, _, err = run(capsys, "mark", room.root)
    assert code == 1 and "gradebook.db is not a database any more" in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.x = (", "cannot be read, line "),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("c.Grader.limits = 3", "sets c.Grader.limits to 3; expected a dictionary"),
        ("c.Grader.limits = {'call': 'x'}", "sets the limit 'call' to 'x'; expected a number"),
        ("c.Grader.limits = {'call': -1}", "sets the limit 'call' to -1; expected a number"),
        ("c.Grader.unsealed = 'no'", "sets c.Grader.unsealed to 'no'; expected True or False"),
        ("c.Grader.book = 3", "sets c.Grader.book to 3; expected an address"),
        ("c.CourseDirectory.db_url = 'x'", "The gradebook cannot be used: Could not parse"),
        ("c.CourseDirectory.db_url = 'mysql://x/y'", "needs the Python package 'MySQLdb'"),
        ("c.CourseDirectory.db_url = 3", "sets what nbgrader does not take"),
    ],
)
def test_a_configuration_that_is_wrong(tmp_path: Path, capsys, line: str, words: str) -> None:
    Classroom.create(tmp_path / "room")
    config = tmp_path / "room" / "nbgrader_config.py"
    config.write_text(config.read_text() + line + "\n")
    code, _, err = run(capsys, "mark", tmp_path / "room")
    assert code == 1 and words in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("damage", [b"{", b"\xff\xff", b"[]", b'{"cells": [{}]}'])
def test_a_release_that_is_damaged(tmp_path: Path, capsys, damage: bytes) -> None:
    room = c.new_class(tmp_path / "room", {"ada": b"x"})
    (room.root / "release" / c.SLUG / f"{c.SLUG}.ipynb").write_bytes(damage)
    for command in ("mark", "report"):
        code, _, err = run(capsys, command, room.root)
        assert code == 1 and "is not a notebook any more; `grader release" in err
    assert run(capsys, "release", room.root, c.SLUG)[0] == 0
    assert run(capsys, "mark", room.root, "--jobs", "1")[0] == 0


def test_another_gradebook_has_not_heard_of_the_unit(tmp_path: Path, capsys) -> None:
    room = c.new_class(tmp_path / "room", {"ada": b"x"})
    assert run(capsys, "mark", room.root, "--jobs", "1")[0] == 0
    (room.root / "gradebook.db").unlink()
    code, _, err = run(capsys, "mark", room.root)
    assert code == 1 and "The gradebook knows no assignment 'rnn'; `grader release" in err
    assert run(capsys, "release", room.root, c.SLUG)[0] == 0
    code, out, _ = run(capsys, "mark", room.root)
    assert code == 0 and "0 marked, 1 unchanged since they were marked, 1 entered" in out


def test_what_is_nothing_to_collect_from(room: Classroom, tmp_path: Path, capsys) -> None:
    for source in (room.root, room.root.parent):
        code, _, err = run(capsys, "collect", room.root, source)
        assert code == 1 and "holds the class itself" in err
    code, _, err = run(capsys, "collect", room.root, tmp_path)
    assert code == 1 and "There is nothing to collect in" in err
    assert room.students() == ["ada"]


def test_the_course_itself_is_no_class(capsys) -> None:
    code, _, err = run(capsys, "mark", units.ROOT)
    assert code == 1 and "is not a class" in err
    assert not (units.ROOT / "gradebook.db").exists()


def test_names_that_a_terminal_cannot_show(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {"小明": b"x"})
    done = subprocess.run(
        [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", "1"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines()[2].startswith(b"?? ")


def test_two_at_the_same_time(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {f"s{n}": b"%d" % n for n in range(30)})
    command = [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", "1"]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err
        assert process.returncode == 0 or "in use by another program" in err, err
    last = mark_class(room, jobs=1)
    assert (last.marked, last.refused, len(last.records)) == (0, 0, 30)
    with room.gradebook() as book:
        assert len(book.assignment_submissions(c.SLUG)) == 30


def test_a_full_disk(room: Classroom, capsys, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "records/x.json")

    monkeypatch.setattr("grader.record.write_text", full)
    monkeypatch.setattr("grader.classroom.Classroom.record_of", lambda *_: None)
    code, _, err = run(capsys, "mark", room.root, "--jobs", "1")
    assert code == 1
    assert "The disk is full while writing records/x.json; free some space" in err


def test_an_unknown_limit_in_the_configuration(tmp_path: Path, capsys) -> None:
    Classroom.create(tmp_path / "room")
    config = tmp_path / "room" / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.Grader.limits = {"cal": 3}\n')
    code, _, err = run(capsys, "mark", tmp_path / "room")
    assert code == 1 and "sets the limit 'cal', which does not exist" in err


def test_a_demo_is_never_made_over_something_else(tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    code, _, err = run(capsys, "demo", "--into", tmp_path)
    assert code == 1 and "is not a demo class; choose another folder." in err
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_stale_notebooks_are_named(capsys, monkeypatch) -> None:
    monkeypatch.setattr("grader.notebooks.stale", lambda: ["rnn"])
    code, _, err = run(capsys, "notebooks", "--check")
    assert code == 1
    assert err.strip() == (
        "grader: Not what their sources give: rnn; `python -m grader notebooks` makes them again."
    )


@pytest.mark.slow
def test_collecting_from_what_learning_platforms_write(tmp_path: Path, capsys) -> None:
    room = c.new_class(tmp_path / "room", {})
    data = c.Blank(c.SLUG).bytes()
    names = {
        "plain/rnn.ipynb": "plain",
        "nested/rnn/rnn.ipynb": "nested",
        "flat_rnn.ipynb": "flat",
        "Moodle Name_123_assignsubmission_file_/rnn.ipynb": "Moodle Name",
        "canvas_LATE_12_345_rnn-1.ipynb": "canvas",
        "twice/rnn (2).ipynb": "twice",
    }
    archive = tmp_path / "download.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, data)
        file.writestr("../../escape_rnn.ipynb", data)
        file.writestr("who/essay.ipynb", b"{}")
        file.writestr("..rnn.ipynb", data)
    code, out, err = run(capsys, "collect", room.root, archive)
    assert code == 0
    assert set(room.students()) == {*names.values(), "escape"}
    assert "who/essay.ipynb: it names no unit and holds none; expected one of" in err
    assert not list(tmp_path.parent.glob("escape*"))
    for student in names.values():
        assert room.hand_in_path(c.SLUG, student).read_bytes() == data
    later = tmp_path / "folder"
    (later / "plain").mkdir(parents=True)
    (later / "plain" / "rnn.ipynb").write_bytes(b"another")
    _, out, _ = run(capsys, "collect", room.root, later)
    assert "replaces" in out
    assert room.hand_in_path(c.SLUG, "plain").read_bytes() == b"another"
    assert len(list((room.root / "collected" / c.SLUG / "plain").iterdir())) == 2


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again(tmp_path: Path) -> None:
    """kill -9 while it marks: the second run ends with the gradebook of an undisturbed one."""
    slow = c.with_cell("import time; time.sleep(1.5)")
    made = {name: slow for name in ("ada", "bo", "carmen", "dmitri")} | {"esi": b"no"}
    calm = c.new_class(tmp_path / "calm", made)
    mark_class(calm, jobs=2)
    room = c.new_class(tmp_path / "room", made)
    command = [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(room.records.rglob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = {path: path.read_bytes() for path in room.records.rglob("*.json")}
    assert 0 < len(first) < len(made)
    outcome = mark_class(room, jobs=1)
    assert outcome.kept == len(first)
    assert outcome.marked == len(made) - len(first)
    assert all(path.read_bytes() == data for path, data in first.items())

    def marks(place: Classroom) -> list[tuple]:
        with place.gradebook() as book:
            return [
                (
                    s.student.id,
                    s.timestamp,
                    sorted((g.name, g.score) for g in s.notebooks[0].grades),
                )
                for s in sorted(book.assignment_submissions(c.SLUG), key=lambda s: s.student.id)
            ]

    assert marks(room) == marks(calm)
    assert len(list(room.autograded.rglob("*.ipynb"))) == len(made)
