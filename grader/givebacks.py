"""The pages that students get back."""

from __future__ import annotations

import errno
import glob
import os

from tqdm import tqdm

from grader.classroom import ClassFault, Classroom
from grader.files import brief, of_one_file


def give_back(room: Classroom, student: str | None = None) -> tuple[int, list[str]]:
    """Make the feedback pages of all marked hand-ins by nbgrader.

    The number of pages, and a sentence for each one that could not be made.
    """
    from nbgrader.converters import GenerateFeedback

    marked = [
        hand_in
        for hand_in in room.hand_ins(student=student)
        if os.path.isdir(room.autograded / hand_in.student / hand_in.slug)
    ]
    faults = []
    for hand_in in tqdm(marked, unit="page", disable=None, leave=False):
        try:
            name = hand_in.student
            if glob.has_magic(name) or "\n" in name or name != name.strip():
                # nbgrader takes these for a pattern, or away, and would find classmates.
                raise ClassFault(
                    "nbgrader cannot look for a name with * ? [, a line break, or spaces around it."
                )
            room.convert(GenerateFeedback, hand_in.slug, hand_in.student)
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
