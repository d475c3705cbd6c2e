"""Hand-ins that a person should look at, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from grader.grades import Grade
from grader.report import number

#: A notebook without plots is a hundred kilobytes; from this size on something is in it.
LARGE = 5 * 2**20

#: Kind -> what it means and what to do, the most urgent first.
KINDS = {
    "marking failed": "Marking itself failed. The next `grader mark` tries again.",
    "unreadable": "No notebook could be read, so it has no points. Ask the student for the file.",
    "no notebook": "There is a folder and no notebook in it, so it has no points.",
    "not marked": "It was handed in, or the course was changed, since the last `grader mark`.",
    "tried to import": "The notebook asked for something that is not open to it. It cost nothing.",
    "stopped": "A cell or a call ran too long, or ended its process. It cost what depends on it.",
    "altered": "Cells of the course were changed, removed or doubled. The course's own were used.",
    "remark": "Marking noticed something else.",
    "large": f"The file has more than {LARGE // 2**20} MiB.",
    "waits for a person": "The gradebook asks for a look: a manual score, or a file with a fault.",
    "not sealed": "It was marked in a plain process, which does not keep hostile code in.",
    "late": "It was handed in after the due date.",
}

_FLAGS = (
    ("tried to import", r"tried to import"),
    ("altered", r"locked cell|more than once|^Missing cells"),
)


def reasons(
    record: dict[str, Any] | None, grade: Grade | None, size: int
) -> Iterator[tuple[str, str]]:
    """Kind and words of each reason to look at a hand-in; `record` is None when it has none."""
    if record is None:
        yield "not marked", "It has no mark that counts for what lies there now."
    else:
        yield from _of_record(record)
    if size > LARGE:
        yield "large", f"{size / 2**20:.1f} MiB."
    if grade is None:
        return
    if grade.waits and record is not None and record["status"] == "marked":
        yield "waits for a person", "It waits for a person in the gradebook."
    if grade.seconds_late > 0:
        taken = f", {number(round(grade.penalty, 2))} points taken off" if grade.penalty else ""
        yield "late", f"{_how_late(grade.seconds_late)} late{taken}."


def _of_record(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    state = {
        "grader fault": "marking failed", "unreadable": "unreadable", "missing": "no notebook",
    }.get(record["status"])  # fmt: skip
    if state:
        yield state, record["reason"]
    hit = {words.lower().rstrip(".") for words in record["limits_hit"]}
    for flag in record["flags"]:
        if flag == record["reason"]:
            continue
        if flag.lower().rstrip(".") in hit:
            yield "stopped", flag
            continue
        yield next((kind for kind, look in _FLAGS if re.search(look, flag)), "remark"), flag
    if not record["isolation"].startswith("sealed") and record["status"] == "marked":
        yield "not sealed", "Marked in a plain process."


def _how_late(seconds: float) -> str:
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"


def urgency(kind: str) -> int:
    """The place of a kind in the order of `KINDS`."""
    return list(KINDS).index(kind)
