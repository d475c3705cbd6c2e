"""The pages that students get back."""

from __future__ import annotations

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
