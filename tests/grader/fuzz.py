"""Notebooks that have been damaged at random, each by a seed that makes it again.

`python -m tests.grader.fuzz FIRST COUNT` reads and lays out so many and names the seeds that fail.
"""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Callable
from typing import Any

import nbformat

from grader import course, gradebook, marking, record, submission
from grader.files import room
from grader.plan import Plan, lay_out
from grader.worker.launch import Limits
from tests.grader import classes as c

#: What a piece of the document may become.
_ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, float("nan"), float("inf"), "", "x", "\ud800", "\0", "é" * 3000,
    [], [[]], {}, {"": ""}, ["a", 1, None], {"cells": []}, "rnn_step", "rnn_step-answer", "code",
    "markdown", "raw", {"nbgrader": {"grade_id": "rnn_step"}}, {"nbgrader": None},
    "### BEGIN SOLUTION", "while True: pass", 3, 4, 5, {"grade_id": ["x"]}, -(10**300),
)  # fmt: skip


def _pieces(document: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    found: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            if isinstance(value[key], dict | list):
                waiting.append(value[key])
    return found


def _damage_tree(rng: random.Random, document: Any) -> None:
    pieces = _pieces(document)
    if not pieces:
        return
    container, key = rng.choice(pieces)
    action = rng.randrange(6)
    if action == 0:
        del container[key]
    elif action == 1 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), json.loads(json.dumps(container[key])))
    elif action == 2 and isinstance(container, list):
        rng.shuffle(container)
    elif action == 3:
        other, name = rng.choice(pieces)
        container[key] = json.loads(json.dumps(other[name] if name in _keys(other) else None))
    elif action == 4 and isinstance(container, dict) and isinstance(key, str):
        container[key + rng.choice(("", "s", "_"))] = container.pop(key)
    else:
        container[key] = copy.deepcopy(rng.choice(_ODD))


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def _damage_bytes(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    length = rng.choice((1, 1, 2, 10, 1000))
    action = rng.randrange(5)
    if action == 0:
        del data[at : at + length]
    elif action == 1:
        data[at:at] = bytes(rng.randrange(256) for _ in range(length))
    elif action == 2:
        data[at:at] = rng.choice(
            (b'"', b"{", b"[" * 50, b"\\", b"\0", b"\xff", b"\r", b"NaN", b",")
        )
    elif action == 3:
        del data[at:]
    else:
        data[at:at] = bytes(data[at : at + length])


def damaged(seed: int) -> bytes:
    """The solved notebook after a few accidents."""
    rng = random.Random(seed)
    document = json.loads(c.full().bytes())
    if rng.random() < 0.8:
        for _ in range(rng.choice((1, 1, 2, 5, 40))):
            _damage_tree(rng, document)
    data = bytearray(json.dumps(document, ensure_ascii=rng.random() < 0.9).encode(
        "utf-8", "surrogatepass"))  # fmt: skip
    if rng.random() < 0.4:
        for _ in range(rng.choice((1, 2, 10))):
            _damage_bytes(rng, data)
    return bytes(data)


def fault_of(data: bytes, unit: course.UnitSource) -> str:
    """What is wrong with how these bytes are read; "" when nothing is."""
    try:
        found = submission.parse(data)
    except submission.Unreadable as error:
        return "" if str(error).endswith(".") and len(str(error)) < 300 else f"says {error!r}"
    plan = lay_out(unit, found)
    checks = [cell.name for cell in plan.cells if cell.role == "check"]
    if sorted(checks) != sorted(unit.named("check")):
        return f"the checks are {checks}"
    for cell in plan.cells:
        if cell.role in ("check", "setup") and cell.source != cell.course.source:
            return f"the text of {cell.name!r} is not the course's"
    if sum(room(cell.source) for cell in plan.cells) > 5_000_000:
        return "there is more than the limits allow"
    return _as_marked(plan, unit)


def _as_marked(plan: Plan, unit: course.UnitSource) -> str:
    made = marking.mark_nothing(lambda: submission.parse(b""), unit, "x", Limits(), 1)
    made.plan, made.runs, made.status = plan, [marking.CellRun() for _ in plan.cells], "marked"
    notebook = gradebook.assemble(record.from_marked(made, "ada", "0" * 32), plan, {})
    try:
        nbformat.validate(nbformat.reads(nbformat.writes(notebook), 4))
    except (nbformat.ValidationError, UnicodeError) as error:
        return f"the marked notebook is not one: {error}"[:300]
    return ""


def faults(seeds: range, unit: course.UnitSource, make: Callable[[int], bytes] = damaged) -> dict:
    """Seed -> fault, for those that have one."""
    return {seed: words for seed in seeds if (words := fault_of(make(seed), unit))}


def unit_source() -> course.UnitSource:
    from grader import notebooks

    cells = nbformat.reads(notebooks.text_of(notebooks.student_notebook(c.SLUG)), 4).cells
    return course.UnitSource(c.SLUG, tuple(cells))


if __name__ == "__main__":
    _first, _count = int(sys.argv[1]), int(sys.argv[2])
    _found = faults(range(_first, _first + _count), unit_source())
    print(_found or f"{_count} notebooks from seed {_first} on: none is read wrongly")
    sys.exit(bool(_found))
