"""The grades that nbgrader's gradebook holds for a class, read in a few queries.

They are final: manual scores and extra credit are in the score, late penalties are taken off.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Grade:
    """What one student has in one unit; without a hand-in the score is zero."""

    student: str
    first_name: str
    last_name: str
    email: str
    lms_user_id: str
    unit: str
    worth: float
    raw: float = 0.0
    penalty: float = 0.0
    handed_in: datetime.datetime | None = None
    due: datetime.datetime | None = None
    there: bool = False
    waits: bool = False  # for a person to look at it

    @property
    def score(self) -> float:
        return max(0.0, self.raw - self.penalty)

    @property
    def seconds_late(self) -> float:
        if self.handed_in is None or self.due is None:
            return 0.0
        return max(0.0, (self.handed_in - self.due).total_seconds())

    @property
    def name(self) -> str:
        """The student's name as people write it, or the id where the gradebook has no name."""
        return f"{self.first_name} {self.last_name}".strip() or self.student


def grades(gradebook: Any, slug: str) -> Iterator[Grade]:
    """Everyone in the gradebook, in the order of their ids, with the grade in the unit `slug`."""
    from nbgrader.api import MissingEntry, Student

    try:
        assignment = gradebook.find_assignment(slug)
    except MissingEntry:
        return
    scores = _scores(gradebook, assignment)
    handed_in = {s.student_id: s for s in assignment.submissions}
    worth = float(assignment.max_score)
    for student in gradebook.db.query(Student).order_by(Student.id):
        there = handed_in.get(student.id)
        raw, penalty, waits = (
            scores.get(there.id, (0.0, 0.0, False)) if there else (0.0, 0.0, False)
        )
        yield Grade(
            student.id,
            student.first_name or "",
            student.last_name or "",
            student.email or "",
            student.lms_user_id or "",
            slug,
            worth,
            raw,
            penalty,
            there.timestamp if there else None,
            there.duedate if there else assignment.duedate,
            there is not None,
            waits,
        )


def _scores(gradebook: Any, assignment: Any) -> dict[str, tuple[float, float, bool]]:
    """Submission -> score, late penalty, and whether it waits for a person."""
    from nbgrader.api import Grade as Cell
    from nbgrader.api import SubmittedAssignment, SubmittedNotebook
    from sqlalchemy import Integer, cast, func

    mine = SubmittedAssignment.assignment_id == assignment.id
    cells = (
        gradebook.db.query(
            SubmittedNotebook.assignment_id,
            func.sum(Cell.score),
            func.max(cast(Cell.needs_manual_grade, Integer)),
        )
        .select_from(Cell)
        .join(SubmittedNotebook, Cell.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(mine)
        .group_by(SubmittedNotebook.assignment_id)
    )
    late = (
        gradebook.db.query(
            SubmittedNotebook.assignment_id,
            func.sum(func.coalesce(SubmittedNotebook.late_submission_penalty, 0.0)),
        )
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(mine)
        .group_by(SubmittedNotebook.assignment_id)
    )
    penalties = dict(late.all())
    return {
        key: (float(score or 0.0), float(penalties.get(key) or 0.0), bool(waits))
        for key, score, waits in cells
    }
