"""A class whose gradebook is on a PostgreSQL server, which the test starts for itself."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import cli
from grader.classroom import Classroom
from grader.export import export
from grader.markclass import mark_class
from tests.grader import classes as c
from tests.grader.odd_names import TOO_LONG, UNKEPT
from tests.grader.test_odd_names import hand_in_all, mark_and_look

pytestmark = pytest.mark.slow


def _programs() -> Path | None:
    """Where initdb and postgres are: Debian keeps them out of the way."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).parent if named else None


def _is_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


class Server:
    """A server in a folder of its own, on a socket in that folder."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._as: list[str] = []
        if os.geteuid() == 0:  # which the server refuses to be
            other = pwd.getpwnam("postgres")
            os.chown(self.folder, other.pw_uid, other.pw_gid)
            self._as = ["setpriv", f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}",
                        "--clear-groups"]  # fmt: skip
        self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "course", "--no-sync")
        self._process: subprocess.Popen | None = None
        self.start()
        self.create("gradebook")

    def create(self, database: str) -> None:
        self._run("createdb", "-h", str(self.folder), "-U", "course", database)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://course@/gradebook?host={self.folder}"

    def start(self) -> None:
        options = ["-c", "listen_addresses=", "-c", "fsync=off"]
        self._process = subprocess.Popen(
            [*self._as, str(self._programs / "postgres"), "-D", f"{self.folder}/data",
             "-k", str(self.folder), *options],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self._run("pg_isready", "-h", str(self.folder), check=False) != 0:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, name: str, *arguments: str, check: bool = True) -> int:
        command = [*self._as, str(self._programs / name), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stderr.decode()
        return done.returncode


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="needs the extra `postgres`")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    if os.geteuid() == 0 and not (_is_user("postgres") and shutil.which("setpriv")):
        pytest.skip("root starts PostgreSQL as the user postgres, by setpriv; one is not there")
    made = Server(programs)
    yield made
    made.end()


def hand_ins() -> dict[str, Any]:
    half = c.Blank(c.SLUG)
    return {
        "ada": c.full().bytes(),
        "bo": half.solve(*half.exercises[::2]).bytes(),
        "carmen": c.Blank(c.SLUG).bytes(),
        "dmitri": b"no",
    }


def class_at(root: Path, url: str | None) -> Classroom:
    room = c.new_class(root, {})
    if url is not None:
        config = root / "nbgrader_config.py"
        config.write_text(config.read_text() + f"c.CourseDirectory.db_url = {url!r}\n")
        room = Classroom.open(root)
        room.release(c.SLUG)
    for name, data in hand_ins().items():
        c.hand_in(room, name, data)
    return room


def rows(room: Classroom) -> dict[str, Any]:
    with room.gradebook() as book:
        return {
            s.student.id: (
                s.score,
                s.timestamp,
                sorted((g.name, g.auto_score, g.needs_manual_grade) for g in s.notebooks[0].grades),
                sorted((x.name, x.auto_comment or "") for x in s.notebooks[0].comments),
            )
            for s in book.assignment_submissions(c.SLUG)
        }


@pytest.fixture(scope="module")
def room(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    made = class_at(tmp_path_factory.mktemp("postgres") / "room", server.url)
    outcome = mark_class(made, jobs=2)
    assert outcome.marked == outcome.entered == len(hand_ins())
    return made


def test_the_gradebook_is_the_one_that_a_file_would_hold(room: Classroom, tmp_path: Path) -> None:
    on_file = class_at(tmp_path / "room", None)
    mark_class(on_file, jobs=1)
    assert rows(room) == rows(on_file)
    assert {name: row[0] for name, row in rows(room).items()}["ada"] == sum(c.worth().values())


def test_a_second_run_does_nothing_and_a_resubmission_replaces(room: Classroom) -> None:
    again = mark_class(room, jobs=1)
    assert (again.marked, again.entered) == (0, 0)
    first, *_ = c.worth()
    with room.gradebook() as book:
        book.find_grade(first, c.SLUG, c.SLUG, "carmen").manual_score = 0.5
        book.db.commit()
    c.hand_in(room, "carmen", c.full().bytes())
    mark_class(room, jobs=1)
    with room.gradebook() as book:
        grade = book.find_grade(first, c.SLUG, c.SLUG, "carmen")
        assert (grade.auto_score, grade.manual_score) == (c.worth()[first], 0.5)
    assert rows(room)["carmen"][0] == sum(c.worth().values()) - c.worth()[first] + 0.5


def test_nbgraders_own_commands_work_on_it(room: Classroom) -> None:
    before = rows(room)
    here = str(Path(sys.executable).parent)
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "autograde", c.SLUG, "--student", "ada", "--force"],
        cwd=room.root,
        env=os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert rows(room) == before
    assert len(export(room)[0].read_text().splitlines()) == 1 + len(hand_ins())


def test_odd_names_end_in_a_mark_or_a_sentence(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    server.create("names")
    room = c.new_class(tmp_path / "room", {})
    config = room.root / "nbgrader_config.py"
    url = server.url.replace("/gradebook?", "/names?")
    config.write_text(config.read_text() + f"c.CourseDirectory.db_url = {url!r}\n")
    room = Classroom.open(room.root)
    room.release(c.SLUG)
    hand_in_all(room, monkeypatch)
    mark_and_look(room, [*UNKEPT, *TOO_LONG], capsys)
    assert cli.main(["report", str(room.root)]) == 0
    assert cli.main(["export", str(room.root), "--format", "canvas"]) == 0


def test_a_server_that_does_not_answer_is_said_in_one_sentence(
    room: Classroom, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stop()
    try:
        assert cli.main(["mark", str(room.root)]) == 1
    finally:
        server.start()
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("grader: The gradebook cannot be used: ")
    assert mark_class(room, jobs=1).marked == 0
