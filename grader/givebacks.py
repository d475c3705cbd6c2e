"""What leaves a class: feedback pages for the students, and the grades as CSV."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from tqdm import tqdm

from grader.classroom import Classroom


def give_back(room: Classroom, student: str | None = None) -> int:
    """Make the feedback pages of all marked hand-ins by nbgrader; the number of pages."""
    from nbgrader.converters import GenerateFeedback

    marked = [
        hand_in
        for hand_in in room.hand_ins(student=student)
        if (room.autograded / hand_in.student / hand_in.slug).is_dir()
    ]
    for hand_in in tqdm(marked, unit="page", disable=None, leave=False):
        room.convert(GenerateFeedback, hand_in.slug, hand_in.student)
    return len(marked)


def export(room: Classroom, to: Path | None = None) -> Path:
    """Write the gradebook as CSV by nbgrader's own exporter."""
    from nbgrader.plugins import CsvExportPlugin

    target = (to or room.root / "grades.csv").absolute()
    handle, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        with room.gradebook() as gradebook:
            CsvExportPlugin(config=room.config(), to=partial).export(gradebook)
        shutil.copymode(room.root / "README.txt", partial)
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise
    return target
