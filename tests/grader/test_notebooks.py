"""From text to notebooks: the same bytes each time, nothing given away, nothing that stumbles."""

from __future__ import annotations

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from grader import notebooks, units
from grader.engine import points_of
from grader.notebooks import SourceError, blank, solution_namespace, source_notebook
from grader.student import BLANK

UNITS = units.slugs()


@pytest.mark.parametrize("slug", UNITS)
def test_released_notebook_is_what_its_source_gives(slug: str) -> None:
    """Mend with `make notebooks`."""
    made = notebooks.text_of(notebooks.student_notebook(slug))
    assert notebooks.notebook_path(slug).read_text("utf-8") == made


@pytest.mark.parametrize("slug", UNITS)
def test_twice_the_same_bytes(slug: str) -> None:
    first, second = (notebooks.text_of(notebooks.student_notebook(slug)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("slug", UNITS)
def test_no_line_of_a_solution_is_handed_out(slug: str) -> None:
    given = notebooks.text_of(notebooks.student_notebook(slug))
    assert "BEGIN SOLUTION" not in given
    handed_out = {
        line.strip() for cell in notebooks.student_notebook(slug).cells
        for line in cell.source.splitlines()
    }  # fmt: skip
    for cell in source_notebook(slug).cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            kept = set(blank(cell.source).splitlines())
            cut = [x.strip() for x in cell.source.splitlines() if x not in kept]
            long = [line for line in cut if len(line) > 24 and not line.startswith("#")]
            assert [line for line in long if line in handed_out] == []


@pytest.mark.parametrize("slug", UNITS)
def test_points_in_the_notebook_are_those_of_the_checks(slug: str) -> None:
    cells = notebooks.student_notebook(slug).cells
    graded = [c.metadata.nbgrader for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert {meta.grade_id: meta.points for meta in graded} == points_of(slug)
    assert all(meta.locked for meta in graded)


@pytest.mark.parametrize("slug", UNITS)
def test_released_notebook_runs_to_its_end_and_earns_nothing(
    slug: str, shell: InteractiveShell
) -> None:
    """Run by a plain loop over the cells, as a kernel would; a traceback of any kind is a fault."""
    for cell in notebooks.student_notebook(slug).cells:
        if cell.cell_type != "code":
            continue
        result = shell.run_cell(cell.source, store_history=False)
        assert result.error_before_exec is None and result.error_in_exec is None, cell.source
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert float(repr(result.result)) == 0


@pytest.mark.parametrize("slug", UNITS)
def test_solutions_define_everything_that_is_asked(slug: str) -> None:
    names = solution_namespace(slug)
    assert [n for e in units.exercises(slug) for n in e.asked if not callable(names.get(n))] == []


def test_blank_keeps_the_docstring_and_the_indent() -> None:
    source = (
        'def f(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    return 2 * x\n'
        "    ### END SOLUTION\n\n\n"
        "def g(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    )
    left = blank(source)
    assert left.count(f'    raise NotImplementedError("{BLANK}")') == 2
    assert '"""Twice x."""' in left
    assert "return" not in left
    compile(left, "f", "exec")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('# %% answer="rnn_step"\nx = 1\n', "has no ### BEGIN SOLUTION"),
        ('# %% check="rnn_stop"\ncheck("rnn_stop")\n', "names no exercise 'rnn_stop'"),
        ('# %% check="rnn_step"\n1\n\n# %% check="rnn_step"\n1\n', "two cells are both 'rnn_step'"),
        ("# %%\nx = 1\n", "no check cell for"),
    ],
)
def test_a_slip_in_a_source_is_said(
    text: str, words: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rnn.py"
    path.write_text(text)
    monkeypatch.setattr(notebooks, "source_path", lambda slug: path)
    with pytest.raises(SourceError, match=words):
        source_notebook("rnn")


def test_cells_keep_their_ids_when_prose_around_them_changes() -> None:
    ids = [c.id for c in source_notebook("rnn").cells if c.metadata.get("nbgrader")]
    assert "rnn_step" in ids and "rnn_step-answer" in ids
    nbformat.validate(source_notebook("rnn"))
