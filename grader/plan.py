"""Lay a submission beside the course: which cell is which, and what will be run.

Check cells are the course's and are not run in the student's process. Locked cells get the course's
text again. Whatever a student wrote into one of them is kept as a cell of the student's own, just
after it, so that an answer in an odd place still counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nbformat import NotebookNode

from grader.course import UnitSource
from grader.submission import Cell, Submission


@dataclass(frozen=True)
class Planned:
    """A cell of the notebook as it is marked; `course` is the course's cell that it stands for."""

    kind: str
    source: str
    role: str = ""  # "check", "answer", "setup", or "" for prose and for what a student added
    name: str = ""
    course: NotebookNode | None = None
    #: Left as it was handed out, below a cell that has written what it asks for.
    passed_over: bool = False

    @property
    def runs(self) -> bool:
        written = bool(self.source.strip()) and not self.passed_over
        return self.kind == "code" and self.role != "check" and written


@dataclass(frozen=True)
class Plan:
    """The cells in order, and what was odd about them, in words for a human."""

    cells: tuple[Planned, ...]
    oddities: tuple[str, ...] = ()


def lay_out(unit: UnitSource, submission: Submission | None) -> Plan:
    """The plan for a submission; for None, when nothing can be read, the check cells alone."""
    roles = {name: role for role in ("check", "answer", "setup") for name in unit.named(role)}
    known = {name: cell for role in ("check", "answer", "setup") for name, cell in
             unit.named(role).items()}  # fmt: skip
    if submission is None:
        checks = unit.named("check").items()
        return Plan(tuple(_from_course(name, "check", cell) for name, cell in checks))
    handed_in = submission.cells
    prose = {cell.source.strip(): cell for cell in unit.cells if cell.cell_type == "markdown"}
    last = {c.grade_id: i for i, c in enumerate(handed_in) if c.grade_id in known}
    cells: list[Planned] = []
    oddities: list[str] = []
    for index, cell in enumerate(handed_in):
        name = cell.grade_id if cell.grade_id in known else None
        if name is None:
            ours = prose.get(cell.source.strip()) if cell.kind == "markdown" else None
            cells.append(Planned(cell.kind, cell.source, course=ours))
        elif last[name] != index:
            oddities.append(f"The cell {name!r} is there more than once.")
            cells.append(Planned("code", cell.source))
        else:
            cells += _known(name, roles[name], known[name], cell, oddities)
    present = {cell.name for cell in cells}
    missing = [name for name in known if name not in present]
    if missing:
        oddities.append(f"Missing cells: {', '.join(missing)}.")
    for name in reversed([n for n in missing if roles[n] == "setup"]):
        cells.insert(0, _from_course(name, "setup", known[name]))
    for name in (n for n in missing if roles[n] == "check"):
        _put_back(cells, name, known[name])
    return Plan(tuple(_pass_over(cells, unit)), tuple(dict.fromkeys(oddities)))


def _known(
    name: str, role: str, course: NotebookNode, cell: Cell, oddities: list[str]
) -> Iterable[Planned]:
    if role == "answer":
        yield Planned("code", cell.source, role, name, course)
        return
    yield _from_course(name, role, course)
    if cell.source.strip() != course.source.strip():
        oddities.append(f"The text of the locked cell {name!r} was changed.")
        yield Planned("code", cell.source)


def _from_course(name: str, role: str, course: NotebookNode) -> Planned:
    return Planned("code", course.source, role, name, course)


def _pass_over(cells: Iterable[Planned], unit: UnitSource) -> Iterator[Planned]:
    """The cells; one that was left blank does not undo an answer that stands above it."""
    blanks = {cell.source.strip(): _NAMES.findall(cell.source)
              for cell in unit.named("answer").values()}  # fmt: skip
    above: list[str] = []
    for cell in cells:
        names = blanks.get(cell.source.strip(), [])
        if any(_defines(source, name) for source in above for name in names):
            cell = replace(cell, passed_over=True)
        elif cell.runs and cell.role in ("answer", "") and not names:
            above.append(cell.source)
        yield cell


_NAMES = re.compile(r"^(?:def|class) (\w+)", re.M)


def _defines(source: str, name: str) -> bool:
    if name not in source:
        return False
    pattern = (
        rf"^[ \t]*(?:(?:async[ \t]+)?(?:def|class)[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]+)?=(?!=))"
    )
    return re.search(pattern, source, re.M) is not None


def _put_back(cells: list[Planned], name: str, course: NotebookNode) -> None:
    """A check cell that is missing goes after its answer, or to the end."""
    places = [i for i, cell in enumerate(cells) if cell.name == f"{name}-answer"]
    at = places[-1] + 1 if places else len(cells)
    cells.insert(at, _from_course(name, "check", course))
