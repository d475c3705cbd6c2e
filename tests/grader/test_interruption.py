"""Marking that is killed goes on from there: the class is the same as one marked in one go."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grader import job as jobs
from grader import pool
from grader.classroom import Classroom
from grader.job import Job
from grader.markclass import mark_class
from grader.worker.launch import WorkerFactory
from tests.grader import classes as c
from tests.grader.gallery.run import _descendants, _hold_orphans

pytestmark = pytest.mark.slow
SEED = 11
#: Random moments at which real runs are killed; a seed of its own, so that they come again.
KILLS, MOMENTS = 5, 20_261_121


def _hand_ins() -> dict[str, Any]:
    half = c.Blank(c.SLUG)
    return {
        "ada": c.full().bytes(),
        "bo": half.solve(*half.exercises[::2]).bytes(),
        "carl": c.with_cell("print('x' * 1000)"),
        "dora": b"not json",
        "emil": lambda path: None,
        "fay": c.last_function("import os; os._exit(0)"),
    }


def state(root: Path) -> dict[str, Any]:
    """All that a class says of its marks; the times at which it was marked are left out."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.name.startswith(".gatedrnn-part-"):
            found[name] = "left behind"
        elif name.startswith("records/") and path.suffix == ".json":
            made = json.loads(path.read_text("utf-8"))
            found[name] = {k: v for k, v in made.items() if k not in ("seconds", "marked_at")}
        elif name.startswith(("autograded/", "submitted/")) and path.is_file():
            found[name] = path.read_bytes()  # a file that was being written is not left either
    with Classroom.open(root).gradebook() as book:
        for item in book.assignment_submissions(c.SLUG):
            (notebook,) = item.notebooks
            found[f"grade {item.student.id}"] = (
                item.timestamp,
                [(g.name, g.auto_score, g.needs_manual_grade) for g in notebook.grades],
                [(x.name, x.auto_comment) for x in notebook.comments],
            )
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class in which nothing has been marked."""
    return c.new_class(tmp_path_factory.mktemp("interrupted") / "fresh", _hand_ins()).root


@pytest.fixture(scope="module")
def whole(fresh: Path) -> Path:
    """The same class, marked in one go."""
    root = fresh.with_name("whole")
    shutil.copytree(fresh, root)
    mark_class(Classroom.open(root), jobs=1, seed=SEED)
    return root


# ---------------------------------------------------------------- at every step of one process

_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "sqlite3.connect", "os.chmod")


def _marked_in_a_fork(root: Path, records: dict[str, dict], die_at: int) -> int:
    """Mark in a fork that kills itself at its `die_at`-th event; the events seen, or -1 if killed.

    The records are made already: what is looked at is how they are kept and entered. A file that
    others read is never opened for writing: that would be seen as a step below zero.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        with os.fdopen(reader) as file:
            said = file.read()
        os.waitpid(pid, 0)
        return int(said) if said else -1
    try:
        os.close(reader)
        seen = [0]

        def ready(one: Job, factory: WorkerFactory) -> dict[str, Any]:
            return records[one.key]

        def hook(event: str, arguments: Any) -> None:
            if event == "open" and _in_place(arguments, root):
                os.write(writer, b"-2")
                os._exit(0)
            if event in _EVENTS:
                seen[0] += 1
                if seen[0] == die_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        pool.judge = jobs.judge = ready
        room = Classroom.open(root)
        sys.addaudithook(hook)
        mark_class(room, jobs=1, seed=SEED)
        os.write(writer, str(seen[0]).encode())
    finally:
        os._exit(0)
    return -1


def _in_place(arguments: Any, root: Path) -> bool:
    """Whether a file of the class is opened to be written where it lies, with no copy beside it."""
    path, _, flags = arguments
    if not isinstance(path, str | os.PathLike) or not flags & (os.O_WRONLY | os.O_RDWR):
        return False
    path = Path(path)
    ours = any(path.is_relative_to(root / name) for name in ("records", "autograded", "submitted"))
    return ours and not path.name.startswith(".gatedrnn-part-")


def test_killed_at_each_step_and_run_again_it_is_the_same(
    fresh: Path, whole: Path, tmp_path: Path
) -> None:
    records = {p.stem: json.loads(p.read_text()) for p in (whole / "records").rglob("*.json")}
    expected = state(whole)
    count = _marked_in_a_fork(_copy(fresh, tmp_path / "count"), records, 0)
    assert count > 50
    assert state(tmp_path / "count") == expected
    killed = 0
    for step in range(1, count + 1, 7 if count > 400 else 3):
        root = _copy(fresh, tmp_path / "class")
        killed += _marked_in_a_fork(root, records, step) == -1
        assert _marked_in_a_fork(root, records, 0) > 0, f"step {step}: it does not go on"
        assert state(root) == expected, f"killed at step {step}"
    assert killed > 15


def _copy(source: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


# ---------------------------------------------------------------- at random moments, for real

_RUN = """
import sys
from pathlib import Path
from grader.classroom import Classroom
from grader.markclass import mark_class
if __name__ == "__main__":
    mark_class(Classroom.open(Path(sys.argv[1])), jobs=2, seed=int(sys.argv[2]))
"""


def test_killed_at_random_moments_it_loses_nothing_and_leaves_no_process(
    fresh: Path, whole: Path, tmp_path: Path
) -> None:
    _hold_orphans()
    root, script = _copy(fresh, tmp_path / "class"), tmp_path / "run.py"
    script.write_text(_RUN)
    before, rng = set(_descendants()), random.Random(MOMENTS)
    command = [sys.executable, str(script), str(root), str(SEED)]
    seen: set[str] = set()
    for _ in range(KILLS):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(1.0, 12.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        there = {path.name for path in (root / "records").rglob("*.json")}
        assert seen <= there, "a record is gone"
        seen = there
        assert _gone_in_time(before) == {}, "processes are left after a kill"
    subprocess.run(command, check=True, timeout=300)
    assert state(root) == state(whole)


def _gone_in_time(before: set[int]) -> dict[int, str]:
    """The processes that are still there a while after their parent was killed."""
    left: dict[int, str] = {}
    for _ in range(50):
        left = {p: w for p, w in _descendants().items() if p not in before}
        if not left:
            break
        time.sleep(0.2)
    return left
