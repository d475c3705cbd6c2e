"""What a class's `nbgrader_config.py` sets: nbgrader's own commands then mark alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader.student import BLANK

TEMPLATES = Path(__file__).with_name("templates")


def configure(c: Any) -> None:
    """Set nbgrader's configuration `c` for a class of this course."""
    from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata

    from grader.feedback import FeedbackExporter
    from grader.gradebook import MarkingExporter, SaveScores, put_interpreter_first

    put_interpreter_first()
    c.CourseDirectory.course_id = "gatedrnn"
    # A text source beside a notebook would be handed out with it.
    c.CourseDirectory.ignore = [
        ".ipynb_checkpoints", "*.pyc", "__pycache__", "*.md", "*.py", ".DS_Store",
    ]  # fmt: skip
    c.ClearSolutions.code_stub = {
        "python": f'# Your code here.\nraise NotImplementedError("{BLANK}")'
    }
    c.Autograde.exporter_class = MarkingExporter
    c.Autograde.sanitize_preprocessors = []
    c.Autograde.autograde_preprocessors = [SaveScores, AssignLatePenalties, CheckCellMetadata]
    c.GenerateFeedback.exporter_class = FeedbackExporter
    c.FeedbackExporter.template_name = "grader_feedback"
    c.FeedbackExporter.extra_template_basedirs = [str(TEMPLATES)]
    c.ExecutePreprocessor.timeout = 180
