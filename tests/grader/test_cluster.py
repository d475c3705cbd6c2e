"""A class marked on a real dask cluster: the same records, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import functools
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import cli
from grader.classroom import Classroom
from grader.cluster import Cluster
from grader.demo import source_of
from grader.markclass import mark_class
from grader.pool import PoolFault
from grader.units import misconceptions
from tests.grader import classes as c
from tests.grader.dask_cluster import ROOT, Dask

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]
pytest.importorskip("distributed", reason="needs the extra `cluster`")

SEED = 7_654_321_987_654_321
POISON = "b'POISON' in one.data"
_DIES = f"""
import os
from grader import job
def deadly(one, factory, judge=job.judge):
    if {POISON}:
        os._exit(1)
    return judge(one, factory)
if job.judge.__name__ != "deadly":  # dask runs this file more than once
    job.judge = deadly
"""


def hand_ins() -> dict[str, Any]:
    items = misconceptions(c.SLUG)[:3]
    wrong = {f"m{i}": c.full().write(m.exercise, source_of(m)).bytes() for i, m in enumerate(items)}
    odd = {"p-pipe": c.pipe, "q-text": b"not json", "r-missing": lambda path: None}
    return {f"a{i}": c.full().bytes() for i in range(6)} | wrong | odd


@functools.cache
def truth(folder: Path) -> dict[str, Any]:
    """The records that processes on this machine make."""
    room = c.new_class(folder / "local", hand_ins())
    return steady(mark_class(room, jobs=2, seed=SEED).records)


def steady(records: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Records without what differs from run to run."""
    dropped = ("seconds", "marked_at")
    return {
        student: {key: value for key, value in made.items() if key not in dropped}
        for (student, _), made in records.items()
    }


def written(room: Classroom) -> dict[str, Any]:
    return steady({(h.student, h.slug): room.record_of(h) or {} for h in room.hand_ins()})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    folder = tmp_path / "dask"
    folder.mkdir()
    made = Dask(folder)
    try:
        yield made
    finally:
        made.end()
    assert made.left() == set()
    assert str(SEED) not in made.logs()


def test_two_workers_make_the_records_that_this_machine_makes_though_one_is_killed(
    dask: Dask, base: Path
) -> None:
    for name in ("one", "two"):
        dask.worker(name)
    room = c.new_class(base / "killed", hand_ins())
    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            dask.kill("one")

    outcome = mark_class(room, scheduler=dask.address, seed=SEED, show=show)
    assert outcome.marked == outcome.entered == len(hand_ins()) == len(lines)
    assert steady(outcome.records) == truth(base)
    assert written(room) == truth(base)
    assert mark_class(room, scheduler=dask.address).marked == 0
    log = dask.logs()
    assert not any(student in log for student in ("m0", "q-text", "r-missing"))


def test_it_works_where_an_event_loop_runs_as_in_a_notebook(dask: Dask, base: Path) -> None:
    dask.worker("one")
    room = c.new_class(base / "loop", {"ada": c.full().bytes()})

    def mark() -> float:
        outcome = mark_class(room, scheduler=dask.address, seed=SEED)
        return float(outcome.records["ada", c.SLUG]["earned"])

    async def cell() -> float:
        return mark()

    # A browser's tests in the same process leave a loop running here, which is what is wanted.
    running = asyncio._get_running_loop() is not None
    assert (mark() if running else asyncio.run(cell())) == sum(c.worth().values())


def test_a_worker_with_another_course_gets_no_hand_in(
    dask: Dask, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    for name in ("src", "grader", "solutions"):
        shutil.copytree(ROOT / name, other / name, ignore=shutil.ignore_patterns("__pycache__"))
    check = other / "grader" / "checks" / f"{c.SLUG}.py"
    check.write_text(check.read_text() + "\n# Another course.\n")
    dask.worker("other", other)
    room = c.new_class(base / "refused", {"ada": c.full().bytes()})
    code = cli.main(["mark", str(room.root), "--scheduler", dask.address])
    said = capsys.readouterr().err
    assert code == 1 and "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith(f"grader: No worker at {dask.address} can mark: the worker tcp://")
    assert last.endswith(f"it has another version of the course (unit {c.SLUG}).")
    # Beside one that has the right course it is named, and marking goes on.
    dask.worker("right")
    remarks: list[str] = []
    crew = None
    while crew is None:
        try:
            crew = Cluster(dask.address, {}, True, remarks.append)
        except PoolFault:  # the right one has not come yet
            time.sleep(0.5)
    crew.close()
    while True:
        try:
            mark_class(room, scheduler=dask.address, say=remarks.append)
            break
        except PoolFault:
            time.sleep(0.5)
    assert any("gets no hand-in: it has another version" in words for words in remarks)
    assert written(room)["ada"]["earned"] == sum(c.worth().values())


def test_a_hand_in_that_kills_workers_is_flagged_and_costs_its_classmates_nothing(
    dask: Dask, base: Path
) -> None:
    dask.worker("one", preload=_DIES, nanny=True)
    dask.worker("two", preload=_DIES, nanny=True)
    made = hand_ins() | {"a2": c.full().add("# POISON", 2).bytes()}
    room = c.new_class(base / "poison", made)
    outcome = mark_class(room, scheduler=dask.address, seed=SEED)
    found = steady(outcome.records)
    bad = found.pop("a2")
    assert found == {k: v for k, v in truth(base).items() if k != "a2"}
    assert (bad["status"], bad["earned"]) == ("grader fault", 0)
    assert "ended 3 times" in bad["flags"][0]
    with room.gradebook() as book:
        assert book.find_submission_notebook(c.SLUG, c.SLUG, "a2").needs_manual_grade


def test_a_scheduler_that_ends_ends_the_command_with_one_sentence(dask: Dask, base: Path) -> None:
    dask.worker("one")
    room = c.new_class(base / "ended", hand_ins())
    with pytest.raises(PoolFault, match="does not answer any more; what is marked is kept"):
        mark_class(room, scheduler=dask.address, show=lambda _: _kill_once(dask), seed=SEED)
    assert 1 <= len(list(room.records.rglob("*.json"))) < len(hand_ins())
    mark_class(room, jobs=2, seed=SEED)
    assert written(room) == truth(base)


def _kill_once(dask: Dask) -> None:
    if "scheduler" in dask.processes:
        dask.kill("scheduler")


def test_a_worker_without_the_course_is_named(dask: Dask, base: Path, tmp_path: Path) -> None:
    """It has a package of that name, as an older course would be: no job is sent to it."""
    (tmp_path / "old" / "grader").mkdir(parents=True)
    # An installation that can be edited would still find the modules that are not there.
    old = 'raise ImportError("an older course has no cluster")\n'
    (tmp_path / "old" / "grader" / "__init__.py").write_text(old)
    dask.worker("old", tmp_path / "old")
    room = c.new_class(base / "old", {"ada": c.full().bytes()})
    with pytest.raises(PoolFault, match=r"the course cannot be asked there \(ImportError\)"):
        mark_class(room, scheduler=dask.address, seed=SEED, say=lambda _: None)
    assert "nbformat" not in dask.logs()


def test_a_job_is_safe_to_show(base: Path) -> None:
    """A program that passes a job on may write it into its log."""
    room = c.new_class(base / "shown", {"ada": c.full().bytes()})
    words = repr(room.take(room.hand_ins()[0], SEED).job)
    assert str(SEED) not in words and len(words) < 100


@pytest.mark.parametrize("address", ["closed", "silent", "nonsense", "udp://127.0.0.1:1", ""])
def test_an_address_without_a_scheduler_is_said_within_seconds(
    base: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = base / "nobody"
    if not folder.exists():
        c.new_class(folder, {"ada": c.Blank(c.SLUG).bytes()})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        where = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        if address == "silent":
            listener.listen()
        address = where if address in ("closed", "silent") else address
        started = time.monotonic()
        code = cli.main(["mark", str(folder), "--scheduler", address])
    assert time.monotonic() - started < 15
    said = capsys.readouterr().err
    assert code == 1
    (line,) = said.strip().splitlines()
    assert line.startswith(f"grader: No dask scheduler answers at {address!r}")


def test_the_missing_package_is_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PoolFault, match=r"pip install 'gatedrnn\[cluster\]'"):
        Cluster("tcp://127.0.0.1:1", {}, True, print)
