"""What an exercise is, and how its checks and its misconceptions are written.

`grader/checks/<slug>.py` holds, for one unit, `EXERCISES` and the checks: pytest test functions
that take the fixtures `student` and `rng`. A check's docstring is what the student reads.
`grader/misconceptions/<slug>.py` holds the wrong answers that people really give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Exercise:
    """One exercise: its name, which is also that of its check, its title, and its hints.

    `see` is the place in the book that explains it, as ``gru.html#gru-step``. `hints` are three,
    from a nudge to nearly the answer. `functions` are the names that the student writes. `without`
    names tools (`grader.tools.TOOLS`) that an answer may not use, as its notebook says.
    """

    name: str
    title: str
    see: str
    hints: tuple[str, str, str]
    functions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, ...]:
        return self.functions or (self.name,)


def points(exercise: str, worth: float) -> pytest.MarkDecorator:
    """Mark a check: the exercise that it belongs to, and the points that its property is worth."""
    return pytest.mark.exercise(exercise, worth)


#: What a returned value does, as plain data: `view(value, *arguments)` is compared in its place.
View = Callable[..., Any]


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that people really give: what it replaces, and what to say to its author."""

    exercise: str
    name: str
    says: str
    see: str
    replaces: str
    function: Callable[..., Any]
    view: View | None = None


def misconception(
    exercise: str,
    name: str,
    *,
    says: str,
    see: str = "",
    replaces: str = "",
    view: View | None = None,
) -> Callable[[Callable[..., Any]], Misconception]:
    """Declare the decorated function as a wrong answer to `exercise`.

    `name` is a few plain words, `says` explains to the student what the code does and what was
    asked, `see` is a place in the book (the exercise's own when empty), `replaces` is the function
    whose place it takes (the exercise's name when empty). Where many answers do the same, as when
    weights are to be chosen, `view` says what a returned value does, and that is compared; it must
    take any value at all.
    """

    def wrap(function: Callable[..., Any]) -> Misconception:
        return Misconception(exercise, name, says, see, replaces or exercise, function, view)

    return wrap
