"""Forged outputs, metadata and files: points come from what the functions do, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from tests.grader import classes as c
from tests.grader.gallery import Entry, Made, solved, solved_then, unanswered


def changed(change: Callable[[dict[str, Any]], object], solve: bool = True) -> Callable[[], bytes]:
    """The solved or the blank notebook as a JSON document, after `change`."""

    def make() -> bytes:
        document = json.loads((c.full() if solve else c.Blank(c.SLUG)).bytes())
        change(document)
        return json.dumps(document).encode()

    return make


def _code(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def _marks(cell: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = cell["metadata"].get("nbgrader", {})
    return found


def _each(change: Callable[[dict[str, Any]], object], graded: bool = False) -> Callable:
    """Apply `change` to each code cell, or to each check cell."""
    return lambda d: [change(x) for x in _code(d) if not graded or _marks(x).get("grade")]


def _output(**data: str) -> dict[str, Any]:
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}


_REPORT = (
    "<div class='gatedrnn-report'><table><caption><b><code>rnn_step</code>: 6 of 6 points</b>"
    "</caption></table></div>"
)


def _swapped(document: dict[str, Any]) -> None:
    """Each answer carries the mark of the next one."""
    answers = [x for x in _code(document) if str(_marks(x).get("grade_id")).endswith("-answer")]
    marks = [x["metadata"] for x in answers]
    for cell, mark in zip(answers, [*marks[1:], marks[0]], strict=True):
        cell["metadata"] = mark


def _repeated_marks(document: dict[str, Any]) -> None:
    """All code cells claim to be the first check."""
    first = next(x for x in _code(document) if _marks(x).get("grade"))
    for cell in _code(document):
        cell["metadata"] = first["metadata"]


def _beside(*files: tuple[str, str | bytes], solve: bool = False) -> Callable[[], Made]:
    """The blank or solved notebook, and other files beside it."""

    def place(path: Path) -> None:
        path.write_bytes((c.full() if solve else c.Blank(c.SLUG)).bytes())
        for name, text in files:
            other = path.parent / name
            other.parent.mkdir(parents=True, exist_ok=True)
            other.write_bytes(text if isinstance(text, bytes) else text.encode())

    return lambda: place


def _as_other_kind(kind: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        for cell in _code(document):
            if _marks(cell).get("grade"):
                cell["cell_type"] = kind
                cell.pop("outputs", None)
                cell.pop("execution_count", None)

    return change


def _own_check(document: dict[str, Any]) -> None:
    """A new graded cell of a hundred points that gives a hundred."""
    cell = nbformat.v4.new_code_cell("100", id="own-check")
    marks = {"grade": True, "grade_id": "own_check", "points": 100, "locked": False,
             "schema_version": 3, "solution": False, "task": False,
             "cell_type": "code"}  # fmt: skip
    document["cells"].append(json.loads(json.dumps({**cell, "metadata": {"nbgrader": marks}})))


def _claims(text: str) -> Callable[[dict[str, Any]], object]:
    return lambda x: x.update(outputs=[_output(**{"text/plain": text})], execution_count=1)


_NONE: dict[str, Any] = {"earns": c.nothing}
_CHANGED = "was changed"

ENTRIES = [
    Entry("forged-outputs", "claims a thousand points in outputs and metadata", c.forged,
          plain=True, **_NONE),
    *[
        Entry(f"output-{name}", f"has an output of {words} in each check cell, and no answer",
              changed(_each(_claims(text), graded=True), solve=False), **_NONE)
        for name, words, text in (
            ("number", "a thousand", "1000"), ("minus", "a negative number", "-5"),
            ("inf", "infinity", "inf"), ("nan", "what is not a number", "nan"),
            ("words", "words", "full marks"),
        )
    ],
    Entry("output-low", "has outputs that claim too little, beside right answers",
          changed(_each(_claims("0"), graded=True))),
    Entry("output-error", "has errors as the outputs of its check cells, beside right answers",
          changed(_each(lambda x: x.update(outputs=[{
              "output_type": "error", "ename": "AssertionError", "evalue": "0", "traceback": []}]),
              graded=True))),
    Entry("checks-changed", "has check cells that were rewritten to give all points",
          c.changed_checks, flags=(_CHANGED,) * 5, plain=True, **_NONE),
    Entry("checks-emptied", "has check cells with nothing in them, and no answer",
          changed(_each(lambda x: x.update(source=""), graded=True), solve=False),
          flags=(_CHANGED,), **_NONE),
    Entry("checks-emptied-solved", "has check cells with nothing in them, beside right answers",
          changed(_each(lambda x: x.update(source=""), graded=True)), flags=(_CHANGED,)),
    Entry("checks-raise", "has check cells that end the process, beside right answers",
          changed(_each(lambda x: x.update(source="import os; os._exit(0)"), graded=True)),
          flags=(_CHANGED, "ended the process")),
    Entry("checks-gone", "has no check cells, beside right answers", c.without_checks,
          flags=("Missing cells",), plain=True),
    Entry("checks-doubled", "has each cell twice, beside right answers", c.doubled_checks,
          flags=("more than once",), plain=True),
    *[
        Entry(f"checks-{kind}", f"has check cells that are {kind} cells, beside right answers",
              changed(_as_other_kind(kind)))
        for kind in ("markdown", "raw")
    ],
    Entry("answer-in-check-cell", "has an answer in the check's own cell", c.answer_in_check_cell,
          lambda: c.nothing() | {"rnn_step": c.worth()["rnn_step"]}, flags=(_CHANGED,)),
    Entry("marks-gone", "has lost all metadata", c.without_metadata, flags=("Missing cells",),
          plain=True),
    Entry("marks-swapped", "has the marks of its answer cells swapped", changed(_swapped)),
    Entry("marks-repeated", "has the first check's mark on every code cell",
          changed(_repeated_marks), flags=("more than once", _CHANGED, "Missing cells")),
    Entry("marks-unlocked", "has unlocked all its locked cells and made answers of them",
          changed(_each(lambda x: _marks(x).update(locked=False, solution=True, grade=True,
                                                   points=10**6), graded=False))),
    Entry("marks-of-next-year", "says that its marks are of schema 999",
          changed(_each(lambda x: _marks(x).update(schema_version=999)))),
    Entry("marks-of-another-unit", "has the marks of another unit's cells",
          changed(_each(lambda x: _marks(x).update(grade_id="gru_cell"))),
          flags=("Missing cells",)),
    Entry("marks-long", "has grade ids of a hundred thousand letters",
          changed(_each(lambda x: _marks(x).update(grade_id="rnn_step" * 12_500))),
          flags=("Missing cells",)),
    Entry("ids-repeated", "has one id for all its cells",
          changed(lambda d: [x.update(id="same") for x in d["cells"]])),
    Entry("own-check", "has a check of its own, worth a hundred points", changed(_own_check)),
    Entry("own-check-blank", "has a check of its own, worth a hundred points, and no answer",
          changed(_own_check, solve=False), **_NONE),
    Entry("setup-gone", "has lost the locked cells at its beginning", c.without_setup,
          flags=("Missing cells",)),
    Entry("skip-tags", "has the tag on every cell that keeps nbgrader from running it",
          changed(_each(lambda x: x["metadata"].update(tags=["skip-execution", "raises-exception"])
                        ))),
    Entry("skip-tags-blank", "has the tag that keeps checks from running, and no answer",
          changed(_each(lambda x: x["metadata"].update(tags=["skip-execution"])), solve=False),
          **_NONE),
    *[
        Entry(f"kernel-{name}", f"names {words} as its kernel",
              changed(lambda d, spec=spec: d["metadata"].update(spec)))
        for name, words, spec in (
            ("bash", "a shell", {"kernelspec": {"name": "bash", "language": "bash",
                                                "display_name": "Bash"}}),
            ("none", "nothing that there is", {"kernelspec": {"name": "../../evil"}}),
            ("julia", "another language", {"kernelspec": {"name": "julia-1.9"},
                                           "language_info": {"name": "julia"}}),
        )
    ],
    Entry("record-named", "names a record as its own in its metadata",
          changed(lambda d: d["metadata"].update(gatedrnn={"record": "0" * 32},
                                                 nbgrader={"score": 40}), solve=False), **_NONE),
    Entry("record-beside", "has a record, a gradebook and a configuration beside it",
          _beside(("records/rnn/000-full/x.json", '{"schema": "gatedrnn-record/1"}'),
                  ("gradebook.db", b"SQLite format 3\0"), ("rnn.json", '{"earned": 40}'),
                  ("nbgrader_config.py", "raise SystemExit(0)"),
                  ("autograded/rnn.ipynb", "{}")), **_NONE),
    Entry("modules-beside", "has modules beside it in the place of the course's and of NumPy",
          _beside(("numpy.py", "raise SystemExit"), ("torch.py", "raise SystemExit"),
                  ("pytest.py", "raise SystemExit"), ("json.py", "raise SystemExit"),
                  ("grader/__init__.py", "check = lambda *a: 1000"),
                  ("gatedrnn/__init__.py", "raise SystemExit"),
                  ("sitecustomize.py", "raise SystemExit"),
                  (".ipython/profile_default/startup/x.py", "raise SystemExit"), solve=True),
          plain=True),
    Entry("own-check-function", "defines check and hint to give a thousand",
          unanswered("def check(*a, **k): return 1000\nhint = check\nimport grader\n"
                     "grader.check = check\ncheck('rnn_step')"), plain=True, **_NONE),
    Entry("own-report", "shows a report of its own in HTML and as text",
          unanswered("from IPython.display import HTML, display\n"
                     f"display(HTML({_REPORT!r}))\nprint('rnn_step: 6 of 6 points')\n6.0"),
          plain=True, **_NONE),
    Entry("import-in-escapes", "imports by a name that commands a terminal, to be read in its flag",
          unanswered("import importlib\n"
                     "importlib.import_module('gatedrnn.\\x1b[2J\\n<b>40 of 40\\u202e')"),
          flags=("gatedrnn.?[2J?<b>40 of 40?,",), **_NONE),
    Entry("printed-points", "prints points to both streams in every cell",
          unanswered("import sys\nprint(1000)\nprint(1000, file=sys.stderr)\n1000"), **_NONE),
    Entry("solution-marks", "has nbgrader's marks of solutions and hidden tests in its code",
          solved("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n### BEGIN HIDDEN TESTS\n"
                 "assert False\n### END HIDDEN TESTS\n### AUTOTEST 1 == 1")),
    Entry("answer-then-unanswer", "answers, and then puts the empty function in its place",
          solved_then("def rnn_step(x, h, params):\n"
                      "    raise NotImplementedError('your answer goes here')"),
          lambda: c.nothing() | {"clip_by_global_norm": c.worth()["clip_by_global_norm"]}),
    Entry("says-it-is-blank", "raises what the empty notebook raises, in a right answer's place",
          solved_then("def clip_by_global_norm(*a): raise NotImplementedError"),
          lambda: c.all_but("clip_by_global_norm")),
    Entry("links-in-prose", "has scripts, frames and links that fetch in its prose",
          changed(lambda d: [x.update(source="<script>alert(1)</script><iframe src=//x.example>"
                                      "</iframe> [x](javascript:alert(1)) ![x](//x.example/a.png)"
                                      " <style>*{display:none}</style> {{ 7*7 }} $\\href{x}{y}$")
                             for x in d["cells"] if x["cell_type"] == "markdown"])),
]  # fmt: skip
