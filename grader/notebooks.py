"""Notebooks are made from text: `solutions/<slug>.py` is the only source of an exercise.

The source is in jupytext's percent format with one short key on the cells that matter:

    # %% setup                        imports and given code; locked
    # %% answer="gru_cell"            the student writes here; the solution is between markers
    # %% check="gru_cell"             runs the checks; its points come from the checks
    # %% [markdown]                   prose

`source_notebook` keeps the worked solution (what an instructor and nbgrader read);
`student_notebook` is what is handed out. The same source gives the same bytes each time.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from grader import units
from grader.engine import points_of
from grader.student import BLANK

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"


class SourceError(ValueError):
    """A solution source that cannot become a notebook; the message says where and why."""


def source_path(slug: str) -> Path:
    return units.ROOT / "solutions" / f"{slug}.py"


def notebook_path(slug: str) -> Path:
    return units.ROOT / "notebooks" / slug / f"{slug}.ipynb"


def source_notebook(slug: str) -> NotebookNode:
    """The notebook with the worked solutions, and nbgrader's metadata on each cell it marks."""
    import jupytext  # brings a web server along, and marking needs neither

    path = source_path(slug)
    if not path.exists():
        raise SourceError(f"There is no solution source {path.name} in {path.parent}.")
    worth = points_of(slug)
    notebook = jupytext.read(path)
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        _prepare(cell, index, worth, path.name)
        if cell.id in seen:
            raise SourceError(f"{path.name}: two cells are both {cell.id!r}.")
        seen.add(cell.id)
    unchecked = sorted(set(worth).difference(seen))
    if unchecked:
        raise SourceError(f"{path.name}: no check cell for {', '.join(unchecked)}.")
    nbformat.validate(notebook)
    return notebook


def _prepare(cell: NotebookNode, index: int, worth: dict[str, float], where: str) -> None:
    keys = dict(cell.metadata)
    cell.metadata = NotebookNode()
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if name := keys.get("answer"):
        if _BEGIN not in cell.source or _END not in cell.source:
            raise SourceError(f"{where}: the answer cell {name!r} has no {_BEGIN} ... {_END}.")
        _mark(cell, f"{name}-answer", solution=True)
    elif name := keys.get("check"):
        if name not in worth:
            raise SourceError(f"{where}: the check cell names no exercise {name!r} of this unit.")
        _mark(cell, name, grade=True, locked=True, points=worth[name])
    elif cell.cell_type == "code" and "setup" in (keys.get("title"), *keys):
        _mark(cell, f"setup-{index}", locked=True)
    else:
        cell.id = f"c{index}-" + hashlib.sha1(cell.source.encode()).hexdigest()[:8]


def _mark(cell: NotebookNode, grade_id: str, points: float | None = None, **flags: bool) -> None:
    meta: dict[str, Any] = {"grade": False, "solution": False, "locked": False, "task": False}
    meta |= flags | {"grade_id": grade_id, "schema_version": 3}
    if points is not None:
        meta["points"] = int(points) if points == int(points) else points
    cell.metadata["nbgrader"] = nbformat.from_dict(meta)
    cell.id = grade_id


def student_notebook(slug: str) -> NotebookNode:
    """The notebook that is handed out: worked solutions replaced, cells locked, checksums added."""
    from nbgrader.preprocessors import ComputeChecksums, LockCells

    notebook = source_notebook(slug)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = blank(cell.source)
    for preprocessor in (LockCells(), ComputeChecksums()):
        notebook, _ = preprocessor.preprocess(notebook, {})
    nbformat.validate(notebook)
    return notebook


def blank(source: str) -> str:
    """Replace each worked solution by a line that says where the answer goes."""
    pattern = re.compile(rf"^(\s*){_BEGIN}\n.*?^\s*{_END}[^\n]*", re.M | re.S)
    return pattern.sub(rf'\1# Your code here.\n\1raise NotImplementedError("{BLANK}")', source)


def solution_namespace(slug: str) -> dict[str, Any]:
    """The names that the worked solution defines; its check cells are not run."""
    names: dict[str, Any] = {"__name__": f"solution_of_{slug}"}
    for cell in source_notebook(slug).cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            exec(compile(cell.source, f"solutions/{slug}.py", "exec"), names)
    return names


def text_of(notebook: NotebookNode) -> str:
    """A notebook as the text that is committed."""
    text: str = nbformat.writes(notebook)
    return text + "\n"


def stale() -> list[str]:
    """The slugs whose released notebook is not what its source gives."""
    return [slug for slug in units.slugs() if not _current(slug)]


def _current(slug: str) -> bool:
    path = notebook_path(slug)
    return path.exists() and path.read_text("utf-8") == text_of(student_notebook(slug))


def write(slug: str) -> bool:
    """Write the released notebook of a unit; say whether its text changed."""
    if _current(slug):
        return False
    from grader.files import write_text

    path = notebook_path(slug)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text_of(student_notebook(slug)))
    return True
