"""The pages that students get back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from nbgrader.converters import GenerateFeedback, NbGraderException
from tqdm import tqdm

from grader.classroom import ClassFault, Classroom
from grader.files import brief, of_one_file


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


def give_back(room: Classroom, student: str | None = None) -> tuple[int, list[str]]:
    """Make the feedback pages of all marked hand-ins by nbgrader.

    The number of pages, and a sentence for each one that could not be made.
    """
    marked = [
        hand_in
        for hand_in in room.hand_ins(student=student)
        if os.path.isdir(room.autograded / hand_in.student / hand_in.slug)
    ]
    faults = []
    for hand_in in tqdm(marked, unit="page", disable=None, leave=False):
        try:
            name = hand_in.student
            if "\n" in name or name != name.strip():
                # nbgrader takes these away, or for the end, and would find classmates.
                raise ClassFault(
                    "nbgrader cannot look for a name with a line break or with spaces around it."
                )
            room.convert(_OneFolder, hand_in.slug, hand_in.student)
        except (ClassFault, OSError) as error:
            if isinstance(error, OSError) and not of_one_file(error):
                raise
            for number in (errno.ENOSPC, errno.EROFS):  # of all pages, and not of this one
                if f"[Errno {number}]" in str(error):
                    place = str(room.root / "feedback")
                    raise OSError(number, os.strerror(number), place) from None
            who = f"{brief(hand_in.student)!r} in {hand_in.slug!r}"
            faults.append(f"The page of {who} could not be made: {brief(str(error), 300)}")
    return len(marked) - len(faults), faults
