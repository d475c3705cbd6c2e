"""What a student uses: `check` and `hint`, on the names of the notebook that is open.

`check("gru_cell")` runs on the live namespace what the official marking runs, on fresh draws.
"""

from __future__ import annotations

import html
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader import units
from grader.engine import run_checks
from grader.exercise import Exercise
from grader.recognise import recognise
from grader.report import Report, book_links
from grader.student import LocalStudent

_hints_given: dict[str, int] = {}


def check(
    name: str, *, seed: int | None = None, namespace: Mapping[str, Any] | None = None
) -> Report | Note:
    """Check your answer to the exercise `name` and report each property.

    Inputs are drawn afresh each time; `seed` repeats the draws of an earlier report. `namespace`
    is where your functions are looked up: the notebook's own names unless you give a mapping.
    """
    try:
        slug = units.find(name)
    except units.UnknownName as error:
        return Note(str(error))
    exercise = units.exercise(slug, name)
    seed = secrets.randbelow(2**31) if seed is None else seed
    student = LocalStudent(_notebook() if namespace is None else namespace)
    results = run_checks(slug, student, seed, only=[name])
    named = recognise(results, units.misconceptions(slug)).get(name, [])
    places = [exercise.see, *(m.see for m in named if m.see)]
    return Report(exercise, results, named, seed, book_links(places, Path.cwd()))


def hint(name: str) -> Note:
    """The next of the exercise's three hints; after the third, all three again."""
    try:
        exercise = units.exercise(units.find(name), name)
    except units.UnknownName as error:
        return Note(str(error))
    given = min(_hints_given.get(name, 0) + 1, len(exercise.hints))
    _hints_given[name] = given
    return _hints(exercise, given)


def _hints(exercise: Exercise, given: int) -> Note:
    total = len(exercise.hints)
    lines = [f"Hint {i} of {total}: {text}" for i, text in enumerate(exercise.hints[:given], 1)]
    if given == total:
        lines.append(f"That is all there is. The paragraph to read again: {exercise.see}.")
    return Note("\n".join(lines))


@dataclass(frozen=True)
class Note:
    """A few lines to read. In a marked cell it is worth nothing."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        lines = "".join(f"<p style='margin:.3em 0'>{_line(x)}</p>" for x in self.text.splitlines())
        return f"<div>{lines}</div>"


def _line(text: str) -> str:
    parts = html.escape(text).split("`")
    whole = len(parts) % 2 == 1
    return "".join(f"<code>{p}</code>" if whole and i % 2 else p for i, p in enumerate(parts))


def _notebook() -> Mapping[str, Any]:
    """The names of the notebook, or of the script, that called `check`."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        names: Mapping[str, Any] = shell.user_ns
        return names
    return vars(sys.modules["__main__"])
