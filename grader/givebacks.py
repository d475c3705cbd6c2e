"""The pages that students get back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nbgrader.converters import GenerateFeedback, NbGraderException
from tqdm import tqdm

from grader.classroom import ClassFault, Classroom
from grader.files import printable


class _OneFolder(GenerateFeedback):
    """nbgrader's converter for one student, whose name may hold what is a pattern to nbgrader."""

    def init_notebooks(self) -> None:
        folder = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        found = sorted(str(path) for path in Path(folder).glob("*.ipynb"))
        if not found:
            self.log.error("there is no marked notebook in %s", folder)
            raise NbGraderException
        self.assignments: dict[str, list[str]] = {folder: found}
        self.notebooks: list[str] = []


def give_back(
    room: Classroom, student: str | None = None, say: Callable[[str], None] = print
) -> int:
    """Make the feedback pages of all marked hand-ins by nbgrader; the number of pages.

    `say` is given a sentence for each page that nbgrader cannot make; the others are made.
    """
    marked = [
        hand_in
        for hand_in in room.hand_ins(student=student)
        if (room.autograded / hand_in.student / hand_in.slug).is_dir()
    ]
    made = 0
    for hand_in in tqdm(marked, unit="page", disable=None, leave=False):
        try:
            room.convert(_OneFolder, hand_in.slug, hand_in.student)
            made += 1
        except ClassFault as fault:
            say(f"No page for {printable(hand_in.student)}: {printable(str(fault))[:300]}")
    return made
