"""Put marks where nbgrader's own tools look for them: its gradebook and its autograded notebooks.

`grader mark` and `nbgrader autograde` both end here, so they cannot disagree. The configuration of
a class (`nbgrader_config.configure`) makes nbgrader's own command use the two classes at the end.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from sqlalchemy import insert, select, update

from grader import record as records
from grader.marking import CellRun
from grader.plan import Plan, Planned
from grader.report import Report

#: The key of a notebook's metadata under which the name of its record is kept.
MARK = "gatedrnn"
#: Letters of a code cell, and of all of them, that a page shows; the whole is under submitted/.
_CELL_SHOWN, _CODE_SHOWN = 50_000, 200_000
#: Formulas of their own lines in one text: whoever looks for the end of each reads on to the last.
_FORMULAS = 100


def put_interpreter_first() -> None:
    """nbgrader starts `alembic` by name: let it find the one beside this interpreter."""
    here = str(Path(sys.executable).parent)
    parts = os.environ.get("PATH", "").split(os.pathsep)
    if parts[0] != here:
        os.environ["PATH"] = os.pathsep.join([here, *parts])


# ---------------------------------------------------------------- scores


class NameTooLong(ValueError):
    """A student's name that the gradebook's server cannot hold."""


@dataclass(frozen=True)
class Entry:
    """A record on its way into the gradebook, with what it is entered with."""

    record: dict[str, Any]
    plan: Plan
    timestamp: datetime.datetime | None


def enter(gradebook: Gradebook, entries: Sequence[Entry], config: Any) -> None:
    """Write the scores of records, for every graded cell of each assignment, in one transaction.

    What a person has added (scores, comments, extra credit) stays; a score that a person gave is
    marked as to be looked at again.
    """
    try:
        by_unit: dict[str, list[Entry]] = {}
        for entry in entries:
            by_unit.setdefault(entry.record["unit"], []).append(entry)
        for slug, group in by_unit.items():
            _Ledger(gradebook, slug, group).write()
            _penalise(gradebook, slug, group, config)
        gradebook.db.commit()
    except BaseException:
        gradebook.db.rollback()
        raise


class _Ledger:
    """The rows of some hand-ins to one unit. Rows as rows: as objects each would be a query."""

    def __init__(self, gradebook: Gradebook, slug: str, entries: list[Entry]) -> None:
        self._db = gradebook.db
        self._slug = slug
        self._entries = {entry.record["student"]: entry for entry in entries}
        self._assignment = gradebook.find_assignment(slug).id
        notebooks = self._db.execute(
            select(Notebook.id, Notebook.name).where(Notebook.assignment_id == self._assignment)
        )
        self._notebooks = {row.id: row.name for row in notebooks}
        cells = self._db.execute(
            select(BaseCell.id, BaseCell.notebook_id, BaseCell.name, BaseCell.type).where(
                BaseCell.notebook_id.in_(self._notebooks)
            )
        )
        self._cells = {row.id: row for row in cells}

    def write(self) -> None:
        self._students()
        submissions = self._submissions()
        notebooks = self._submitted_notebooks(submissions)
        self._grades(notebooks)
        self._comments(notebooks)

    def _students(self) -> None:
        longest = Student.__table__.c.id.type.length
        if self._db.get_bind().dialect.name != "sqlite":  # which has no longest
            for name in self._entries:
                if len(name) > longest:
                    raise NameTooLong(f"this gradebook holds names of at most {longest} letters")
        there = select(Student.id).where(Student.id.in_(self._entries))
        known = set(self._db.scalars(there))
        self._insert(Student, [{"id": name} for name in self._entries if name not in known])

    def _submissions(self) -> dict[str, str]:
        """Student -> the submission's id."""
        rows = self._db.execute(
            select(SubmittedAssignment.student_id, SubmittedAssignment.id).where(
                SubmittedAssignment.assignment_id == self._assignment,
                SubmittedAssignment.student_id.in_(self._entries),
            )
        )
        found = {row.student_id: row.id for row in rows}
        times = {name: entry.timestamp for name, entry in self._entries.items()}
        self._update(
            SubmittedAssignment,
            [{"id": found[name], "timestamp": times[name]} for name in found],
        )
        new = [
            {"id": new_uuid(), "assignment_id": self._assignment, "student_id": name,
             "timestamp": times[name]}
            for name in self._entries
            if name not in found
        ]  # fmt: skip
        self._insert(SubmittedAssignment, new)
        return found | {row["student_id"]: row["id"] for row in new}

    def _submitted_notebooks(self, submissions: dict[str, str]) -> dict[str, tuple[str, str]]:
        """A submitted notebook's id -> the notebook's id and the student."""
        students = {row: student for student, row in submissions.items()}
        rows = self._db.execute(
            select(
                SubmittedNotebook.id, SubmittedNotebook.notebook_id, SubmittedNotebook.assignment_id
            ).where(SubmittedNotebook.assignment_id.in_(students))
        )
        found = {row.id: (row.notebook_id, students[row.assignment_id]) for row in rows}
        self._update(
            SubmittedNotebook, [{"id": row, "late_submission_penalty": None} for row in found]
        )
        there = set(found.values())
        new = [
            {"id": new_uuid(), "notebook_id": notebook, "assignment_id": submissions[student],
             "flagged": False}
            for student in self._entries
            for notebook in self._notebooks
            if (notebook, student) not in there
        ]  # fmt: skip
        self._insert(SubmittedNotebook, new)
        return found | {
            row["id"]: (row["notebook_id"], students[row["assignment_id"]]) for row in new
        }

    def _grades(self, notebooks: dict[str, tuple[str, str]]) -> None:
        rows = self._db.execute(
            select(Grade.id, Grade.cell_id, Grade.notebook_id, Grade.manual_score).where(
                Grade.notebook_id.in_(notebooks)
            )
        )
        there = {(row.notebook_id, row.cell_id): row for row in rows}
        changed, new = [], []
        for notebook, (of, student) in notebooks.items():
            record = self._entries[student].record
            earned = records.scores(record) if self._notebooks[of] == self._slug else {}
            for cell in self._cells.values():
                if cell.notebook_id != of or cell.type not in ("GradeCell", "TaskCell"):
                    continue
                row = there.get((notebook, cell.id))
                given = row.manual_score if row is not None else None
                by_hand = cell.type == "TaskCell" or cell.name not in earned
                values = _grade(record, None if by_hand else earned[cell.name], given)
                if row is not None:
                    changed.append({"id": row.id, **values})
                else:
                    new.append({"cell_id": cell.id, "notebook_id": notebook, **values})
        self._update(Grade, changed)
        self._insert(Grade, new)

    def _comments(self, notebooks: dict[str, tuple[str, str]]) -> None:
        rows = self._db.execute(
            select(Comment.id, Comment.cell_id, Comment.notebook_id).where(
                Comment.notebook_id.in_(notebooks)
            )
        )
        there = {(row.notebook_id, row.cell_id): row.id for row in rows}
        changed, new = [], []
        for notebook, (of, student) in notebooks.items():
            plan = self._entries[student].plan
            answers = {cell.name: cell for cell in plan.cells if cell.role == "answer"}
            for cell in self._cells.values():
                if cell.notebook_id != of or cell.type not in ("SolutionCell", "TaskCell"):
                    continue
                words = {"auto_comment": _comment(answers.get(cell.name))}
                row = there.get((notebook, cell.id))
                if row is not None:
                    changed.append({"id": row, **words})
                else:
                    new.append({"cell_id": cell.id, "notebook_id": notebook, **words})
        self._update(Comment, changed)
        self._insert(Comment, new)

    def _insert(self, table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._db.execute(insert(table), rows)

    def _update(self, table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._db.execute(update(table), rows)


def _grade(record: dict[str, Any], earned: float | None, given: float | None) -> dict[str, Any]:
    """What the gradebook says of one cell; `earned` is None where a person gives the score."""
    unread = record["status"] != "marked"
    if earned is None and not unread:
        return {"needs_manual_grade": given is None}
    look = unread or bool(record["reason"]) or given is not None
    return {"auto_score": earned or 0.0, "needs_manual_grade": look}


def _comment(answer: Planned | None) -> str | None:
    blank = answer is None or answer.course is None or answer.source == answer.course.source
    return "No response." if blank else None


def _penalise(gradebook: Gradebook, slug: str, entries: Sequence[Entry], config: Any) -> None:
    """Set late penalties by the plugin that the class's configuration names."""
    due = gradebook.find_assignment(slug).duedate
    handed_in = [e for e in entries if due is not None and e.timestamp is not None]
    rule = None
    for entry in (e for e in handed_in if e.timestamp > due):
        notebook = gradebook.find_submission_notebook(slug, slug, entry.record["student"])
        gradebook.db.refresh(notebook)
        late = notebook.assignment.total_seconds_late  # less what the student was granted
        if late <= 0:
            continue
        if rule is None:
            rule = AssignLatePenalties(config=config)
            rule.init_plugin()
        student = notebook.student.id
        penalty = rule.plugin_inst.late_submission_penalty(student, notebook.score, late)
        if penalty is not None:
            notebook.late_submission_penalty = rule._check_late_penalty(notebook, penalty)


@dataclass
class Held:
    """What the gradebook holds for one student and unit."""

    timestamp: datetime.datetime | None
    scores: dict[str, float | None] = field(default_factory=dict)
    #: Cells that wait for a person, and that no person has scored.
    waiting: set[str] = field(default_factory=set)


def held(gradebook: Gradebook, slug: str) -> dict[str, Held]:
    """Student -> what the gradebook holds for a unit, read by one query."""
    # Columns alone: as objects, each row would be a dozen, with queries of their own.
    rows = gradebook.db.execute(
        select(
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            BaseCell.name,
            Grade.auto_score,
            Grade.manual_score,
            Grade.needs_manual_grade,
        )
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == slug)
    )
    found: dict[str, Held] = {}
    for student, timestamp, name, score, given, waits in rows:
        one = found.setdefault(student, Held(timestamp))
        one.scores[name] = score
        if waits and given is None:
            one.waiting.add(name)
    return found


def agrees(one: Held, record: dict[str, Any], timestamp: datetime.datetime | None) -> bool:
    """Whether the gradebook says what a record says."""
    earned = records.scores(record)
    look = record["status"] != "marked" or bool(record["reason"])
    return (
        one.timestamp == timestamp
        and {name: one.scores.get(name) for name in earned} == earned
        and (look or not one.waiting & set(earned))
    )


def flag(gradebook: Gradebook, slug: str, students: Sequence[str]) -> None:
    """Mark all scores of these students in a unit as to be looked at by a person."""
    chosen = (
        select(SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == slug, SubmittedAssignment.student_id.in_(students))
    )
    gradebook.db.execute(
        update(Grade)
        .where(Grade.notebook_id.in_(chosen), Grade.manual_score.is_(None))
        .values(needs_manual_grade=True),
        execution_options={"synchronize_session": False},
    )
    gradebook.db.commit()


# ---------------------------------------------------------------- the autograded notebook


def assemble(record: dict[str, Any], plan: Plan, links: dict[str, str]) -> NotebookNode:
    """The notebook as marked: the student's cells with what they showed, a report in each check."""
    reports = records.reports(record, links)
    cells = []
    left = _CODE_SHOWN
    for index, (cell, run) in enumerate(zip(plan.cells, records.runs(record), strict=True)):
        if cell.kind == "code" and cell.source != getattr(cell.course, "source", None):
            cell = replace(cell, source=_for_a_page(cell.source, min(left, _CELL_SHOWN)))
            left = max(0, left - len(cell.source))
        cells.append(_cell(index, cell, run, reports))
    if record["status"] != "marked":
        words = f"**This hand-in was not marked.** {record['reason']}"
        cells.insert(0, _prose(words, "note-on-marking"))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        MARK: {"record": record["key"]},
    }
    return nbformat.from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


# nbformat's own makers of cells check each one against a schema, which takes longer than
# marking what is in it; a test holds the whole notebook against that schema.


def _for_a_page(source: str, limit: int) -> str:
    # What colours code takes the square of the number of lines that hold spaces alone.
    source = "\n".join(line if line.strip() else "" for line in source.split("\n"))
    if len(source) <= limit:
        return source
    return f"{source[:limit]}\n# … cut here: the whole cell is in the file that was handed in."


def _prose(source: str, name: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _code(source: str, name: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code", "execution_count": None, "id": name, "metadata": {},
        "outputs": outputs, "source": source,
    }  # fmt: skip


def _cell(index: int, cell: Planned, run: CellRun, reports: dict[str, Report]) -> dict[str, Any]:
    name = cell.name or f"own-{index}"
    if cell.kind != "code":
        source = cell.source if cell.course is not None else safe_markdown(cell.source)
        made = _prose(source, name)
    elif cell.role == "check":
        made = _code(cell.source, name, _report_output(reports.get(name)))
    else:
        made = _code(cell.source, name, _outputs(run))
    if cell.course is not None:
        made["metadata"] = cell.course.metadata
    return made


def _report_output(report: Report | None) -> list[dict[str, Any]]:
    if report is None:
        return []
    data = {"text/plain": repr(report), "text/html": report._repr_html_()}
    return [
        {"output_type": "execute_result", "data": data, "execution_count": None, "metadata": {}}
    ]


def _outputs(run: CellRun) -> list[dict[str, Any]]:
    outputs = [_output(part) for part in run.shown]
    words = {
        "timeout": "This cell ran too long and was stopped; marking went on without it.",
        "crashed": "This cell ended the process that ran it; marking went on without it.",
    }.get(run.status)
    if run.cut:
        words = "The rest of what this cell showed was cut."
    if words:
        outputs.append({"output_type": "stream", "name": "stderr", "text": words + "\n"})
    return outputs


def _output(part: dict[str, str]) -> dict[str, Any]:
    kind, text = part["kind"], part["text"]
    if kind in ("stdout", "stderr"):
        return {"output_type": "stream", "name": kind, "text": text}
    if kind == "error":
        lines = text.splitlines()
        name, _, value = (lines[-1] if lines else "").partition(": ")
        return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}
    # Text alone: whatever else a student's object can draw itself as could carry a script.
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


def safe_markdown(text: str) -> str:
    """A student's prose with no HTML in it, and with no address that is fetched or that runs."""
    # MathJax, in formgrader's pages, makes links and attributes of these.
    text = re.sub(r"\\(?=(?:href|url|require|style|class|cssId|data|html\w*)\b)", r"\\ ", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = text.replace("![", "[")
    if text.count("\\begin{") > _FORMULAS:
        text = text.replace("\\begin{", "\\ begin{")
    return re.sub(r"(\]\s*[\(:]\s*<?\s*)(?!https?://|mailto:|#|[\w./-]+\s*\))", r"\1unsafe:", text)


# ---------------------------------------------------------------- nbgrader's own command


class MarkingExporter(NotebookExporter):
    """In place of the exporter that reads a submission: marks it, and gives it on as marked.

    The first pass of `nbgrader autograde` reads from the folder of submissions, the second what the
    first has written; only the first is ours.
    """

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> Any:
        from grader.classroom import Classroom

        about = (resources or {}).get("nbgrader", {})
        room = Classroom.open(Path.cwd())  # where nbgrader's converters work
        path = Path(filename)
        if not path.resolve().parent.is_relative_to(room.submitted.resolve()):
            return super().from_filename(filename, resources, **kwargs)
        record, plan = room.mark_one(about["assignment"], about["student"])
        return self.from_notebook_node(assemble(record, plan, room.links), resources, **kwargs)


class SaveScores(NbGraderPreprocessor):
    """In place of `SaveAutoGrades`: the scores come from the record, not from what was printed."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        from grader.classroom import Classroom

        about = resources["nbgrader"]
        room = Classroom.open(Path.cwd())
        record, plan = room.mark_one(about["assignment"], about["student"])
        with Gradebook(about["db_url"]) as gradebook:
            timestamp = room.timestamp(about["assignment"], about["student"])
            enter(gradebook, [Entry(record, plan, timestamp)], self.config)
        return nb, resources
