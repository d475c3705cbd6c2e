"""Whatever a process says of itself is a claim: each reply ends in a mark, and none in a fault."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
import torch

from grader import course, marking, record, submission, wire
from grader.classreport.similar import _prints
from grader.engine import ChecksUnreadable
from grader.feedback import FeedbackExporter
from grader.gradebook import _for_a_page, safe_markdown
from grader.nbgrader_config import TEMPLATES
from grader.notebooks import student_notebook
from grader.plan import lay_out
from grader.worker.launch import Limits, LineWorker, WorkerLost
from tests.grader import classes as c

UNIT = course.UnitSource(c.SLUG, tuple(student_notebook(c.SLUG).cells))
ODD = {
    "two numbers": np.ones(2),
    "a tensor": torch.ones(2),
    "a dictionary": {},
}


class Puppet:
    """A process that answers all that it is asked with one reply."""

    isolation = "a test"

    def __init__(self, reply: dict[str, Any] | Exception) -> None:
        self._reply = reply

    def start(self, limits: Limits) -> Puppet:
        return self

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        if isinstance(self._reply, Exception):
            raise self._reply
        rest = {"args": (), "kwargs": {}} | request
        said = {"kind": "value", "value": np.zeros((4, 5)), "good": True, "shown": []}
        said |= {"arguments": tuple(rest["args"]), "keywords": rest["kwargs"]}
        return dict(wire.clone(said | self._reply))

    def end(self) -> None:
        pass


def marked(reply: dict[str, Any] | Exception) -> marking.Marked:
    read = lambda: submission.parse(c.full().bytes())  # noqa: E731
    return marking.mark_read(read, UNIT, factory=Puppet(reply), limits=Limits(), seed=1)


@pytest.mark.parametrize("field", ["kind", "arguments", "tried", "message", "attempts", "shown"])
def test_a_reply_of_odd_types_is_a_wrong_answer(field: str) -> None:
    for words, odd in ODD.items():
        parts: list[Any] = [odd, (odd,), [odd]]
        if field == "shown":
            parts += [[{"kind": odd, "text": "x"}], [{"kind": "stdout", "text": odd}]]
        for part in parts:
            made = marked({field: part})
            assert made.status == "marked", f"{words}: {made.reason}"
            json.dumps(record.from_marked(made, "", ""))


def test_arguments_that_do_not_come_back_were_not_left_alone() -> None:
    def earned(made: marking.Marked) -> list[str]:
        return [r.check for r in made.results if r.earned and "leaves_its_arguments" in r.check]

    assert earned(marked({})) == ["test_rnn_step_leaves_its_arguments_alone"]
    assert earned(marked({"arguments": ()})) == earned(marked({"keywords": {"x": 1}})) == []


@pytest.mark.parametrize("number", [np.ones(2), True, "1", None])
def test_a_number_that_is_none_ends_the_process(number: Any) -> None:
    class Line:
        def send(self, value: Any, deadline: float) -> None:
            pass

        def receive(self, deadline: float) -> Any:
            return {"id": number}

    class Told(LineWorker):
        _channel = Line()  # type: ignore[assignment]
        ended = False

        def end(self) -> None:
            self.ended = True

    worker = Told()
    with pytest.raises(WorkerLost, match="crashed"):
        worker.ask({"do": "run", "source": ""}, 1)
    assert worker.ended


def test_a_fault_that_one_notebook_brings_about_is_its_own() -> None:
    made = marked(ValueError("unforeseen"))
    assert made.status == "grader fault" and "ValueError in line" in made.reason
    assert "test_hostile_replies.py" in made.reason and "unforeseen" not in made.reason
    assert {r.status for r in made.results} == {"not tried"}
    with pytest.raises(ChecksUnreadable):  # that of the course is everybody's
        marked(ChecksUnreadable("broken"))


# ---------------------------------------------------------------- answers in odd places


def _runs(*cells: str) -> list[bool]:
    """Whether each of these cells runs, and whether the blank answer below them does."""
    blank = c.Blank(c.SLUG)
    for number, source in enumerate(cells):
        blank.add(source, 2 + number)
    plan = lay_out(UNIT, submission.parse(blank.bytes()))
    return [x.runs for x in plan.cells if x.source in cells or x.name == "rnn_step-answer"]


@pytest.mark.parametrize(
    "source",
    ["def rnn_step(x, h, params):\n    return h", "%%time\nif 1:\n  def rnn_step(*a): return 0",
     "rnn_step = lambda *a: 0", "rnn_step: object = print", "class rnn_step: pass"],
)  # fmt: skip
def test_a_blank_does_not_undo_the_answer_above_it(source: str) -> None:
    assert _runs(source) == [True, False]


@pytest.mark.parametrize(
    "source",
    ["# rnn_step", "rnn_step == 3", "def rnn_steps(): pass", "def my_rnn_step(): pass",
     "print(rnn_step)", "rnn_forward = 3"],
)  # fmt: skip
def test_a_blank_runs_where_nothing_above_it_answers(source: str) -> None:
    assert _runs(source) == [True, True]


# ---------------------------------------------------------------- pages


def test_prose_and_code_that_are_slow_to_draw_are_drawn() -> None:
    """Each took minutes: the libraries take the square of the time for a text like this."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    exporter = FeedbackExporter(extra_template_basedirs=[str(TEMPLATES)])
    started = time.monotonic()
    text = safe_markdown("\\begin{a}" * 20_000)
    assert "begin{a}" in exporter.markdown2html({}, text)
    spaces = " \n" * 100_000 + "x = 1\n"
    assert highlight(_for_a_page(spaces, 200_001), PythonLexer(), HtmlFormatter())
    assert _prints(spaces)
    assert time.monotonic() - started < 20
    assert safe_markdown("$$\\begin{a}x\\end{a}$$") == "$$\\begin{a}x\\end{a}$$"
    assert _for_a_page("x = 1\n\n  y\n", 100) == "x = 1\n\n  y\n"
    assert _for_a_page("x" * 100, 10).startswith("x" * 10 + "\n# … cut here")
