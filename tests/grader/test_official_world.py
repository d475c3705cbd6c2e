"""The worked solution of every unit, handed in as a notebook, earns everything where hand-ins are
marked.

There the reference package cannot be imported, so a notebook that leans on it passes every check at
its author's desk and fails here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import notebooks, units
from grader.course import unit_source
from grader.engine import list_checks
from grader.marking import mark


@pytest.mark.parametrize("slug", units.slugs())
def test_the_solution_earns_everything_where_hand_ins_are_marked(slug: str, tmp_path: Path) -> None:
    path = tmp_path / f"{slug}.ipynb"
    path.write_text(notebooks.text_of(notebooks.source_notebook(slug)), "utf-8")
    marked = mark(path, unit_source(slug), seed=5)
    assert [(r.check, r.message) for r in marked.results if r.status != "passed"] == []
    assert len(marked.results) == len(list_checks(slug))
