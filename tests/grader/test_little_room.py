"""A full disk, and a class that may not be written: a sentence, nothing lost, and it goes on.

The small disk is a file system in memory that bubblewrap makes, so that no test needs to be root.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grader import units
from grader.classroom import Classroom
from grader.markclass import mark_class
from tests.grader import classes as c

_BWRAP = shutil.which("bwrap")
_TRIED = _BWRAP and subprocess.run([_BWRAP, "--dev-bind", "/", "/", "--size", "4096", "--tmpfs",
                                    "/mnt", "true"], capture_output=True)  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _TRIED or _TRIED.returncode != 0, reason="bubblewrap cannot mount a small disk here"
    ),
]
COMMANDS = (["mark", "--jobs", "1"], ["report"], ["export"], ["feedback"], ["release", c.SLUG])

_RUN = """
import contextlib, io, json, os, shutil, sys
from pathlib import Path
from grader import cli

top, room, given = map(Path, sys.argv[1:4])
commands, leave = json.loads(sys.argv[4]), json.loads(sys.argv[5])
said = []

def fill(left):
    if left is None:
        return
    (top / "fill").unlink(missing_ok=True)
    about = os.statvfs(top)
    with contextlib.suppress(OSError), (top / "fill").open("wb") as file:
        file.write(bytes(max(0, about.f_bavail * about.f_frsize - left)))

def run(name, *rest):
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        code = cli.main([name, str(room), *rest])
    parts = [str(p) for p in top.rglob(".gatedrnn-part-*")]
    said.append([name, code, [x for x in err.getvalue().splitlines() if x.strip()], parts])

if not room.exists():
    shutil.copytree(given, room)
for left in leave:
    fill(left)
    for command in commands:
        run(*command)
if leave != [None]:
    (top / "fill").unlink(missing_ok=True)
shutil.copytree(room, sys.argv[6])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class in which one of two hand-ins has been marked."""
    room = c.new_class(tmp_path_factory.mktemp("small") / "given", {"ada": c.full().bytes()})
    mark_class(room, jobs=1)
    c.hand_in(room, "bo", b"no notebook")
    return room.root


def inside(mounts: list[str], *arguments: str) -> list[Any]:
    assert _BWRAP is not None
    command = [_BWRAP, "--dev-bind", "/", "/", *mounts, sys.executable, "-c", _RUN, *arguments]
    done = subprocess.run(command, cwd=units.ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


def kept(root: Path) -> dict[str, float]:
    with Classroom.open(root).gradebook() as book:
        return {s.student.id: s.score for s in book.assignment_submissions(c.SLUG)}


def records(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in (root / "records").rglob("*.json")}


def test_a_full_disk_is_said_and_costs_nothing(given: Path, tmp_path: Path) -> None:
    disk, after = tmp_path / "disk", tmp_path / "after"
    disk.mkdir()
    commands = json.dumps([["collect", str(given / "submitted")], *COMMANDS])
    said = inside(
        ["--size", str(12 * 2**20), "--tmpfs", str(disk)],
        str(disk), str(disk / "room"), str(given), commands, "[0, 20000]", str(after),
    )  # fmt: skip
    for name, code, words, parts in said:
        assert parts == [], name
        if name == "collect" and code == 0:  # all was there already
            continue
        assert code in (0, 1), (name, words)
        if code:
            (line,) = [x for x in words if x.startswith("grader: ")]
            assert "disk is full" in line and "again" in line, (name, line)
    assert [code for name, code, _, _ in said[:6] if name != "collect"] == [1] * 5
    assert records(given).items() <= records(after).items()
    assert kept(after)["ada"] == sum(c.worth().values())
    mark_class(Classroom.open(after), jobs=1)
    assert kept(after) == {"ada": sum(c.worth().values()), "bo": 0}


def test_a_class_that_may_not_be_written(given: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in given.rglob("*") if p.is_file()}
    said = inside(
        ["--ro-bind", str(given), str(given)],
        str(given), str(given), str(given), json.dumps(COMMANDS), "[null]", str(tmp_path / "after"),
    )  # fmt: skip
    for name, code, words, _ in said:
        (line,) = [x for x in words if x.startswith("grader: ")]
        assert code == 1 and "may not be written" in line, (name, line)
    assert {p: p.read_bytes() for p in given.rglob("*") if p.is_file()} == before
