"""The command `grader`: make a class, hand out, collect, mark, report, give back."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

try:
    from grader import lean, units  # noqa: F401 (lean is to be imported first)
except KeyboardInterrupt:  # as in `main`, which is not there yet
    print("grader: Stopped before anything was done.", file=sys.stderr)
    sys.exit(130)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a fault becomes one sentence on stderr and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name may have signs that the terminal's code lacks
            stream.reconfigure(errors="replace")
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except KeyboardInterrupt:
        _say("Stopped. What was done is kept; the same command goes on from there.")
        return 130
    except Exception as error:
        words = _explain(error)
        if words is None:
            raise
        _say(words)
        return 1


def _say(words: str) -> None:
    # A student's name may hold anything; a terminal is not to be commanded by it.
    from grader.files import printable

    print(f"grader: {printable(words)}", file=sys.stderr)


def _explain(error: Exception) -> str | None:
    """One sentence about a fault that an instructor can mend; None for a fault of ours."""
    from grader.classroom import CONFIG, ClassFault, gradebook_fault
    from grader.course import CourseFault
    from grader.engine import ChecksUnreadable
    from grader.marking import MarkingFault
    from grader.notebooks import SourceError
    from grader.pool import PoolFault
    from grader.worker.seal import SealFault

    ours = (units.UnknownName, ClassFault, CourseFault, ChecksUnreadable, MarkingFault,
            SourceError, PoolFault, SealFault)  # fmt: skip
    if isinstance(error, ours):
        return str(error)
    if isinstance(error, OSError):
        return _explain_system(error)
    if type(error).__module__.startswith("sqlalchemy"):
        return gradebook_fault(str(error))
    if type(error).__module__.startswith("traitlets"):
        return f"{CONFIG} sets what nbgrader does not take: {error}"
    return None


def _explain_system(error: OSError) -> str:
    where = error.filename or "the class"
    if error.errno == errno.ENOSPC:
        return f"The disk is full while writing {where}; free some space and run the command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} may not be written or read; change its permissions and run it again."
    return f"{error.strerror or error}: {where}."


# ---------------------------------------------------------------- the commands


def _init(arguments: argparse.Namespace) -> None:
    from grader.classroom import Classroom

    room = Classroom.create(arguments.dir)
    print(f"Made a class in {room.root}. Next: grader release {arguments.dir}")


def _release(arguments: argparse.Namespace) -> None:
    from grader.classroom import Classroom

    room = Classroom.open(arguments.dir)
    slugs = arguments.units or list(units.slugs())
    for slug in slugs:
        units.exercises(slug)  # a misspelt name speaks before anything is written
    for slug in slugs:
        print(f"Released {slug}: {room.release(slug)}")
    from grader.handout import hand_out

    print(f"To give to the students, notebooks and course package: {hand_out(room)}")


def _collect(arguments: argparse.Namespace) -> int:
    from grader.classroom import Classroom
    from grader.collect import collect

    room = Classroom.open(arguments.dir)
    placed, unplaced = collect(room, arguments.source, arguments.replace)
    for item in placed:
        print(item)
    for item in unplaced:
        _say(item)
    print(f"{len(placed)} hand-ins are in place, {len(unplaced)} files were left out.")
    if not placed and not unplaced:
        _say(f"There is nothing to collect in {arguments.source}.")
    return 0 if placed else 1


def _mark(arguments: argparse.Namespace) -> int:
    from grader.classroom import Classroom
    from grader.markclass import mark_class
    from grader.summary import class_table

    room = Classroom.open(arguments.dir)
    room.unsealed = room.unsealed or arguments.unsealed
    slugs = None
    if arguments.unit is not None:
        room.unit(arguments.unit)
        slugs = [arguments.unit]
    started = time.monotonic()
    outcome = mark_class(
        room, slugs, arguments.student, jobs=arguments.jobs, scheduler=arguments.scheduler,
        show=_line_for_a_terminal(), say=_say,
    )  # fmt: skip
    for remark in outcome.remarks:
        _say(remark)
    total = len(outcome.records)
    if not total:
        if not outcome.refused:
            print(
                "Nothing has been handed in to a released unit; "
                "see submitted/ and `grader release`."
            )
        return 1 if outcome.refused else 0
    print(class_table(outcome.records, slugs or room.released()))
    print(
        f"{total} hand-ins: {outcome.marked} marked, {outcome.kept} unchanged since they were "
        f"marked, {outcome.entered} entered in the gradebook; {time.monotonic() - started:.1f} s."
    )
    return 1 if outcome.refused else 0


def _line_for_a_terminal() -> Callable[[str], None] | None:
    # In a log the table at the end says it all.
    return print if sys.stdout.isatty() else None


def _feedback(arguments: argparse.Namespace) -> int:
    from grader.classroom import Classroom
    from grader.givebacks import give_back

    room = Classroom.open(arguments.dir)
    made, faults = give_back(room, arguments.student)
    for fault in faults:
        _say(fault)
    print(f"{made} pages in {room.root / 'feedback'}")
    return 1 if faults else 0


def _report(arguments: argparse.Namespace) -> None:
    from grader.classroom import Classroom
    from grader.summary import exercise_table, misconception_table

    room = Classroom.open(arguments.dir)
    if arguments.unit is not None:
        room.unit(arguments.unit)
    slugs = room.released() if arguments.unit is None else [arguments.unit]
    records = {(h.student, h.slug): r for h in room.hand_ins(slugs) if (r := room.record_of(h))}
    if not records:
        print(f"Nothing is marked yet: grader mark {arguments.dir}")
        return
    print(exercise_table(records, slugs))
    print()
    print(misconception_table(records))
    from grader.classreport import write_report

    folder = arguments.to or room.root / "report"
    write_report(room, slugs, folder)
    print()
    print(f"The page with all of it, drawn: {folder / 'report.html'} (CSV and JSON beside it)")


def _export(arguments: argparse.Namespace) -> None:
    from grader.classroom import Classroom
    from grader.export import export

    room = Classroom.open(arguments.dir)
    for slug in arguments.units:
        room.unit(slug)
    path, notes = export(room, arguments.to, arguments.format, arguments.units or None)
    print(f"Wrote {path}")
    for note in notes:
        print(note)


def _demo(arguments: argparse.Namespace) -> None:
    from grader.demo import demo

    demo(arguments.into or units.ROOT / "build" / "demo-class", jobs=arguments.jobs)


def _doctor(arguments: argparse.Namespace) -> None:
    from grader.doctor import report

    print(report())


def _notebooks(arguments: argparse.Namespace) -> int:
    from grader import notebooks

    if arguments.check:
        stale = notebooks.stale()
        if stale:
            _say(
                f"Not what their sources give: {', '.join(stale)}; "
                "`python -m grader notebooks` makes them again."
            )
            return 1
        print(f"All {len(units.slugs())} notebooks are what their sources give.")
        return 0
    for slug in units.slugs():
        made = notebooks.write(slug)
        print(f"{notebooks.notebook_path(slug)}: {'written' if made else 'unchanged'}")
    return 0


# ---------------------------------------------------------------- the parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="grader", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], Any], words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(run=run)
        return made

    def of_class(name: str, run: Callable[[Any], Any], words: str) -> argparse.ArgumentParser:
        made = command(name, run, words)
        made.add_argument("dir", metavar="DIR", type=Path, help="the folder of the class")
        return made

    of_class("init", _init, "make a class in a new folder")
    release = of_class("release", _release, "make the notebooks to hand out")
    release.add_argument("units", metavar="UNIT", nargs="*", help="all units when none is named")
    collect = of_class("collect", _collect, "take hand-ins from a folder or a zip")
    collect.add_argument("source", metavar="FOLDER-OR-ZIP", type=Path)
    collect.add_argument("--replace", action="store_true", help="also by what is older")
    mark = of_class("mark", _mark, "mark what has been handed in and is not marked yet")
    mark.add_argument("--student", help="one student only")
    mark.add_argument("--unit", help="one unit only")
    mark.add_argument(
        "--unsealed",
        action="store_true",
        help="mark even where hostile code cannot be kept in (see `grader doctor`)",
    )
    where = mark.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=_jobs, default=None, help="processes at once (all cores)")
    where.add_argument(
        "--scheduler", metavar="ADDRESS", help="mark on the dask cluster of this scheduler"
    )
    feedback = of_class("feedback", _feedback, "make the pages to give back")
    feedback.add_argument("--student", help="one student only")
    report = of_class("report", _report, "how the class did, and what to teach again")
    report.add_argument("unit", metavar="UNIT", nargs="?", help="one unit only")
    report.add_argument("--to", type=Path, help="the folder for the page (DIR/report)")
    export = of_class("export", _export, "write the grades for a spreadsheet, Canvas or Moodle")
    export.add_argument("units", metavar="UNIT", nargs="*", help="all units when none is named")
    export.add_argument("--format", choices=("csv", "canvas", "moodle"), default="csv")
    export.add_argument("--to", type=Path, help="the file to write (DIR/grades.csv)")
    demo = command("demo", _demo, "make and mark a class of invented students")
    demo.add_argument("--into", type=Path, help="its folder (build/demo-class)")
    demo.add_argument("--jobs", type=_jobs, default=None, help="processes at once (all cores)")
    command("doctor", _doctor, "say whether this machine can mark sealed, and how to get it")
    books = command("notebooks", _notebooks, "make the students' notebooks from their sources")
    books.add_argument("--check", action="store_true", help="only say whether they are in step")
    return parser


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 256, got {text!r}")
    return int(text)


if os.name == "nt":  # a table has signs that the console's own encoding may lack
    for _stream in (sys.stdout, sys.stderr):
        if hasattr(_stream, "reconfigure"):
            _stream.reconfigure(encoding="utf-8", errors="replace")
