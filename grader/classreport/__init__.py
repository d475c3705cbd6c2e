"""The report on a class: one page, and the same as CSV and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.classreport import similar
from grader.classreport.gather import gather
from grader.classreport.page import page
from grader.classreport.tables import write_tables
from grader.classroom import Classroom
from grader.files import sweep, write_text

__all__ = ["write_report"]


def write_report(room: Classroom, slugs: list[str], folder: Path) -> dict[str, Any]:
    """Write report.html, report.json and a CSV for each table to `folder`; what they say."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    alike = {slug: similar.find(room, room.hand_ins([slug])) for slug in slugs}
    found = gather(room, slugs, folder, alike)
    write_text(folder / "report.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_tables(found, folder)
    write_text(folder / "report.html", page(found, alike))
    return found
