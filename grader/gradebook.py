"""Put marks where nbgrader's own tools look for them: its gradebook and its autograded notebooks.

`grader mark` and `nbgrader autograde` both end here, so they cannot disagree. The configuration of
a class (`nbgrader_config.configure`) makes nbgrader's own command use the two classes at the end.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor
from sqlalchemy.exc import SAWarning

from grader import record as records
from grader.marking import CellRun
from grader.plan import Plan, Planned
from grader.report import Report

#: The key of a notebook's metadata under which the name of its record is kept.
MARK = "gatedrnn"


def put_interpreter_first() -> None:
    """nbgrader starts `alembic` by name: let it find the one beside this interpreter."""
    here = str(Path(sys.executable).parent)
    parts = os.environ.get("PATH", "").split(os.pathsep)
    if parts[0] != here:
        os.environ["PATH"] = os.pathsep.join([here, *parts])


# ---------------------------------------------------------------- scores


def enter(
    gradebook: Gradebook,
    record: dict[str, Any],
    plan: Plan,
    timestamp: datetime.datetime | None,
) -> SubmittedNotebook:
    """Write a record's scores for every graded cell of the assignment, in one transaction.

    What a person has added (scores, comments, extra credit) stays; a score that a person gave is
    marked as to be looked at again.
    """
    slug, student = record["unit"], record["student"]
    gradebook.update_or_create_student(student)
    with warnings.catch_warnings():
        # nbgrader builds a submission's rows before it adds them, and SQLAlchemy says so each time.
        warnings.filterwarnings("ignore", message="Object of type", category=SAWarning)
        submission = gradebook.update_or_create_submission(slug, student)
    submission.timestamp = timestamp
    notebook = gradebook.find_submission_notebook(slug, slug, student)
    earned = records.scores(record)
    human = record["status"] != "marked"
    for grade in notebook.grades:
        manual = grade.cell.type == "TaskCell" or grade.name not in earned
        if manual and not human:
            grade.needs_manual_grade = grade.manual_score is None
            continue
        grade.auto_score = earned.get(grade.name, 0.0)
        grade.needs_manual_grade = human or grade.manual_score is not None
    answers = {cell.name: cell for cell in plan.cells if cell.role == "answer"}
    for comment in notebook.comments:
        comment.auto_comment = _comment(answers.get(comment.name))
    notebook.late_submission_penalty = None
    gradebook.db.commit()
    return notebook


def _comment(answer: Planned | None) -> str | None:
    blank = answer is None or answer.course is None or answer.source == answer.course.source
    return "No response." if blank else None


def penalise(gradebook: Gradebook, notebook: SubmittedNotebook, config: Any) -> None:
    """Set the late penalty by the plugin that the class's configuration names."""
    late = notebook.assignment.total_seconds_late
    if late <= 0:
        return
    rule = AssignLatePenalties(config=config)
    rule.init_plugin()
    penalty = rule.plugin_inst.late_submission_penalty(notebook.student.id, notebook.score, late)
    if penalty is not None:
        notebook.late_submission_penalty = rule._check_late_penalty(notebook, penalty)
        gradebook.db.commit()


def entered(gradebook: Gradebook, slug: str) -> dict[str, tuple[dict[str, float], Any]]:
    """Student -> the scores and the time of handing in that the gradebook holds for a unit."""
    from nbgrader.api import Assignment, BaseCell, Grade, SubmittedAssignment

    # Columns alone: as objects, each row would be a dozen, with queries of their own.
    rows = (
        gradebook.db.query(
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            BaseCell.name,
            Grade.auto_score,
        )
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .filter(Assignment.name == slug)
    )
    found: dict[str, tuple[dict[str, float], Any]] = {}
    for student, timestamp, name, score in rows:
        found.setdefault(student, ({}, timestamp))[0][name] = score
    return found


# ---------------------------------------------------------------- the autograded notebook


def assemble(record: dict[str, Any], plan: Plan, links: dict[str, str]) -> NotebookNode:
    """The notebook as marked: the student's cells with what they showed, a report in each check."""
    reports = records.reports(record, links)
    cells = [
        _cell(index, cell, run, reports)
        for index, (cell, run) in enumerate(zip(plan.cells, records.runs(record), strict=True))
    ]
    if record["status"] != "marked":
        words = f"**This hand-in was not marked.** {record['reason']}"
        cells.insert(0, nbformat.v4.new_markdown_cell(words, id="note-on-marking"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            MARK: {"record": record["key"]},
        }
    )
    return notebook


def _cell(index: int, cell: Planned, run: CellRun, reports: dict[str, Report]) -> NotebookNode:
    name = cell.name or f"own-{index}"
    if cell.kind != "code":
        source = cell.source if cell.course is not None else safe_markdown(cell.source)
        made = nbformat.v4.new_markdown_cell(source)
    elif cell.role == "check":
        made = nbformat.v4.new_code_cell(cell.source, outputs=_report_output(reports.get(name)))
    else:
        made = nbformat.v4.new_code_cell(cell.source, outputs=_outputs(run))
    made.id = name
    if cell.course is not None:
        made.metadata = nbformat.from_dict(cell.course.metadata)
    return made


def _report_output(report: Report | None) -> list[NotebookNode]:
    if report is None:
        return []
    data = {"text/plain": repr(report), "text/html": report._repr_html_()}
    return [nbformat.v4.new_output("execute_result", data=data, execution_count=None)]


def _outputs(run: CellRun) -> list[NotebookNode]:
    outputs = [_output(part) for part in run.shown]
    words = {
        "timeout": "This cell ran too long and was stopped; marking went on without it.",
        "crashed": "This cell ended the process that ran it; marking went on without it.",
    }.get(run.status)
    if run.cut:
        words = "The rest of what this cell showed was cut."
    if words:
        outputs.append(nbformat.v4.new_output("stream", name="stderr", text=words + "\n"))
    return outputs


def _output(part: dict[str, str]) -> NotebookNode:
    kind, text = part["kind"], part["text"]
    if kind in ("stdout", "stderr"):
        return nbformat.v4.new_output("stream", name=kind, text=text)
    if kind == "error":
        lines = text.splitlines()
        name, _, value = (lines[-1] if lines else "").partition(": ")
        return nbformat.v4.new_output("error", ename=name, evalue=value, traceback=lines)
    # Text alone: whatever else a student's object can draw itself as could carry a script.
    return nbformat.v4.new_output("display_data", data={"text/plain": text})


def safe_markdown(text: str) -> str:
    """A student's prose with no HTML in it, and with no address that is fetched or that runs."""
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = text.replace("![", "[")
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
            enter(gradebook, record, plan, timestamp)
        return nb, resources
