"""A class of invented students, made, marked and given back.

Every hand-in is the released notebook with its answer cells filled in, as a student would: with the
worked solution, with a misconception's own source, or with trouble of some kind.
"""

from __future__ import annotations

import ast
import copy
import datetime
import functools
import inspect
import json
import os
import re
import shutil
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grader import notebooks, units
from grader.classreport import write_report
from grader.classroom import CONFIG, ClassFault, Classroom
from grader.exercise import Misconception
from grader.export import export
from grader.files import part_in, sweep, write_bytes, write_text
from grader.givebacks import give_back
from grader.markclass import mark_class
from grader.summary import class_table, exercise_table, misconception_table
from grader.worker.seal import trial

#: Left in the folder, so that only a demo class is ever made anew.
#: The units that the demo class was given; a whole course would only make it slower.
ASSIGNMENTS = ("rnn", "gru")
SIGN = "this-is-the-demo-class.txt"

_DUE = datetime.datetime(2026, 3, 2, 12, 0)
_LIMITS = "\n# One hand-in loops for ever; a demonstration should not wait long for it.\n"
_LIMITS += 'c.Grader.limits = {"cell": 20, "call": 3, "notebook": 90, "deaths": 1}\n'
_LIMITS += "\n# Its students are invented, and a demonstration should run anywhere.\n"
_LIMITS += "c.Grader.unsealed = True\n"


def demo(into: Path, jobs: int | None = None) -> None:
    """Make the class in the folder `into` anew, mark it, and say where everything is."""
    started = time.monotonic()
    if into.exists() and not (into / SIGN).is_file() and any(into.iterdir()):
        raise ClassFault(f"{into} exists already and is not a demo class; choose another folder.")
    into = into.absolute()
    into.parent.mkdir(parents=True, exist_ok=True)
    sweep(into.parent)
    partial = part_in(into.parent)
    partial.mkdir()
    try:
        room = _fill(partial / "class")
        if why := trial():
            print(f"Marked without a seal, as plain processes: {why}; see `grader doctor`.")
        outcome = mark_class(room, jobs=jobs)
        pages, _ = give_back(room)
        export(room)
        _move(partial / "class", into)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    room = Classroom.open(into)
    write_report(room, room.released(), into / "report")
    print(class_table(outcome.records, room.released()))
    print()
    print(exercise_table(outcome.records, room.released()))
    print()
    print(misconception_table(outcome.records))
    print()
    print(f"gradebook   {into / 'gradebook.db'}")
    print(f"grades      {into / 'grades.csv'}")
    print(f"report      {into / 'report' / 'report.html'}")
    print(f"feedback    {pages} pages in {into / 'feedback'}")
    print(f"formgrader  cd {into} && jupyter lab   (then the menu Nbgrader, Formgrader)")
    print(f"{len(outcome.records)} hand-ins marked in {time.monotonic() - started:.0f} s.")


def _move(made: Path, into: Path) -> None:
    """Put the new class in the old one's place."""
    if into.exists():
        old = made.with_name("old")
        os.replace(into, old)
    os.replace(made, into)


def _fill(root: Path) -> Classroom:
    Classroom.create(root)
    write_text(root / SIGN, "A class of invented students. `grader demo` makes it anew.\n")
    write_text(root / CONFIG, (root / CONFIG).read_text("utf-8") + _LIMITS)
    room = Classroom.open(root)
    for slug in ASSIGNMENTS:
        room.release(slug)
    with room.gradebook() as gradebook:
        for slug in ASSIGNMENTS:
            gradebook.update_or_create_assignment(slug, duedate=_DUE)
        for student in STUDENTS:
            gradebook.update_or_create_student(
                student, first_name=student.capitalize(), last_name="Demo"
            )
    for student, work in STUDENTS.items():
        for number, slug in enumerate(ASSIGNMENTS):
            data = work(Blank(slug), number)
            if data is not None:
                late = datetime.timedelta(days=2 if student == "hugo" else -1)
                _hand_in(room, student, slug, data, _DUE + late)
    return room


def _hand_in(
    room: Classroom, student: str, slug: str, data: bytes, when: datetime.datetime
) -> None:
    path = room.hand_in_path(slug, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    write_text(path.parent / "timestamp.txt", f"{when.isoformat(sep=' ')} UTC\n")


# ---------------------------------------------------------------- what a student writes


_student_notebook = functools.cache(notebooks.student_notebook)


@functools.cache
def _solved(slug: str) -> dict[str, str]:
    """The cells of the worked solution by their ids, without the lines that mark the solution."""
    return {
        cell.id: re.sub(r"^\s*### (BEGIN|END) SOLUTION.*\n?", "", cell.source, flags=re.M)
        for cell in notebooks.source_notebook(slug).cells
    }


class Blank:
    """A released notebook that is being filled in."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.notebook: NotebookNode = copy.deepcopy(_student_notebook(slug))
        self.exercises = [e.name for e in units.exercises(slug)]
        self._solved = _solved(slug)

    def solve(self, *names: str) -> Blank:
        """Write the worked solution of these exercises, or of all."""
        for name in names or self.exercises:
            for cell in self._answers(name):
                cell.source = self._solved[cell.id]
        return self

    def mistake(self, number: int, *places: int) -> Blank:
        """Solve all, but give the `number`-th misconception of the exercises at `places`."""
        self.solve()
        for exercise in (self.exercises[place] for place in places):
            known = [m for m in units.misconceptions(self.slug) if m.exercise == exercise]
            if known:
                self.write(exercise, source_of(known[number % len(known)]))
        return self

    def write(self, exercise: str, text: str) -> Blank:
        """Write `text` after the solution of an exercise, so that its definitions win."""
        for cell in self._answers(exercise)[-1:]:
            cell.source = f"{self._solved[cell.id].rstrip()}\n\n\n{text}"
        return self

    def add(self, source: str, at: int) -> Blank:
        """Put a code cell of one's own into the notebook."""
        self.notebook.cells.insert(at, nbformat.v4.new_code_cell(source, id=f"mine-{at}"))
        return self

    def bytes(self) -> bytes:
        return (nbformat.writes(self.notebook) + "\n").encode()

    def _answers(self, exercise: str) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.id == f"{exercise}-answer"]


def source_of(item: Misconception) -> str:
    """A misconception as a student would write it: one text that stands on NumPy alone."""
    parts: dict[str, str] = {}
    _write_out(item.function, item.replaces, parts)
    return "\n\n\n".join(parts.values())


def _write_out(function: Any, name: str, parts: dict[str, str]) -> None:
    """Put the function, under `name`, after everything that it uses, into `parts`."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    plain = _Plain().visit(tree)
    used = {n.id for n in ast.walk(plain) if isinstance(n, ast.Name)}
    renamed = {function.__name__: name}
    for other in sorted(used.intersection(function.__globals__)):
        thing = function.__globals__[other]
        thing = thing.function if isinstance(thing, Misconception) else thing
        if thing is function:
            continue
        if inspect.isfunction(thing):
            # The name that the student uses elsewhere must not be written over.
            renamed[other] = f"my_{other.strip('_')}"
            if renamed[other] not in parts:
                _write_out(thing, renamed[other], parts)
        elif inspect.ismodule(thing):
            parts[other] = f"import {thing.__name__} as {other}"
        else:
            parts[other] = f"{other} = {thing!r}"
    for node in ast.walk(plain):
        if isinstance(node, ast.Name):
            node.id = renamed.get(node.id, node.id)
    plain.name = name
    parts[name] = ast.unparse(ast.fix_missing_locations(plain))


class _Plain(ast.NodeTransformer):
    """Takes the decorators, annotations and docstrings off a function, and off those inside it."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.decorator_list, node.returns = [], None
        if ast.get_docstring(node) is not None and len(node.body) > 1:
            node.body = node.body[1:]
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.Assign([node.target], node.value)


# ---------------------------------------------------------------- the students

_LOOP = """
def {name}(*args, **kwargs):
    while True:
        pass
"""

_RAISES = """
def {name}(*args, **kwargs):
    return args[0] @ args[1]["W"]
"""

_NOISE = """
import warnings
import numpy as np

print("here is what I tried\\n" * 200)
warnings.warn("an old function")
id = 3  # a name of Python's own, used for something else
values = %time np.ones(3)
values
"""


def _ada(blank: Blank, number: int) -> bytes:
    return blank.solve().bytes()


def _bo(blank: Blank, number: int) -> bytes:
    half = blank.exercises[: (len(blank.exercises) + 1) // 2]
    return blank.solve(*half).bytes()


def _with_mistake(which: int, *places: int) -> Callable[[Blank, int], bytes]:
    return lambda blank, number: blank.mistake(which, *places).bytes()


def _blank(blank: Blank, number: int) -> bytes:
    return blank.bytes()


def _raising(blank: Blank, number: int) -> bytes:
    first = blank.exercises[0]
    blank.solve().write(first, _RAISES.format(name=units.exercise(blank.slug, first).asked[-1]))
    return blank.add("1 / 0", at=2).bytes()


def _looping(blank: Blank, number: int) -> bytes:
    last = blank.exercises[-1]
    blank.solve().write(last, _LOOP.format(name=units.exercise(blank.slug, last).asked[-1]))
    return blank.bytes()


def _broken(blank: Blank, number: int) -> bytes | None:
    if number == 0:  # a download that broke off
        return blank.solve().bytes()[:3000]
    return blank.solve().bytes()


def _noisy(blank: Blank, number: int) -> bytes:
    return blank.solve().add(_NOISE, at=3).bytes()


def _forging(blank: Blank, number: int) -> bytes:
    document = json.loads(blank.bytes())
    for cell in document["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("grade"):
            marks["points"] = 1000
            cell["source"] = "1000"
            data = {"text/plain": "1000"}
            cell["outputs"] = [
                {
                    "output_type": "execute_result",
                    "execution_count": 1,
                    "data": data,
                    "metadata": {},
                }
            ]
    return json.dumps(document).encode()


def _one_unit(blank: Blank, number: int) -> bytes | None:
    return blank.solve().bytes() if number == 0 else None


#: Who is in the class. Each takes a blank notebook and the unit's number, and hands in bytes.
STUDENTS: dict[str, Callable[[Blank, int], bytes | None]] = {
    "ada": _ada,
    "bo": _bo,
    "carmen": _with_mistake(0, 0),
    "dmitri": _with_mistake(1, 0, 1),
    "esi": _with_mistake(2, 1, 2),
    "farid": _with_mistake(3, 0, -1),
    "gwen": _noisy,
    "hugo": _ada,
    "ines": _blank,
    "jun": _raising,
    "kofi": _looping,
    "lena": _broken,
    "mateo": _forging,
    "noor": _one_unit,
}
