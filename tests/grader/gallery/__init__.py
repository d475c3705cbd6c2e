"""The gallery: hand-ins with every kind of trouble, each with the score that its work has earned.

Each kind is a module with a list `ENTRIES`. An entry says in one sentence what it does; its bytes
are made from the released notebook when they are needed. `python -m tests.grader.gallery` marks the
whole gallery in a class of its own and prints the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.grader import classes as c

#: The kinds of trouble, by the module that holds their entries.
KINDS = {
    "tampering": "a. tampering with the tools the checks would use",
    "lying": "b. objects that lie about themselves",
    "reading": "c. reading what is not theirs",
    "forging": "d. forging outputs and metadata",
    "harming": "e. harming the machine or classmates",
    "broken": "f. broken files",
    "honest": "g. honest oddities",
}

#: What a cell prints when it got through to something that is not its own.
THROUGH = "GOT THROUGH TO"
#: A value in the environment of the marking process.
SECRET = "of-the-instructor"

Made = bytes | Callable[[Path], None]


@dataclass(frozen=True)
class Entry:
    """One hand-in: how it is made, what its work has earned, and what its record must show."""

    name: str
    does: str
    make: Callable[[], Made]
    #: Exercise -> points; a function, because the points are read from the checks.
    earns: Callable[[], dict[str, float]] = c.worth
    status: str = "marked"
    #: A part of each flag that the record must show, in any order; no other flag may be there.
    flags: tuple[str, ...] = ()
    #: The same of flags that may be there or not, as the speed of the machine or of Python will.
    perhaps: tuple[str, ...] = ()
    #: Whether a plain subprocess must keep the promise too.
    plain: bool = False
    #: The student's name, where the name is the trouble.
    student: str = ""
    kind: str = field(default="", compare=False)


def entries(kind: str | None = None) -> list[Entry]:
    """All entries, or those of one kind; their names differ."""
    found = []
    for name in KINDS if kind is None else [kind]:
        module = importlib.import_module(f"{__name__}.{name}")
        found += [replace(entry, kind=name) for entry in module.ENTRIES]
    assert len({entry.name for entry in found}) == len(found), "two entries have one name"
    return found


# ---------------------------------------------------------------- how the bytes are made


def solved(*cells: str) -> Callable[[], bytes]:
    """All solved, with these cells before the first exercise."""

    def make() -> bytes:
        blank = c.full()
        for number, source in enumerate(cells):
            blank.add(source, 2 + number)
        return blank.bytes()

    return make


def solved_then(*cells: str) -> Callable[[], bytes]:
    """All solved, with these cells at the end."""
    return lambda: _at_the_end(c.full(), cells)


def unanswered(*cells: str) -> Callable[[], bytes]:
    """Nothing solved, with these cells at the end."""
    return lambda: _at_the_end(c.Blank(c.SLUG), cells)


def _at_the_end(blank: c.Blank, cells: tuple[str, ...]) -> bytes:
    for source in cells:
        blank.add(source, len(c.cells(blank)))
    return blank.bytes()


def answering(exercise: str, text: str) -> Callable[[], bytes]:
    """Only this exercise answered: by the solution, then by `text`, which may use it."""
    return lambda: c.Blank(c.SLUG).write(exercise, text).bytes()


def solved_but(exercise: str, text: str) -> Callable[[], bytes]:
    """All solved, but this exercise's solution is followed by `text`, which may use it."""
    return lambda: c.full().write(exercise, text).bytes()


def only(exercise: str, points: float | None = None) -> Callable[[], dict[str, float]]:
    """The points of this exercise alone, or so many of them."""

    def earned() -> dict[str, float]:
        return c.nothing() | {exercise: c.worth()[exercise] if points is None else points}

    return earned


def all_but(*exercises: str) -> Callable[[], dict[str, float]]:
    return lambda: c.all_but(*exercises)
