"""Marking in processes beside this one: who ends early costs no mark, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import pool
from grader.classroom import Classroom
from grader.engine import ChecksUnreadable
from grader.job import Job
from grader.pool import Here, Local, PoolFault, do_all
from grader.worker import seal
from grader.worker.launch import Limits, PlainFactory
from tests.grader import classes as c
from tests.grader import crews
from tests.grader.processes import Process, family, left

pytestmark = pytest.mark.slow
SEED = 11


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    works = {"ada": c.full(), "bo": c.Blank(c.SLUG), "carmen": c.Blank(c.SLUG).solve("rnn_step")}
    made = {name: work.bytes() for name, work in works.items()}
    room = c.new_class(tmp_path_factory.mktemp("pool") / "room", made | {"dmitri": b"no"})
    return {h.student: room.take(h, SEED).job for h in room.hand_ins()}


@pytest.fixture
def signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(crews.SIGNS, str(tmp_path))
    before = family()
    yield
    # multiprocessing's own helper stays as long as this process.
    new = {p for p in family() - before if "resource_tracker" not in _command(p[0])}
    assert not left(new)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def scores(records: dict[str, dict[str, Any]]) -> dict[str, tuple[str, float]]:
    return {name: (made["status"], made["earned"]) for name, made in records.items()}


def run(crew: pool.Crew, jobs: dict[str, Job]) -> dict[str, dict[str, Any]]:
    try:
        return dict(do_all(crew, jobs.items()))
    finally:
        crew.close()


@pytest.fixture(scope="module")
def truth(jobs: dict[str, Job]) -> dict[str, tuple[str, float]]:
    found = scores(run(Here(PlainFactory()), jobs))
    assert found["ada"] == ("marked", sum(c.worth().values()))
    assert found["dmitri"] == ("unreadable", 0)
    return found


def test_processes_give_what_this_process_gives(signs, jobs, truth) -> None:
    assert scores(run(Local(2, PlainFactory), jobs)) == truth


def test_a_process_that_ends_costs_nobody_a_mark(signs, jobs, truth) -> None:
    assert scores(run(Local(2, crews.EndsOnce), jobs)) == truth


def test_a_job_that_ends_each_process_is_given_up_and_flagged(signs, jobs) -> None:
    made = run(Local(2, crews.EndsAlways), {"ada": jobs["ada"]})["ada"]
    assert (made["status"], made["earned"]) == ("grader fault", 0)
    assert "ended 3 times" in made["flags"][0]
    assert made["key"] == jobs["ada"].key


def test_when_every_process_ends_the_command_says_so(signs, jobs, monkeypatch) -> None:
    monkeypatch.setattr(pool, "GIVEN_UP", 1)
    with pytest.raises(PoolFault, match="keep ending, 1 hand-ins in a row"):
        run(Local(1, crews.EndsAlways), {"ada": jobs["ada"]})


def test_a_fault_of_the_course_is_said_here(signs, jobs) -> None:
    with pytest.raises(ChecksUnreadable, match="the course has lost a page"):
        run(Local(1, crews.Faulty), {"ada": jobs["ada"]})


def test_large_jobs_and_large_records_do_not_wait_for_each_other(signs, tmp_path: Path) -> None:
    """Two who send to one another at once, more than a pipe holds, would wait for ever."""
    loud = c.full()
    for at in range(2, 42):
        loud.add(f"print('x' * 19_000)\n#{'y' * 50_000}", at)
    room = c.new_class(tmp_path / "room", {f"s{n}": loud.bytes() for n in range(4)})
    room.limits = Limits(cell=60, call=30, notebook=240)  # others may run beside it
    jobs = {h.student: room.take(h, SEED).job for h in room.hand_ins()}
    found = run(Local(1, PlainFactory), jobs)
    assert {made["earned"] for made in found.values()} == {sum(c.worth().values())}


# ---------------------------------------------------------------- the command


def start(room: Classroom, temporary: Path, jobs: int) -> subprocess.Popen:
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", str(jobs)],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell that starts tests in its background has them ignore the key.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def watch(process: subprocess.Popen, room: Classroom, records: int) -> set[Process]:
    """All processes of a command, seen until it has ended or has made some records."""
    seen: set[Process] = set()
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        seen |= family(process.pid)
        if len(list(room.records.rglob("*.json"))) >= records:
            break
        time.sleep(0.05)
    return seen


sealed_only = pytest.mark.skipif(
    bool(seal.trial()), reason=f"sealed marking does not work here: {seal.trial()}"
)


@sealed_only
@pytest.mark.parametrize("how", ["ends", "is killed", "is killed alone", "is interrupted"])
def test_nothing_is_left_when_the_command(how: str, tmp_path: Path) -> None:
    # Slower than the wait below: who goes on with it after the end is seen.
    slow = c.with_cell(f"import time; time.sleep({2 if how == 'ends' else 30})")
    made = {"ada": c.full().bytes(), "bo": slow, "carmen": slow, "dmitri": slow}
    room = c.new_class(tmp_path / "room", made)
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.Grader.limits = {"cell": 60}\n')
    room = Classroom.open(room.root)
    mounts = Path("/proc/self/mounts").read_text()
    process = start(room, tmp_path / "temporary", jobs=2)
    seen = watch(process, room, 99 if how == "ends" else 1)
    names = {_name(pid) for pid, _ in seen} - {""} if how != "ends" else {"bwrap"}
    assert "bwrap" in names and len(seen) >= 7  # the command, two that mark, and two seals of two
    if how == "is killed":
        os.killpg(process.pid, signal.SIGKILL)
    elif how == "is killed alone":
        os.kill(process.pid, signal.SIGKILL)
    elif how == "is interrupted":
        os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == {"ends": 0, "is interrupted": 130}.get(how, -signal.SIGKILL)
    assert not left(seen)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert Path("/proc/self/mounts").read_text() == mounts
    if how == "is interrupted":  # nothing is marked as a fault of the one who was being marked
        made = [room.record_of(h) for h in room.hand_ins()]
        assert {m["earned"] for m in made if m is not None} == {sum(c.worth().values())}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
