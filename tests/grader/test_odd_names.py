"""Students with odd names: each ends in a mark or in one sentence, and nobody else is touched."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from grader import cli, job, pool
from grader.classroom import ClassFault, Classroom
from tests.grader import classes as c
from tests.grader.odd_names import MISTAKEN, NAMES, UNKEPT, as_text

pytestmark = pytest.mark.slow
FULL = sum(c.worth().values())


def hand_in_all(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everyone hands in the same, which is marked once and for all."""
    data, made = c.full().bytes(), {}
    for name in NAMES:
        path = room.submitted / name / c.SLUG / f"{c.SLUG}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    real = job.judge

    def once(one: job.Job, factory: Any) -> dict[str, Any]:
        if one.key not in made:
            made[one.key] = real(one, factory)
        return dict(made[one.key])

    monkeypatch.setattr(pool, "judge", once)


def sentences(text: str) -> list[str]:
    assert "Traceback" not in text
    return [line for line in text.splitlines() if line.startswith("grader: ")]


def mark_and_look(room: Classroom, refused: list[str], capsys: Any) -> None:
    for _ in range(2):  # a second run says the same and does nothing more
        assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 1
        said = capsys.readouterr()
        assert len(sentences(said.err)) == len(refused)
        for name in refused:
            assert any(as_text(name)[:8].replace("\\", "\\\\") in x for x in sentences(said.err))
        assert all(len(line) < 300 for line in said.err.splitlines() + said.out.splitlines())
    good = {as_text(name) for name in NAMES if name not in refused}
    assert f"{len(good)} hand-ins" in said.out or refused != UNKEPT
    with room.gradebook() as book:
        found = {s.student.id: s.score for s in book.assignment_submissions(c.SLUG)}
    assert found == dict.fromkeys(good, FULL)


def test_on_a_file(tmp_path: Path, monkeypatch, capsys) -> None:
    room = c.new_class(tmp_path / "room", {})
    hand_in_all(room, monkeypatch)
    mark_and_look(room, UNKEPT, capsys)
    good = {as_text(name) for name in NAMES if name not in UNKEPT}

    assert cli.main(["report", str(room.root)]) == 0
    report = json.loads((room.root / "report" / "report.json").read_text("utf-8"))
    rows = {row["student"]: row["score"] for row in report["units"][0]["students"]}
    assert rows == dict.fromkeys(good, FULL) | dict.fromkeys(map(as_text, UNKEPT))
    for form, key in (("csv", "student_id"), ("canvas", "SIS Login ID"), ("moodle", "Username")):
        assert cli.main(["export", str(room.root), "--format", form]) == 0
        name = "grades.csv" if form == "csv" else f"grades-{form}.csv"
        text = (room.root / name).read_text("utf-8")
        ids = [row[key].removeprefix("'") for row in csv.DictReader(io.StringIO(text)) if row[key]]
        assert sorted(ids) == sorted(good)

    capsys.readouterr()
    assert cli.main(["feedback", str(room.root)]) == 1
    said = sentences(capsys.readouterr().err)
    assert len(said) == len(MISTAKEN) and all("nbgrader cannot look for" in line for line in said)
    pages = {path.parent.parent.name for path in room.root.glob("feedback/*/rnn/rnn.html")}
    pages |= {path.parent.parent.name for path in room.root.glob("feedback/.*/rnn/rnn.html")}
    assert pages == good - set(MISTAKEN)


def test_two_folders_that_are_read_alike_are_named(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {})
    for name in (os.fsdecode(b"caf\xe9"), "caf\\xe9"):
        (room.submitted / name / c.SLUG).mkdir(parents=True)
    with pytest.raises(ClassFault, match="are both read as"):
        room.students()


def test_a_hidden_folder_that_holds_no_unit_is_nobody(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {})
    (room.submitted / ".ipynb_checkpoints").mkdir()
    (room.submitted / ".DS_Store").write_bytes(b"x")
    assert room.students() == []


def test_a_class_in_a_folder_that_nbgrader_takes_for_a_pattern(tmp_path: Path, capsys) -> None:
    root = tmp_path / "autumn [2026]"
    Classroom.create(root)
    assert cli.main(["release", str(root), c.SLUG]) == 1
    (line,) = sentences(capsys.readouterr().err)
    assert "nbgrader cannot work in" in line
    root.rename(tmp_path / "autumn 2026")
    assert cli.main(["release", str(tmp_path / "autumn 2026"), c.SLUG]) == 0


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_collect_places_each_or_says_why(tmp_path: Path, capsys, packed: bool) -> None:
    room = c.new_class(tmp_path / "room", {})
    source = tmp_path / "given"
    blank = c.Blank(c.SLUG).bytes()
    work = {name: blank + b" " * n for n, name in enumerate(NAMES)}  # no two are the same
    for name, data in work.items():
        (source / name).mkdir(parents=True)
        (source / name / "rnn.ipynb").write_bytes(data)
    if packed:
        with zipfile.ZipFile(tmp_path / "given.zip", "w") as archive:
            for name, data in work.items():
                place = os.fsencode(f"{name}/rnn.ipynb").decode("utf-8", "replace")
                archive.writestr(place, data)
        shutil.rmtree(source)
        source = tmp_path / "given.zip"
    assert cli.main(["collect", str(room.root), str(source)]) == 0
    said = capsys.readouterr()
    placed = room.students()
    left_out = len(sentences(said.err))
    assert len(placed) + left_out == len(NAMES), said.err
    assert {"ada", "a'b_; drop table student; --", "Ωμέγα 小明 🧠"} <= set(placed)
    assert all(len(line) < 400 for line in said.err.splitlines())
    assert {p.name for p in tmp_path.iterdir()} <= {"room", "given", "given.zip"}
    for name in placed:
        assert room.hand_in_path(c.SLUG, name).read_bytes() in work.values()
