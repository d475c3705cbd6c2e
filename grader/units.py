"""The units of the course: which exist, in which order, and what each one asks.

A unit has one slug everywhere. The order is that of `_toc.yml`; where the course is installed
without its repository, units are in the order of their names.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import re
from pathlib import Path

from grader.exercise import Exercise, Misconception

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent


class UnknownName(LookupError):
    """A unit or an exercise that does not exist; the message names the nearest that does."""


@functools.cache
def slugs() -> tuple[str, ...]:
    """The slugs of all units that have exercises, in the order of the book."""
    found = {path.stem for path in (PACKAGE / "checks").glob("[a-z]*.py")}
    toc = ROOT / "_toc.yml"
    listed = re.findall(r"file:\s*book/(\w+)", toc.read_text("utf-8")) if toc.exists() else []
    order = [slug for slug in listed if slug in found]
    return (*order, *sorted(found.difference(order)))


def exercises(slug: str) -> tuple[Exercise, ...]:
    """The exercises of a unit, easy to hard."""
    _known(slug)
    return tuple(importlib.import_module(f"grader.checks.{slug}").EXERCISES)


@functools.cache
def misconceptions(slug: str) -> tuple[Misconception, ...]:
    """The named wrong answers of a unit, in the order in which they are written."""
    _known(slug)
    module = importlib.import_module(f"grader.misconceptions.{slug}")
    return tuple(v for v in vars(module).values() if isinstance(v, Misconception))


def exercise(slug: str, name: str) -> Exercise:
    """One exercise of a unit by its name."""
    for item in exercises(slug):
        if item.name == name:
            return item
    raise UnknownName(_nearest("exercise", name, [item.name for item in exercises(slug)]))


@functools.cache
def _exercise_names() -> dict[str, str]:
    """Exercise name -> slug, read from the sources: no unit is imported to find another's."""
    names: dict[str, str] = {}
    for slug in slugs():
        tree = ast.parse((PACKAGE / "checks" / f"{slug}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Exercise":
                named = [k.value for k in node.keywords if k.arg == "name"] or node.args[:1]
                if named and isinstance(named[0], ast.Constant):
                    names[str(named[0].value)] = slug
    return names


def find(name: str) -> str:
    """The slug of the unit that has the exercise `name`."""
    names = _exercise_names()
    if name not in names:
        raise UnknownName(_nearest("exercise", name, list(names)))
    return names[name]


def _known(slug: str) -> None:
    if slug not in slugs():
        raise UnknownName(_nearest("unit", slug, list(slugs())))


def _nearest(kind: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    tail = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}."
    return f"There is no {kind} {name!r}; {tail}"
