"""The table of notebook times: what ran is what is counted, and what fails is said."""

import nbformat.v4 as v4
import pytest

from grader import times


def of(*sources: str):
    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])


def test_a_run_counts_failing_cells_and_goes_on_to_the_last() -> None:
    notebook = of(
        "import time; time.sleep(0.3)",
        "raise NotImplementedError",
        "import os; print(os.environ['OMP_NUM_THREADS'], os.listdir())",
    )
    run = times.run(notebook, threads=2)
    assert run.failed == 1
    assert 0.3 < run.seconds < 60
    assert notebook.cells[2].outputs[0].text == "2 []\n"


def test_a_cell_that_does_not_end_is_interrupted_and_counted() -> None:
    run = times.run(of("while True: pass", "1"), limit=1)
    assert run.failed == 1 and run.seconds < 60


@pytest.mark.parametrize(
    ("solved", "good"),
    [(times.Run(1.0, 0), True), (times.Run(1.0, 1), False), (times.Run(181.0, 0), False)],
)
def test_a_slow_notebook_or_a_failing_solution_is_told(solved, good) -> None:
    def measure(notebook):
        asked = any("NotImplementedError" in cell.source for cell in notebook.cells)
        return times.Run(2.0, 4) if asked else solved

    lines, kept = times.table(["rnn"], measure)
    assert kept is good
    assert lines[-1].startswith(f"| rnn | {solved.seconds:.1f} s")
    assert lines[-1].endswith("| 2.0 s | 4 |")


def test_an_unknown_unit_gets_one_sentence(capsys) -> None:
    assert times.main(["nothing"]) == 1
    assert capsys.readouterr().out.startswith("There is no unit nothing; the units are sequences,")
