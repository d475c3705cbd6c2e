"""What a student gets back holds nothing that would earn a point if it were handed in again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader import units, wire
from grader.classroom import Classroom
from grader.demo import source_of
from grader.engine import run_checks
from grader.givebacks import give_back
from grader.markclass import mark_class
from grader.notebooks import solution_namespace
from grader.record import scores
from grader.student import LocalStudent
from tests.grader import classes as c

pytestmark = pytest.mark.slow
ASKED = [name for exercise in units.exercises(c.SLUG) for name in exercise.asked]


def _right_calls(seed: int) -> dict[str, str]:
    """What the solution gives at each call that the checks make with this seed, as texts."""
    student = LocalStudent(solution_namespace(c.SLUG))
    run_checks(c.SLUG, student, seed)
    return {
        f"{call.name} {_text(wire.dumps((call.arguments, call.keywords)))}": _text(
            wire.dumps(call.outcome.value)
        )
        for call in student.calls
        if call.outcome.kind == "value"
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _replaying(table: dict[str, str]) -> bytes:
    """No answer of its own: what is in the table is given back, and nothing else."""
    blank = c.Blank(c.SLUG)
    source = f"""
import base64, json
from grader import wire
table = json.loads({json.dumps(json.dumps(table))})
def replay(name):
    def f(*args, **kwargs):
        asked = name + " " + base64.b64encode(wire.dumps((args, kwargs))).decode()
        return wire.loads(base64.b64decode(table[asked]))
    return f
""" + "\n".join(f"{name} = replay({name!r})" for name in ASKED)
    return blank.add(source, len(c.cells(blank))).bytes()


def test_answers_of_one_marking_earn_nothing_at_the_next(tmp_path: Path) -> None:
    """Even a student who knew every input and every right output of a marking."""
    seed = 20_261_121
    room = c.new_class(tmp_path / "class", {"eve": _replaying(_right_calls(seed))})
    hand_in = room.hand_ins()[0]
    # With the same draws nearly all is right, so the replay itself works.
    assert sum(scores(room.judge(hand_in, seed=seed)).values()) > 0.9 * sum(c.worth().values())
    for _ in range(3):
        fresh = room.judge(hand_in)
        assert fresh["seed"] != seed
        assert sum(scores(fresh).values()) == 0


_SPEAKS = "    raise ValueError(repr((args, kwargs)))\n"


def _hand_ins() -> dict[str, bytes]:
    """Each way to fail that shows something: wrong values, errors that repeat what was asked."""
    chosen: dict[str, Any] = {}
    for item in units.misconceptions(c.SLUG):
        chosen.setdefault(item.exercise, item)
    wrong = c.full()
    for name, item in chosen.items():
        wrong.write(name, source_of(item))
    loud = c.Blank(c.SLUG)
    loud.add("\n".join(f"def {n}(*args, **kwargs):\n    print(args)\n{_SPEAKS}" for n in ASKED),
             len(c.cells(loud)))  # fmt: skip
    zeros = c.Blank(c.SLUG)
    zeros.add(
        "import numpy as np\n"
        + "\n".join(f"def {n}(*args, **kwargs): return np.zeros((4, 5))" for n in ASKED),
        len(c.cells(zeros)),
    )
    return {"wrong": wrong.bytes(), "loud": loud.bytes(), "zeros": zeros.bytes()}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    made = c.new_class(tmp_path_factory.mktemp("leak") / "class", _hand_ins())
    # A fixed draw: among thousands of inputs one may begin with the digits of a result.
    mark_class(made, jobs=1, seed=20_261_121)
    give_back(made)
    return made


def _given_back(room: Classroom, student: str) -> Iterator[str]:
    for top in (room.root / "feedback", room.autograded):
        for path in (top / student).rglob("*"):
            if path.is_file():
                yield path.read_text("utf-8")


def _numbers(value: Any) -> set[str]:
    """The numbers in a value, as texts of six digits without sign and exponent."""
    if isinstance(value, dict):
        return set().union(*map(_numbers, value.values()), set())
    if isinstance(value, list | tuple):
        return set().union(*map(_numbers, value), set())
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return {_digits(float(x)) for x in value.ravel() if x not in (0.0, 1.0)}
    return {_digits(value)} if isinstance(value, float) and value % 1 else set()


def _digits(number: float) -> str:
    return f"{abs(number):.10e}".replace(".", "")[:6]


def _shown_digits(text: str) -> set[str]:
    """All longer numbers in a text, in the same form."""
    text = re.sub(r'"(key|record|id)": *"[^"]*"|[0-9a-f]{16,}', " ", text)
    found = re.findall(r"(?<![\w.])\d*\.\d{5,}(?:e-?\d+)?|(?<![\w.])\d\.\d{4,}e-?\d+", text)
    return {_digits(float(word)) for word in found}


@pytest.mark.parametrize("student", ["wrong", "loud", "zeros"])
def test_no_input_of_a_check_is_given_back(room: Classroom, student: str) -> None:
    hand_in = next(h for h in room.hand_ins() if h.student == student)
    made = room.record_of(hand_in)
    assert made is not None
    calls = LocalStudent(solution_namespace(c.SLUG))
    run_checks(c.SLUG, calls, made["seed"])
    asked = set().union(*(_numbers((x.arguments, x.keywords)) for x in calls.calls))
    assert len(asked) > 500
    pages = list(_given_back(room, student))
    assert len(pages) >= 2
    for page in pages:
        assert _shown_digits(page) & asked == set()
        assert str(made["seed"]) not in page


def test_of_what_is_right_at_most_one_number_a_check_is_given_back(room: Classroom) -> None:
    for student in ("wrong", "zeros"):
        hand_in = next(h for h in room.hand_ins() if h.student == student)
        made = room.record_of(hand_in)
        assert made is not None
        calls = LocalStudent(solution_namespace(c.SLUG))
        run_checks(c.SLUG, calls, made["seed"])
        right = set().union(*(_numbers(x.outcome.value) for x in calls.calls))
        for page in _given_back(room, student):
            failed = sum(check["status"] == "failed" for check in made["checks"])
            assert len(_shown_digits(page) & right) <= failed
