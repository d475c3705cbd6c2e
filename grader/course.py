"""What the course says about a unit when it is marked: cells, names, points, and its version.

None of it is ever read from a submission.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grader import notebooks, units
from grader.engine import points_of


class CourseFault(RuntimeError):
    """The course contradicts itself; the message says where and how to mend it."""


@dataclass(frozen=True)
class UnitSource:
    """A unit as it was released: the notebook handed out, with the names that matter in it."""

    slug: str
    cells: tuple[NotebookNode, ...]

    def named(self, role: str) -> dict[str, NotebookNode]:
        """The cells with the role "check", "answer" or "setup", by their names."""
        return {c.metadata.nbgrader.grade_id: c for c in self.cells if _role(c) == role}

    @property
    def points(self) -> dict[str, float]:
        return {name: float(c.metadata.nbgrader.points) for name, c in self.named("check").items()}


def _role(cell: NotebookNode) -> str:
    marks = cell.metadata.get("nbgrader", {})
    if marks.get("grade"):
        return "check"
    if marks.get("solution"):
        return "answer"
    return "setup" if marks.get("locked") and cell.cell_type == "code" else ""


def unit_source(slug: str, path: Path | None = None) -> UnitSource:
    """The unit as handed out: by the class whose released notebook is `path`, or by the course."""
    if path is None:
        notebook = notebooks.student_notebook(slug)
    else:
        notebook = nbformat.read(path, as_version=4)
    unit = UnitSource(slug, tuple(notebook.cells))
    worth = points_of(slug)
    if unit.points != worth:
        names = sorted(n for n in {*worth, *unit.points} if worth.get(n) != unit.points.get(n))
        raise CourseFault(
            f"The checks of {slug!r} and the released notebook disagree about the points of "
            f"{', '.join(names)}: release the unit again with `grader release`."
        )
    return unit


# ---------------------------------------------------------------- version

#: What a mark depends on beside the unit's own files.
_SHARED = (
    "compare.py", "course.py", "draw.py", "engine.py", "exercise.py", "job.py", "marking.py",
    "recognise.py", "plan.py", "student.py", "submission.py", "wire.py", "worker/main.py",
    "worker/channel.py", "worker/launch.py", "worker/parent.py", "worker/seal.py",
    "worker/seccomp.py",
)  # fmt: skip


@functools.cache
def version(slug: str) -> str:
    """The SHA-256 of everything that a mark of this unit depends on, beside the submission."""
    import gatedrnn

    reference = Path(gatedrnn.__file__).parent
    files = [
        units.PACKAGE / "checks" / f"{slug}.py",
        units.PACKAGE / "misconceptions" / f"{slug}.py",
        units.ROOT / "solutions" / f"{slug}.py",
        *(units.PACKAGE / name for name in _SHARED),
        *sorted(reference.glob("equations/*.py")),
        *sorted(reference.glob("cells/*.py")),
    ]
    return _digest(files)


def _digest(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        if path.exists():
            text = path.read_bytes()
            total.update(f"{path.parent.name}/{path.name} {len(text)}\n".encode() + text)
    return total.hexdigest()


@functools.cache
def versions() -> dict[str, Any]:
    """The versions of the programs that a mark can depend on."""
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    def of(name: str) -> str:
        try:
            return installed(name)
        except PackageNotFoundError:
            return "not installed"

    names = ("numpy", "torch", "ipython", "pytest", "nbgrader")
    return {"python": platform.python_version(), **{name: of(name) for name in names}}
