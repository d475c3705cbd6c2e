"""Classes for tests: hand-ins of every kind for one unit, made from its released notebook."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat

from grader import units
from grader.classroom import Classroom
from grader.demo import Blank
from grader.engine import points_of
from grader.worker.launch import Limits

SLUG = "rnn"
LIMITS = Limits(cell=5, call=3, notebook=60, deaths=1)


@functools.cache
def worth() -> dict[str, float]:
    return points_of(SLUG)


def nothing() -> dict[str, float]:
    return dict.fromkeys(worth(), 0.0)


def all_but(*names: str) -> dict[str, float]:
    return {name: 0.0 if name in names else points for name, points in worth().items()}


def full() -> Blank:
    return Blank(SLUG).solve()


def new_class(root: Path, hand_ins: dict[str, bytes | Callable[[Path], None]]) -> Classroom:
    """A class with the unit released; each hand-in is bytes, or makes whatever it likes itself."""
    shutil.copytree(_released(), root, dirs_exist_ok=True)
    room = Classroom.open(root)
    for student, made in hand_ins.items():
        hand_in(room, student, made)
    return room


@functools.cache
def _released() -> Path:
    """A class with the unit released, made once in a process: nbgrader takes seconds for it."""
    root = Path(tempfile.mkdtemp(prefix="released-class-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    Classroom.create(root / "class")
    config = root / "class" / "nbgrader_config.py"
    limits = {
        k: v for k, v in LIMITS.asdict().items() if k in ("cell", "call", "notebook", "deaths")
    }
    # Where the seal works it is used; the tests of marking hold either way.
    settings = f"\nc.Grader.limits = {limits}\nc.Grader.unsealed = True\n"
    config.write_text(config.read_text() + settings)
    Classroom.open(root / "class").release(SLUG)
    return root / "class"


def hand_in(
    room: Classroom,
    student: str,
    made: bytes | Callable[[Path], None],
    when: str = "2026-03-01 12:00:00 UTC",
) -> Path:
    path = room.hand_in_path(SLUG, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(made):
        made(path)
    else:
        path.unlink(missing_ok=True)
        path.write_bytes(made)
    (path.parent / "timestamp.txt").write_text(when + "\n")
    return path


def cells(blank: Blank) -> list[nbformat.NotebookNode]:
    found: list[nbformat.NotebookNode] = blank.notebook.cells
    return found


def is_check(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


# ---------------------------------------------------------------- hand-ins, and what each earns


def without_checks() -> bytes:
    blank = full()
    blank.notebook.cells = [c for c in cells(blank) if not is_check(c)]
    return blank.bytes()


def doubled_checks() -> bytes:
    blank = full()
    document = json.loads(blank.bytes())
    document["cells"] = [c for c in document["cells"] for _ in (0, 1)]
    return json.dumps(document).encode()


def changed_checks() -> bytes:
    """Every check cell rewritten to claim all points; nothing answered."""
    blank = Blank(SLUG)
    for cell in cells(blank):
        if is_check(cell):
            cell.source = str(worth()[cell.metadata.nbgrader.grade_id])
    return blank.bytes()


def forged() -> bytes:
    """Outputs and metadata that claim a thousand points; nothing answered."""
    blank = Blank(SLUG)
    for cell in cells(blank):
        if is_check(cell):
            cell.metadata.nbgrader.points = 1000
            cell.metadata.nbgrader.grade = True
            cell.metadata.nbgrader.schema_version = 999
            cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "1000"})]
    return blank.bytes()


def answer_in_check_cell() -> bytes:
    """Honest, in the wrong place: the first exercise is answered in its own check cell."""
    blank, solved = Blank(SLUG), full()
    first = blank.exercises[0]
    answer = next(c.source for c in cells(solved) if c.id == f"{first}-answer")
    for cell in cells(blank):
        if is_check(cell) and cell.metadata.nbgrader.grade_id == first:
            cell.source = answer + "\n\n\n" + cell.source
    return blank.bytes()


def without_metadata() -> bytes:
    """Honest: another program has dropped all metadata."""
    document = json.loads(full().bytes())
    for cell in document["cells"]:
        cell["metadata"] = {}
    return json.dumps({**document, "metadata": {}}).encode()


def without_setup() -> bytes:
    """Honest: the locked first cells were deleted by accident."""
    blank = full()
    blank.notebook.cells = [c for c in cells(blank) if not c.id.startswith("setup")]
    return blank.bytes()


def old_format() -> bytes:
    return nbformat.writes(nbformat.convert(full().notebook, 3), 3).encode()


def with_cell(source: str, at: int = 2) -> bytes:
    return full().add(source, at).bytes()


def last_function(body: str) -> bytes:
    """All solved, but the last exercise's function has this body."""
    last = units.exercises(SLUG)[-1]
    return full().write(last.name, f"def {last.asked[-1]}(*a, **k):\n    {body}\n").bytes()


def link(path: Path) -> None:
    other = path.with_name("other.txt")
    other.write_bytes(full().bytes())
    path.symlink_to(other)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**20)


def last_exercise() -> str:
    return units.exercises(SLUG)[-1].name
