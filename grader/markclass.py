"""Mark what has been handed in to a class: in parallel, once for each content, one writer.

Records are made by several processes; the gradebook is written by this one alone. Stopped anywhere,
it goes on from there when it is called again: what has a record is not marked twice, and what is in
the gradebook already is left alone.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from grader import course
from grader.classroom import ClassFault, Classroom, HandIn, Taken
from grader.files import brief, of_one_file, printable, sweep
from grader.gradebook import Held, NameTooLong, flag
from grader.gradebook import held as read_gradebook
from grader.pool import Crew, Here, Local, do_all

#: So often a hand-in that keeps changing is marked in one run.
_TIMES = 3
#: Records are entered together, this many at most and this many seconds late at most: each time
#: the gradebook waits for the disk.
_TOGETHER, _SECONDS = 25, 1.0
#: So many marks that were refused are named one by one.
_NAMED = 10


@dataclass
class Outcome:
    """What one run of `mark_class` came to."""

    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    marked: int = 0
    kept: int = 0
    entered: int = 0
    #: Marks that could not be kept or entered; remarks name the first of them.
    refused: int = 0
    #: Sentences about what a person should look at beside the records.
    remarks: list[str] = field(default_factory=list)


def mark_class(
    room: Classroom,
    slugs: list[str] | None = None,
    student: str | None = None,
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    seed: int | None = None,
    show: Callable[[str], None] | None = None,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Mark all hand-ins, or those to some units or of one student, and enter them.

    By `jobs` processes on this machine, or by the workers of the dask `scheduler` at this address.
    `show` is given a line for each mark, `say` a sentence about the workers, when there is one.
    """
    hand_ins = room.hand_ins(slugs, student)
    for folder in (room.records, room.autograded):
        sweep(folder, 2)
    for slug in dict.fromkeys(h.slug for h in hand_ins):
        room.unit(slug)  # a fault of the course speaks before anything is marked
    outcome = Outcome()
    with room.gradebook() as gradebook:
        for slug in dict.fromkeys(h.slug for h in hand_ins):
            _known(room, gradebook, slug)
        held = {slug: read_gradebook(gradebook, slug) for slug in slugs or room.released()}
        register = _Register(room, gradebook, held, outcome)
        todo = register.bring_in_step(hand_ins)
        for _ in range(_TIMES):
            if not todo:
                break
            crew = _crew(room, todo, jobs, scheduler, say)
            _mark_all(room, todo, crew, seed, register, show)
            todo = register.bring_in_step(todo)  # what has changed meanwhile
        outcome.remarks += [_restless(hand_in) for hand_in in todo]
        if outcome.refused > _NAMED:
            outcome.remarks.append(
                f"{outcome.refused - _NAMED} more marks could not be kept or entered."
            )
        register.look_for_gone(student)
    return outcome


def _known(room: Classroom, gradebook: Any, slug: str) -> None:
    """Raises ClassFault when a released unit is not in the gradebook: it is another, or empty."""
    from nbgrader.api import MissingEntry

    try:
        gradebook.find_assignment(slug)
    except MissingEntry:
        raise ClassFault(
            f"The gradebook knows no assignment {slug!r}; `grader release {room.root} {slug}` puts "
            "it there, and then `grader mark` enters all marks that were made."
        ) from None


def _restless(hand_in: HandIn) -> str:
    return (
        f"The hand-in of {brief(hand_in.student)} to {hand_in.slug!r} changed each time it was "
        "marked; its mark is of what was there before: run the command again."
    )


def _mark_all(
    room: Classroom,
    todo: list[HandIn],
    crew: Crew,
    seed: int | None,
    register: _Register,
    show: Callable[[str], None] | None,
) -> None:
    bar = tqdm(total=len(todo), unit="hand-in", disable=None, leave=False, smoothing=0.1)
    with bar, contextlib.closing(crew), register:
        all_taken = (room.take(hand_in, seed) for hand_in in todo)
        for taken, made in do_all(crew, ((taken, taken.job) for taken in all_taken)):
            bar.set_postfix_str(printable(f"{brief(taken.hand_in.student)} {taken.hand_in.slug}"))
            register.add(taken, made)
            bar.update()
            if show is not None:
                with bar.external_write_mode():
                    show(line(taken.hand_in, made))


class _Register:
    """The one writer of the gradebook: enters records, a few at a time."""

    def __init__(
        self, room: Classroom, gradebook: Any, held: dict[str, dict[str, Held]], outcome: Outcome
    ) -> None:
        self._room, self._gradebook, self._held = room, gradebook, held
        self._outcome = outcome
        self._waiting: list[tuple[Taken, dict[str, Any]]] = []
        self._since = 0.0
        self._refused: set[HandIn] = set()

    def bring_in_step(self, hand_ins: list[HandIn]) -> list[HandIn]:
        """Enter the records that are there already; the hand-ins that have none."""
        todo = []
        with self:
            for hand_in in hand_ins:
                if hand_in in self._refused:
                    continue  # a remark speaks of it
                if not os.path.lexists(hand_in.path.parent):
                    continue  # `look_for_gone` speaks of it
                taken = self._room.take(hand_in)
                known = self._outcome.records.get((hand_in.student, hand_in.slug))
                if known is not None and known["key"] == taken.job.key:
                    continue  # marked a moment ago
                made = self._room.found(taken)
                if made is None:
                    todo.append(hand_in)
                    continue
                self._outcome.records[hand_in.student, hand_in.slug] = made
                self._outcome.kept += 1
                if not self._room.is_entered(self._held[hand_in.slug], taken, made):
                    self._enter(taken, made)
        return todo

    def add(self, taken: Taken, made: dict[str, Any]) -> None:
        """Take a record that was made just now: keep it, then enter it."""
        try:
            made = self._room.keep(taken.hand_in, made)
        except Exception as error:
            self._refuse(taken, made, error, "kept")
            return
        self._outcome.records[taken.hand_in.student, taken.hand_in.slug] = made
        self._outcome.marked += 1
        self._enter(taken, made)

    def look_for_gone(self, student: str | None) -> None:
        """Flag scores whose hand-in is not there any more: they are kept, but not in silence."""
        for slug, before in self._held.items():
            held = read_gradebook(self._gradebook, slug) if self._outcome.entered else before
            gone = self._room.gone(held, slug)
            gone = [name for name in gone if student in (None, name)]
            unflagged = [name for name in gone if not held[name].waiting]
            if unflagged:
                flag(self._gradebook, slug, unflagged)
            self._outcome.remarks += [
                f"The hand-in of {brief(name)} to {slug!r} is not there any more; the score stays "
                "in the gradebook and is flagged for you."
                for name in gone
            ]

    def _enter(self, taken: Taken, made: dict[str, Any]) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append((taken, made))
        if len(self._waiting) >= _TOGETHER or time.monotonic() - self._since > _SECONDS:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._room.enter(self._gradebook, waiting)
        except Exception as error:
            if _of_all(error):
                raise
            self._write_alone(waiting)
        else:
            self._outcome.entered += len(waiting)

    def _write_alone(self, waiting: list[tuple[Taken, dict[str, Any]]]) -> None:
        """Enter records one by one: together they were refused, and most often one is at fault."""
        for taken, made in waiting:
            try:
                self._room.enter(self._gradebook, [(taken, made)])
            except Exception as error:
                self._refuse(taken, made, error, "entered in the gradebook")
            else:
                self._outcome.entered += 1

    def _refuse(self, taken: Taken, made: dict[str, Any], error: Exception, what: str) -> None:
        """Name a mark that cannot be kept or entered; raises what concerns the whole class."""
        if _of_all(error):
            raise error
        student, slug = taken.hand_in.student, taken.hand_in.slug
        self._refused.add(taken.hand_in)
        self._outcome.refused += 1
        kept = "" if what == "kept" else " Its record is kept."
        if self._outcome.refused <= _NAMED:
            self._outcome.remarks.append(
                f"The mark of {brief(student)!r} in {slug!r} could not be {what} "
                f"({_words(error)}).{kept} Mend that, and the next `grader mark` tries it again."
            )
        before = self._held.get(slug, {}).get(student)
        if before is not None and not before.waiting:
            flag(self._gradebook, slug, [student])  # of an earlier hand-in: not to stand in silence

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is None:
            self._write()
        self._waiting = []  # after a fault the next run enters them: their records are there


def line(hand_in: HandIn, made: dict[str, Any]) -> str:
    """One line about one mark."""
    from grader.record import notes
    from grader.report import number

    points = f"{number(made['earned'])} of {number(made['worth'])}"
    said = "; ".join(notes(made))
    text = f"{brief(hand_in.student):<20} {hand_in.slug:<12} {points:>10}  {said[:160]}"
    return printable(text).rstrip()


# ---------------------------------------------------------------- faults


def _of_all(error: Exception) -> bool:
    """Whether a fault concerns the gradebook or the disk as a whole, and not one record."""
    from sqlalchemy import exc

    if isinstance(error, exc.DBAPIError):
        one = isinstance(error, exc.DataError | exc.IntegrityError | exc.NotSupportedError)
        return error.connection_invalidated or not one
    return isinstance(error, OSError) and not of_one_file(error)


def _words(error: Exception) -> str:
    """A fault on one line."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, NameTooLong):
        return str(error)
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return brief(f"{type(error).__name__}: {said[0]}" if said else type(error).__name__, 300)


# ---------------------------------------------------------------- judging


def _crew(
    room: Classroom,
    todo: list[HandIn],
    jobs: int | None,
    scheduler: str | None,
    say: Callable[[str], None],
) -> Crew:
    """Who marks: workers of a cluster, processes beside this one, or this one."""
    if scheduler is not None:
        from grader.cluster import Cluster

        versions = {h.slug: course.version(h.slug) for h in todo}
        return Cluster(scheduler, versions, room.unsealed, say)
    size = min(jobs or os.cpu_count() or 1, len(todo))
    return Here(room.factory) if size <= 1 else Local(size, type(room.factory))
