"""How long each unit's notebook takes from a cold start: `python -m grader.times [UNIT ...]`.

Every notebook runs in a new process of its own, with two threads and an empty folder, once with
the worked solutions and once as it is handed out; there, cells that are not answered may fail.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nbclient import NotebookClient
from nbformat import NotebookNode

from grader import notebooks, units

#: Seconds that a notebook may take on two cores.
LIMIT = 180.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Run:
    """One run of a notebook: its seconds, and how many of its code cells failed."""

    seconds: float
    failed: int


def run(notebook: NotebookNode, threads: int = 2, limit: float = LIMIT) -> Run:
    """Run a notebook from a cold start, failing cells and all, and say how long it took.

    A cell that runs longer than `limit` seconds is interrupted and counts as failed.
    """
    environment = os.environ | {name: str(threads) for name in _THREADS}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=limit,
            interrupt_on_timeout=True,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": folder}},
        )
        start = time.perf_counter()
        client.execute(env=environment)
        seconds = time.perf_counter() - start
    return Run(seconds, sum(_failed(cell) for cell in notebook.cells))


def _failed(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", ()))


def table(
    slugs: Sequence[str], measure: Callable[[NotebookNode], Run], limit: float = LIMIT
) -> tuple[list[str], bool]:
    """The table's lines, and whether every notebook kept the limit and every solution ran."""
    lines = ["| unit | with solutions | as handed out | cells that fail, as handed out |"]
    lines.append("|---|---|---|---|")
    good = True
    for slug in slugs:
        solved = measure(notebooks.source_notebook(slug))
        released = measure(notebooks.student_notebook(slug))
        good &= not solved.failed and max(solved.seconds, released.seconds) <= limit
        broken = f" ({solved.failed} cells FAIL)" if solved.failed else ""
        lines.append(
            f"| {slug} | {solved.seconds:.1f} s{broken} | {released.seconds:.1f} s "
            f"| {released.failed} |"
        )
    return lines, good


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m grader.times", description=__doc__)
    parser.add_argument("unit", nargs="*", help="only these units, by their names in the book")
    parser.add_argument("--threads", type=int, default=2, help="threads of a run (default: 2)")
    given = parser.parse_args(arguments)
    known = units.slugs()
    if unknown := [slug for slug in given.unit if slug not in known]:
        print(f"There is no unit {', '.join(unknown)}; the units are {', '.join(known)}.")
        return 1
    lines, good = table(given.unit or known, lambda notebook: run(notebook, given.threads))
    print("\n".join(lines))
    if not good:
        print(f"Over the limit of {LIMIT:.0f} s, or a worked solution failed.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
