"""Measure marking: `python -m grader.bench` makes classes and marks them, sealed and by stock.

Every class is honest work on one unit: the worked solution, half of it, and each exercise's first
misconception in turn, every hand-in with a remark of its own so that no two are the same file. The
commands are run as an instructor runs them, start-up included. Stock is `nbgrader autograde` with
nbgrader's own configuration, on the first hand-ins of the same class.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from gatedrnn.experiments.records import (
    SCHEMA,
    environment,
    load_average,
    now,
    read_record,
    write_record,
)
from grader import units
from grader.classroom import Classroom
from grader.demo import Blank, source_of
from grader.summary import table

TITLE = "Marking a class: sealed, and by stock nbgrader"
RECORD = units.ROOT / "book" / "results" / "marking" / "throughput.json"
SLUG = "rnn"
FULL = {"alone": 40, "hand_ins": [20, 200, 1000, 2000], "beside_stock": 200, "stock": 20}
QUICK = {"alone": 3, "hand_ins": [4], "beside_stock": 4, "stock": 2}

#: What the course asks of this engine: seconds for a hand-in, times stock's throughput, seconds for
#: a thousand hand-ins on two cores, seconds for a second run with nothing new.
TARGETS = {"each": 0.1, "ratio": 25.0, "thousand": 180.0, "again": 5.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the record and print it; `--show` prints the record there is."""
    parsed = _parser().parse_args(arguments)
    path = parsed.out or (units.ROOT / "build" / "throughput.json" if parsed.quick else RECORD)
    if not parsed.show:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(path, _measure(parsed))
    print(report(read_record(path)))
    print(f"\nRecord: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m grader.bench", description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the record, measure nothing")
    parser.add_argument("--quick", action="store_true", help="a trial of a minute, kept in build/")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--hand-ins", type=int, nargs="+", help="sizes of the classes")
    parser.add_argument("--out", type=Path, help="the file of the record")
    return parser


def _measure(parsed: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = dict(QUICK if parsed.quick else FULL)
    if parsed.hand_ins:
        settings["hand_ins"] = sorted({*parsed.hand_ins, settings["beside_stock"]})
    started, load = time.monotonic(), load_average()
    folder = Path(tempfile.mkdtemp(prefix="grader-bench-"))
    try:
        results = _results(folder, settings, parsed.jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    command = "python -m grader.bench" + (" --quick" if parsed.quick else "")
    if parsed.hand_ins:
        command += f" --hand-ins {' '.join(map(str, settings['hand_ins']))}"
    return {
        "schema": SCHEMA,
        "experiment": "throughput",
        "title": TITLE,
        "command": f"{command} --jobs {parsed.jobs}",
        "date": now(),
        "wall_seconds": round(time.monotonic() - started, 1),
        "threads": 1,
        "jobs": parsed.jobs,
        "quick": parsed.quick,
        "load_average_at_start": load,
        **environment(),
        "configuration": {"unit": SLUG, **settings},
        "seeds": [],
        "results": results,
    }


def _results(folder: Path, settings: dict[str, Any], jobs: int) -> dict[str, Any]:
    ours: list[dict[str, Any]] = []
    stock: dict[str, Any] = {}
    print(f"{settings['alone']} hand-ins, one after the other ...", flush=True)
    room = new_class(folder / "alone", settings["alone"])
    alone = _mark(room, settings["alone"], 1)
    shutil.rmtree(room.root)
    print(f"  {alone['median']:.3f} s", flush=True)
    for count in settings["hand_ins"]:
        print(f"A class of {count:,} ...", flush=True)
        room = new_class(folder / f"class-{count}", count)
        ours.append(_mark(room, count, jobs))
        print(f"  {ours[-1]['seconds']:.1f} s", flush=True)
        if count == settings["beside_stock"]:
            print(f"Stock nbgrader on the first {settings['stock']} of them ...", flush=True)
            stock = _stock(room, folder / "stock", settings["stock"])
            print(f"  {stock['seconds']:.1f} s", flush=True)
        shutil.rmtree(room.root)
    beside = next(row for row in ours if row["hand_ins"] == settings["beside_stock"])
    ratio = stock["each"] / beside["each"]
    cpu_ratio = stock["cpu_each"] / beside["cpu_each"]
    return {
        "alone": alone,
        "sealed": ours,
        "stock": stock,
        "ratio": round(ratio, 1),
        "cpu_ratio": round(cpu_ratio, 1),
        "targets": TARGETS,
    }


# ---------------------------------------------------------------- the class


def new_class(root: Path, count: int) -> Classroom:
    """A class of `count` honest hand-ins to one unit."""
    Classroom.create(root)
    room = Classroom.open(root)
    room.release(SLUG)
    works = _works()
    for number in range(count):
        path = room.hand_in_path(SLUG, f"student-{number:04d}")
        path.parent.mkdir(parents=True)
        mine = f"My notebook, number {number:04d}."
        path.write_bytes(works[number % len(works)].replace(_MINE.encode(), mine.encode()))
        (path.parent / "timestamp.txt").write_text("2026-03-01 12:00:00 UTC\n")
    return room


_MINE = "My notebook, number N."


def _works() -> list[bytes]:
    first: dict[str, Any] = {}
    for item in units.misconceptions(SLUG):
        first.setdefault(item.exercise, item)
    half = Blank(SLUG)
    blanks = [Blank(SLUG).solve(), half.solve(*half.exercises[::2])]
    blanks += [Blank(SLUG).solve().write(name, source_of(item)) for name, item in first.items()]
    return [blank.add(f"# {_MINE}", 2).bytes() for blank in blanks]


# ---------------------------------------------------------------- runs


def _mark(room: Classroom, count: int, jobs: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", str(jobs)]
    first = _run(command)
    again = _run(command)
    records = [made for h in room.hand_ins() if (made := room.record_of(h)) is not None]
    if len(records) != count or {made["status"] for made in records} != {"marked"}:
        raise RuntimeError(f"only {len(records)} of {count} hand-ins were marked")
    return {
        "hand_ins": count,
        "seconds": round(first["seconds"], 2),
        "each": round(first["seconds"] / count, 4),
        "cpu_each": round(first["cpu"] / count, 4),
        "median": round(statistics.median(made["seconds"] for made in records), 4),
        "peak_mib": first["peak_mib"],
        "again_seconds": round(again["seconds"], 2),
        "isolation": records[0]["isolation"],
    }


def _stock(room: Classroom, folder: Path, count: int) -> dict[str, Any]:
    folder.mkdir()
    shutil.copytree(room.root / "source", folder / "source")
    chosen = [hand_in.student for hand_in in room.hand_ins()][:count]
    for student in chosen:
        shutil.copytree(room.submitted / student, folder / "submitted" / student)
    text = "c = get_config()\nc.ExecutePreprocessor.timeout = 180\n"
    (folder / "nbgrader_config.py").write_text(text)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    _run([*nbgrader, "generate_assignment", SLUG], folder)
    done = _run([*nbgrader, "autograde", SLUG], folder)
    differ = _scores(folder, chosen) != _scores(room.root, chosen)
    return {
        "hand_ins": count,
        "seconds": round(done["seconds"], 2),
        "each": round(done["seconds"] / count, 4),
        "cpu_each": round(done["cpu"] / count, 4),
        "peak_mib": done["peak_mib"],
        "same_scores": not differ,
    }


def _scores(folder: Path, students: list[str]) -> dict[str, dict[str, float]]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            name: {
                g.name: g.auto_score for g in book.find_submission(SLUG, name).notebooks[0].grades
            }
            for name in students
        }


def _run(command: list[str], folder: Path | None = None) -> dict[str, float]:
    """Time of a command, by the clock and of processors, and the most memory held at once.

    All that the command starts is counted with it.
    """
    here = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "OMP_NUM_THREADS": "1",
    }
    started, before = time.monotonic(), _processor_seconds()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        memory = _Memory(process.pid)
        code = process.wait()
        seconds = time.monotonic() - started
        memory.stop()
        if code != 0:
            said.seek(0)
            text = said.read().decode("utf-8", "replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with status {code}:\n{text}")
    cpu = _processor_seconds() - before
    return {"seconds": seconds, "cpu": cpu, "peak_mib": round(memory.peak / 2**20)}


def _processor_seconds() -> float:
    """What the children of this process, and theirs, have used, once they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Memory:
    """Samples the memory of a process and its descendants; shared pages are counted once."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._process = psutil.Process(pid)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended
                family = [self._process, *self._process.children(recursive=True)]
                self.peak = max(self.peak, sum(map(_memory_of, family)))
            if self._end.wait(1.0):
                return


def _memory_of(process: psutil.Process) -> int:
    # A descendant may end between being listed and being asked, or be closed to this user.
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_full_info().pss)
    return 0


# ---------------------------------------------------------------- the report


def report(record: dict[str, Any]) -> str:
    """The record as tables, with what is asked beside what was measured."""
    results, stock = record["results"], record["results"]["stock"]
    rows = [
        ["sealed", f"{r['hand_ins']:,}", f"{r['seconds']:.1f}", f"{r['each']:.3f}",
         f"{r['cpu_each']:.3f}", f"{r['peak_mib']:,}", f"{r['again_seconds']:.1f}"]
        for r in results["sealed"]
    ]  # fmt: skip
    rows.append(
        ["stock nbgrader", f"{stock['hand_ins']:,}", f"{stock['seconds']:.1f}",
         f"{stock['each']:.3f}", f"{stock['cpu_each']:.3f}", f"{stock['peak_mib']:,}", "–"]
    )  # fmt: skip
    head = ["marked", "hand-ins", "seconds", "s each", "CPU s each", "peak MiB", "second run, s"]
    lines = [record["title"], f"{record['device']}, {record['cores']} cores, {record['date']}", ""]
    lines += [table(head, rows, right=range(1, 7)), ""]
    lines += [f"{name:<46}{words}" for name, words in _against_targets(results)]
    return "\n".join(lines)


def _against_targets(results: dict[str, Any]) -> list[tuple[str, str]]:
    asked, sealed = results["targets"], results["sealed"]
    found = [
        ("one hand-in alone, the median", results["alone"]["median"], asked["each"], "s"),
        ("one of the largest class, on average", sealed[-1]["each"], asked["each"], "s"),
        ("throughput, times stock's", results["ratio"], asked["ratio"], "times"),
        ("the same by processor time", results["cpu_ratio"], asked["ratio"], "times"),
    ]
    by_size = {row["hand_ins"]: row for row in sealed}
    if 1000 in by_size:
        found.append(("1,000 hand-ins", by_size[1000]["seconds"], asked["thousand"], "s"))
        found.append(("a second run of 1,000", by_size[1000]["again_seconds"], asked["again"], "s"))
    lines = []
    for name, got, wanted, unit in found:
        most = unit == "s"
        holds = got <= wanted if most else got >= wanted
        bound = "at most" if most else "at least"
        verdict = "holds" if holds else "does not hold"
        lines.append((name, f"{got:g} {unit} (asked: {bound} {wanted:g}): {verdict}"))
    same = "the same" if results["stock"]["same_scores"] else "NOT the same"
    return [*lines, ("scores of stock and ours", same)]


if __name__ == "__main__":
    sys.exit(main())
