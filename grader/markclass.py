"""Mark what has been handed in to a class: in parallel, once for each content, one writer.

Records are made by several processes; the gradebook is written by this one alone. Stopped anywhere,
it goes on from there when it is called again: what has a record is not marked twice, and what is in
the gradebook already is left alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from grader.classroom import Classroom, HandIn
from grader.pool import Crew, Here, Local, do_all


@dataclass
class Outcome:
    """What one run of `mark_class` came to."""

    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    marked: int = 0
    kept: int = 0
    entered: int = 0


def mark_class(
    room: Classroom,
    slugs: list[str] | None = None,
    student: str | None = None,
    *,
    jobs: int | None = None,
    seed: int | None = None,
    show: Callable[[str], None] | None = None,
) -> Outcome:
    """Mark all hand-ins, or those to some units or of one student, and enter them."""
    hand_ins = room.hand_ins(slugs, student)
    for slug in dict.fromkeys(h.slug for h in hand_ins):
        room.unit(slug)  # a fault of the course speaks before anything is marked
    outcome = Outcome()
    todo: list[HandIn] = []
    for hand_in in hand_ins:
        found = room.record_of(hand_in)
        if found is None:
            todo.append(hand_in)
        else:
            outcome.records[hand_in.student, hand_in.slug] = found
            outcome.kept += 1
    with room.gradebook() as gradebook:
        _enter_kept(room, gradebook, hand_ins, outcome)
        if not todo:
            return outcome
        bar = tqdm(total=len(todo), unit="hand-in", disable=None, leave=False)
        with bar, contextlib.closing(_crew(room, len(todo), jobs)) as crew:
            for hand_in, made in _judge_all(room, todo, crew, seed):
                bar.set_postfix_str(f"{hand_in.student} {hand_in.slug}")
                room.enter(gradebook, hand_in, made)
                outcome.records[hand_in.student, hand_in.slug] = made
                outcome.marked += 1
                outcome.entered += 1
                bar.update()
                if show is not None:
                    with bar.external_write_mode():
                        show(line(hand_in, made))
    return outcome


def _enter_kept(room: Classroom, gradebook: Any, hand_ins: list[HandIn], outcome: Outcome) -> None:
    """Bring the gradebook in step with records that were there before."""
    from grader.gradebook import entered

    known: dict[str, Any] = {}
    for hand_in in hand_ins:
        made = outcome.records.get((hand_in.student, hand_in.slug))
        if made is None:
            continue
        if hand_in.slug not in known:
            known[hand_in.slug] = entered(gradebook, hand_in.slug)
        if not room.is_entered(known[hand_in.slug], hand_in, made):
            room.enter(gradebook, hand_in, made)
            outcome.entered += 1


def line(hand_in: HandIn, made: dict[str, Any]) -> str:
    """One line about one mark."""
    from grader.record import notes
    from grader.report import number

    points = f"{number(made['earned'])} of {number(made['worth'])}"
    said = "; ".join(notes(made))
    return f"{hand_in.student:<20} {hand_in.slug:<12} {points:>10}  {said[:160]}".rstrip()


# ---------------------------------------------------------------- judging


def _judge_all(
    room: Classroom, todo: list[HandIn], crew: Crew, seed: int | None
) -> Iterator[tuple[HandIn, dict[str, Any]]]:
    jobs = ((hand_in, room.job(hand_in, seed)) for hand_in in todo)
    for hand_in, made in do_all(crew, jobs):
        yield hand_in, room.keep(hand_in, made)


def _crew(room: Classroom, todo: int, jobs: int | None) -> Crew:
    """Who marks: processes beside this one, or this one."""
    size = min(jobs or os.cpu_count() or 1, todo)
    return Here(room.factory) if size <= 1 else Local(size, type(room.factory))
