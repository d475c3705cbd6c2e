"""A class: a folder of its own with hand-ins, records, a gradebook, and what is given back.

nbgrader owns the gradebook and the layout. No command here deletes a hand-in, a record or a grade.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import glob
import io
import itertools
import logging
import os
import re
import shutil
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat

from grader import course, job, notebooks, record, submission, units
from grader.booklinks import lead_out
from grader.files import brief, part_in, sweep, write_text
from grader.job import Job
from grader.plan import Plan
from grader.report import book_links
from grader.worker import seal
from grader.worker.launch import Limits, WorkerFactory

CONFIG = "nbgrader_config.py"
FOLDERS = ("source", "release", "submitted", "autograded", "feedback", "records")

_CONFIG_TEXT = """\
# The configuration of this class, for nbgrader and for the command `grader`.
from grader.nbgrader_config import configure

c = get_config()  # noqa: F821
configure(c)

# What you set below wins. A late hand-in scores zero with:
# c.LateSubmissionPlugin.penalty_method = "zero"
# Times in seconds that a hand-in may use, for a call of a function and for all of it:
# c.Grader.limits = {"call": 10, "notebook": 180}
# The names of the units' columns in your learning platform:
# c.Grader.lms_names = {"rnn": "Exercises 2 (4711)"}
# The address of your book's chapters, for the links in notebooks and reports; then release again:
# c.Grader.book = "https://HOST/PATH/book"
# Where sealed marking does not work (`grader doctor` says), marking refuses unless this is set:
# c.Grader.unsealed = True
# Another database than gradebook.db (pip install 'gatedrnn[postgres]'):
# c.CourseDirectory.db_url = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
"""

_README = """\
This folder is one class of the course. It can be moved and copied whole.

  hand-out.zip  the notebooks and the course package    grader release DIR
  submitted/    STUDENT/UNIT/UNIT.ipynb, as handed in   grader collect DIR FOLDER-OR-ZIP
  collected/    all that was ever collected, by its content
  records/      one record for each mark, as JSON       grader mark DIR
  autograded/   the notebooks as marked, with reports
  report/       the class as a page, CSV and JSON       grader report DIR
  feedback/     the pages to give back                  grader feedback DIR
  gradebook.db  nbgrader's gradebook                    grader export DIR

DIR is this folder. nbgrader's own commands (autograde, generate_feedback, export, formgrader) work
in it and give the same marks. No command of the course deletes what lies here.
"""


class ClassFault(RuntimeError):
    """A class that cannot be made or used; the message is one sentence that says what to do."""


def gradebook_fault(text: str) -> str:
    """What the database says of a fault, as one sentence that says what to do."""
    if "locked" in text:
        return (
            "The gradebook is in use by another program; close formgrader or the other command, "
            "and run this one again."
        )
    if "disk is full" in text or "No space left" in text:
        return "The disk is full; free some space and run the same command again."
    if "readonly" in text:
        return "The gradebook may not be written; change its permissions and run it again."
    if "not a database" in text or "malformed" in text:
        return "gradebook.db is not a database any more; put a copy back that you trust."
    first = text.strip().splitlines()[0] if text.strip() else "unknown fault"
    return f"The gradebook cannot be used: {first}"


@dataclass(frozen=True)
class HandIn:
    """One place where a student hands in one unit."""

    student: str
    slug: str
    path: Path


@dataclass(frozen=True)
class Taken:
    """A hand-in as it was found at one moment."""

    hand_in: HandIn
    job: Job
    when: datetime.datetime | None


class Classroom:
    """The class in the folder `root`."""

    def __init__(
        self, root: Path, limits: Limits | None = None, factory: WorkerFactory | None = None
    ) -> None:
        self.root = root.resolve()
        self._factory = factory
        self.unsealed = False
        self.limits = limits or Limits()
        #: The address of the book's chapters, where there is one.
        self.book = os.environ.get("GATEDRNN_BOOK", "")
        self.source = self.root / "source"
        self.submitted = self.root / "submitted"
        self.autograded = self.root / "autograded"
        self.records = self.root / "records"
        self._units: dict[str, course.UnitSource] = {}
        self._texts: dict[str, str] = {}

    @classmethod
    def open(cls, root: Path) -> Classroom:
        """The class in `root`; raises `ClassFault` when there is none."""
        if not root.exists():
            raise ClassFault(
                f"There is no folder {root}; `grader init {root}` makes a class there."
            )
        if not (root / CONFIG).is_file() or root.resolve() == units.ROOT:
            raise ClassFault(
                f"{root} is not a class: it has no {CONFIG} of a class; `grader init` makes a new "
                "class."
            )
        room = cls(root)
        room.limits = room._own_limits()
        own = room.config().get("Grader", {})
        room.unsealed = own.get("unsealed", False)
        if not isinstance(room.unsealed, bool):
            raise ClassFault(
                f"{CONFIG} sets c.Grader.unsealed to {room.unsealed!r}; expected True or False."
            )
        room.book = own.get("book", room.book)
        if room.book and not re.match("https?://", str(room.book)):
            raise ClassFault(
                f"{CONFIG} sets c.Grader.book to {room.book!r}; expected an address that begins "
                "with https://."
            )
        return room

    @classmethod
    def create(cls, root: Path) -> Classroom:
        """Make a class in `root`, which is new or empty; nothing half-made is left behind."""
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise ClassFault(f"{root} exists already and is not empty; choose another folder.")
        root = root.absolute()
        root.parent.mkdir(parents=True, exist_ok=True)
        sweep(root.parent)
        partial = part_in(root.parent)
        try:
            partial.mkdir()
        except OSError as error:
            error.filename = str(root)  # the name that a person knows
            raise
        try:
            for name in FOLDERS:
                (partial / name).mkdir()
            write_text(partial / CONFIG, _CONFIG_TEXT)
            write_text(partial / "README.txt", _README)
            with cls(partial).gradebook():
                pass
            partial.chmod(0o755)
            if root.exists():
                root.rmdir()
            os.replace(partial, root)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OSError):  # by the name that a person knows
                error.filename = str(error.filename or root).replace(str(partial), str(root))
            raise
        return cls(root)

    @functools.cached_property
    def links(self) -> dict[str, str]:
        """Place in the book -> its address, where the class knows the book's."""
        if not self.book:
            return {}
        places = [e.see for slug in units.slugs() for e in units.exercises(slug)]
        places += [m.see for slug in units.slugs() for m in units.misconceptions(slug) if m.see]
        return book_links(places, self.root, self.book)

    def _own_limits(self) -> Limits:
        """The limits that the class's configuration sets, over the usual ones."""
        own = self.config().get("Grader", {}).get("limits", {})
        known = Limits().asdict()
        if not isinstance(own, dict):
            raise ClassFault(f"{CONFIG} sets c.Grader.limits to {own!r}; expected a dictionary.")
        if unknown := sorted(set(own) - set(known)):
            raise ClassFault(
                f"{CONFIG} sets the limit {unknown[0]!r}, which does not exist; "
                f"there are: {', '.join(known)}."
            )
        for name, value in own.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < float("inf"):
                raise ClassFault(
                    f"{CONFIG} sets the limit {name!r} to {value!r}; expected a number, not below "
                    "zero."
                )
        return Limits(**own)

    # ------------------------------------------------------------ nbgrader

    def config(self) -> Any:
        """The class's configuration, as nbgrader reads it."""
        from traitlets.config.loader import PyFileConfigLoader

        try:
            return PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()
        except (Exception, SystemExit) as error:  # it is a program, and can fail in every way
            line = _line_in(error, str(self.root / CONFIG))
            words = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ClassFault(
                f"{self.root / CONFIG} cannot be read{line}: {type(error).__name__}: {words}"
            ) from None

    def coursedir(self, slug: str = "", student: str = "*") -> Any:
        from nbgrader.coursedir import CourseDirectory

        directory = CourseDirectory(config=self.config(), log=_quiet())
        directory.root = str(self.root)
        directory.assignment_id, directory.student_id = slug, student
        return directory

    @contextlib.contextmanager
    def gradebook(self) -> Iterator[Any]:
        """nbgrader's gradebook of this class."""
        from nbgrader.api import Gradebook

        from grader.gradebook import put_interpreter_first

        put_interpreter_first()
        directory = self.coursedir()
        try:
            opened = Gradebook(directory.db_url, directory.course_id)
        except ModuleNotFoundError as error:
            raise ClassFault(
                f"The gradebook's db_url needs the Python package {error.name!r}, which is not "
                "installed (PostgreSQL: pip install 'gatedrnn[postgres]')."
            ) from None
        with opened as gradebook:
            yield gradebook

    def convert(self, converter: type, slug: str, student: str = "*") -> None:
        """Run one of nbgrader's converters; its log becomes the words of a `ClassFault`."""
        from nbgrader.converters import NbGraderException

        log, words = _log_to_memory()
        if glob.has_magic(str(self.root)):
            raise ClassFault(f"nbgrader cannot work in {self.root}: rename it, without * ? and [.")
        made = converter(coursedir=self.coursedir(slug, student), config=self.config(), log=log)
        made.force = True
        try:
            made.start()
        except (NbGraderException, SystemExit):
            lines = [line for line in words.getvalue().splitlines() if line.strip()]
            last = next((x for x in reversed(lines) if "Error" in x), lines[-1] if lines else "")
            if "sqlalchemy" in last:
                raise ClassFault(gradebook_fault(last)) from None
            raise ClassFault(f"nbgrader could not finish {slug!r}: {last}") from None

    # ------------------------------------------------------------ releasing

    def release(self, slug: str) -> Path:
        """Make the notebook to hand out, and tell the gradebook of its cells."""
        from nbgrader.converters import GenerateAssignment

        target = self.source / slug / f"{slug}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = notebooks.source_notebook(slug)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = lead_out(cell.source, self.book)
        write_text(target, notebooks.text_of(notebook))
        folder = self.root / "release" / slug
        kept = folder.with_name(f".{slug}.kept")
        sweep(self.source, 1)
        sweep(folder.parent)
        if folder.exists() and not kept.exists():
            copy = part_in(folder.parent)
            shutil.copytree(folder, copy)
            os.replace(copy, kept)
        try:
            self.convert(GenerateAssignment, slug)
        except BaseException:
            # nbgrader removes the old release before it finds out that it cannot make the new one.
            if kept.exists():
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(kept, folder)
            raise
        shutil.rmtree(kept, ignore_errors=True)
        self._units.pop(slug, None)
        return folder / f"{slug}.ipynb"

    def released(self) -> list[str]:
        """The units that have been released, in the order of the course."""
        return [s for s in units.slugs() if (self.root / "release" / s / f"{s}.ipynb").is_file()]

    def unit(self, slug: str) -> course.UnitSource:
        if slug not in self._units:
            path = self.root / "release" / slug / f"{slug}.ipynb"
            if not path.is_file():
                units.exercises(slug)  # an unknown name speaks for itself
                raise ClassFault(
                    f"{slug!r} has not been released in this class; "
                    f"`grader release {self.root} {slug}` does it."
                )
            try:
                self._texts[slug] = path.read_text("utf-8")
                self._units[slug] = course.unit_source(slug, path)
            except (ValueError, KeyError, AttributeError, nbformat.ValidationError):
                raise ClassFault(
                    f"{path} is not a notebook any more; `grader release {self.root} {slug}` makes "
                    "it again."
                ) from None
        return self._units[slug]

    def unit_text(self, slug: str) -> str:
        """The released notebook of a unit, as text."""
        self.unit(slug)
        return self._texts[slug]

    # ------------------------------------------------------------ hand-ins

    def students(self) -> list[str]:
        """Everyone who has a folder among the hand-ins."""
        if not self.submitted.is_dir():  # a zip can lose an empty folder
            return []
        with os.scandir(self.submitted) as entries:
            names = [
                e.name for e in entries if not e.name.startswith(".") or self._hands_in(e.path)
            ]
        found = sorted(map(_as_text, names))
        if twice := next((a for a, b in itertools.pairwise(found) if a == b), None):
            raise ClassFault(
                f"Two folders in {self.submitted} are both read as {brief(twice)!r}; rename one."
            )
        return found

    def _hands_in(self, folder: str) -> bool:
        """Whether a hidden folder is a student's all the same: it holds a unit."""
        return any(os.path.lexists(os.path.join(folder, slug)) for slug in self.released())

    def hand_ins(self, slugs: list[str] | None = None, student: str | None = None) -> list[HandIn]:
        """What is to be marked: each folder STUDENT/UNIT among the hand-ins."""
        names = self.students() if student is None else [student]
        if student is not None and student not in self.students():
            raise ClassFault(_no_student(student, self.students()))
        chosen = self.released() if slugs is None else slugs
        return [
            HandIn(name, slug, self.hand_in_path(slug, name))
            for slug in chosen
            for name in names
            if os.path.lexists(self._folder_of(name) / slug)
        ]

    def hand_in_path(self, slug: str, student: str) -> Path:
        return self._folder_of(student) / slug / f"{slug}.ipynb"

    def _folder_of(self, student: str) -> Path:
        """The folder of a student's hand-ins, whose name on the disk may be no text."""
        folder = self.submitted / student
        if "\\" in student and not os.path.lexists(folder) and self.submitted.is_dir():
            named = (e.name for e in os.scandir(self.submitted) if _as_text(e.name) == student)
            return self.submitted / next(named, student)
        return folder

    def timestamp(self, slug: str, student: str) -> datetime.datetime | None:
        """When it was handed in, as nbgrader's `timestamp.txt` says, in UTC."""
        from nbgrader.utils import parse_utc

        path = self._folder_of(student) / slug / "timestamp.txt"
        try:
            # Anything but a file is not read: a pipe would hold up the whole class.
            if path.is_symlink() or not path.is_file() or path.stat().st_size > 200:
                return None
            parsed: datetime.datetime = parse_utc(path.read_text("utf-8").strip())
        except (OSError, ValueError, OverflowError):
            return None
        return parsed

    # ------------------------------------------------------------ marking

    @property
    def factory(self) -> WorkerFactory:
        """Where notebooks run: sealed, or plainly if the class allows it; raises `SealFault`."""
        if self._factory is None:
            self._factory = seal.choose(self.unsealed)
        return self._factory

    def take(self, hand_in: HandIn, seed: int | None = None) -> Taken:
        """Read a hand-in now. What is marked and entered is this, whatever comes later."""
        one = job.job(
            submission.place(hand_in.path),
            hand_in.slug,
            self.unit_text(hand_in.slug),
            self.limits,
            unsealed=self.unsealed,
            seed=seed,
        )
        return Taken(hand_in, one, self.timestamp(hand_in.slug, hand_in.student))

    def record_of(self, hand_in: HandIn) -> dict[str, Any] | None:
        """The record that this hand-in has; one made without a seal where there is no other."""
        taken = self.take(hand_in)
        unsealed = replace(taken, job=replace(taken.job, unsealed=True))
        return self.found(taken) or self.found(unsealed)

    def found(self, taken: Taken) -> dict[str, Any] | None:
        """The record of what was taken, if there is one."""
        slug, student = taken.hand_in.slug, taken.hand_in.student
        return record.found(self.records, slug, student, taken.job.key)

    def keep(self, hand_in: HandIn, made: dict[str, Any]) -> dict[str, Any]:
        """Write a record that was made of this hand-in; the record with the student's name."""
        made = made | {"student": hand_in.student}
        record.write(self.records, made)
        return made

    def judge(self, hand_in: HandIn, seed: int | None = None) -> dict[str, Any]:
        """Mark a hand-in and write its record."""
        return self.keep(hand_in, job.judge(self.take(hand_in, seed).job, self.factory))

    def mark_one(self, slug: str, student: str) -> tuple[dict[str, Any], Plan]:
        """The record of a hand-in, made now if there is none, and the plan that it followed."""
        taken = self.take(HandIn(student, slug, self.hand_in_path(slug, student)))
        made = self.found(taken)
        if made is None:
            made = self.keep(taken.hand_in, job.judge(taken.job, self.factory))
        return made, taken.job.plan()

    # ------------------------------------------------------------ the gradebook

    def enter(self, gradebook: Any, marks: Sequence[tuple[Taken, dict[str, Any]]]) -> None:
        """Write records to the gradebook, all or none, then the notebooks as marked.

        Stopped between the two, the next run sees that a notebook is not there, and enters its
        record again.
        """
        from grader import gradebook as bridge

        entries = [bridge.Entry(made, taken.job.plan(), taken.when) for taken, made in marks]
        bridge.enter(gradebook, entries, self.config())
        for (taken, made), entry in zip(marks, entries, strict=True):
            slug = taken.hand_in.slug
            folder = self.autograded / taken.hand_in.student / slug
            folder.mkdir(parents=True, exist_ok=True)
            if taken.when is not None:
                write_text(folder / "timestamp.txt", taken.when.isoformat(sep=" ") + " UTC\n")
            assembled = bridge.assemble(made, entry.plan, self.links)
            write_text(folder / f"{slug}.ipynb", nbformat.writes(assembled) + "\n")

    def is_entered(self, held: dict[str, Any], taken: Taken, made: dict[str, Any]) -> bool:
        """Whether gradebook and marked notebook already say what the record says."""
        from grader.gradebook import MARK, agrees

        slug, student = taken.hand_in.slug, taken.hand_in.student
        one = held.get(student)
        if one is None or not agrees(one, made, taken.when):
            return False
        path = self.autograded / student / slug / f"{slug}.ipynb"
        mark = f'"{MARK}": {{\n   "record": "{made["key"]}"'
        return mark in _tail(path)

    def gone(self, held: dict[str, Any], slug: str) -> list[str]:
        """Students with a score for a unit whose hand-in is not there any more."""
        return [
            student
            for student, one in sorted(held.items())
            if any(score is not None for score in one.scores.values())
            and not os.path.lexists(self._folder_of(student) / slug)
        ]


def _tail(path: Path, size: int = 4096) -> str:
    """The end of a file, where a notebook keeps what is said of all of it; "" when not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _as_text(name: str) -> str:
    """The name of a folder as text: bytes that are no UTF-8 are written as ``\\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _no_student(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    tail = f"did you mean {close[0]!r}?" if close else "nothing has been handed in under that name."
    return f"There is no student {brief(name)!r} in this class; {tail}"


def _line_in(error: BaseException, path: str) -> str:
    """Where in the file at `path` a fault arose: ", line 3", or nothing when that is not known."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.lineno else ""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _quiet() -> logging.Logger:
    log = logging.getLogger("grader.nbgrader")
    log.propagate = False
    log.setLevel(logging.CRITICAL + 1)
    return log


def _log_to_memory() -> tuple[logging.Logger, io.StringIO]:
    words = io.StringIO()
    log = logging.Logger("grader.nbgrader.memory", logging.ERROR)
    log.addHandler(logging.StreamHandler(words))
    return log, words
