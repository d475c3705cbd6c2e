"""Take hand-ins from a folder or a zip, as learning platforms write them, into a class.

Every notebook that is taken is kept under `collected/` by its content, and so is what it replaces:
a later hand-in replaces an earlier one for marking, and yet nothing is lost. Stopped anywhere, the
same command goes on from there.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from grader import names, submission
from grader.classroom import ClassFault, Classroom
from grader.files import sweep, write_bytes, write_text
from grader.names import Known, Person, Roster, Unclear
from grader.unpack import Found, files, top_folder

_LOG = "log.jsonl"


@dataclass(frozen=True)
class _Candidate:
    """A notebook that has been kept and could be placed."""

    student: str
    slug: str
    who: Person
    place: PurePosixPath
    when: datetime.datetime
    digest: str
    note: str = ""

    @property
    def order(self) -> tuple[datetime.datetime, int, str]:
        return self.when, names.copy_number(self.place), str(self.place)


def collect(room: Classroom, source: Path, replace: bool = False) -> tuple[list[str], list[str]]:
    """Place every notebook of `source`; what was placed, and what was not and why, in words.

    What is older than the hand-in that lies there is only placed with `replace`. Raises ClassFault
    when nothing has been released, or when `source` is neither a folder nor a zip.
    """
    slugs = room.released()
    if not slugs:
        raise ClassFault(f"Nothing has been released yet: `grader release {room.root}`.")
    for folder in (room.root / "collected", room.submitted):
        sweep(folder, 2)
    if room.root.is_relative_to(source.resolve()):
        raise ClassFault(f"{source} holds the class itself; name the folder or zip of hand-ins.")
    roster, placed, unplaced = Roster(_known(room)), [], []
    candidates: dict[tuple[str, str], list[_Candidate]] = {}
    around: str | None = None
    for found in files(source):
        if around is None:
            around = top_folder(source)
            around = "" if roster.knows(around) else around
        try:
            one = _candidate(room, found, slugs, roster, around)
        except Unclear as error:
            unplaced.append(_line(found.place, str(error)))
            continue
        candidates.setdefault((one.student, one.slug), []).append(one)
    canvas = _canvas_ids(room)
    for (student, _), mine in sorted(candidates.items()):
        people = sorted({one.who.key for one in mine})
        if len(people) > 1:
            words = f"{len(people)} people would be {student!r} here; place them by hand."
            unplaced += [_line(one.place, words) for one in mine]
            continue
        *older, one = sorted(mine, key=lambda c: c.order)
        unplaced += [
            _line(c.place, f"{student} has a later one, {_shown(one.place)}; it is kept aside.")
            for c in older
            if c.digest != one.digest
        ]
        before = canvas.get(student, one.who.canvas_id)
        if one.who.canvas_id and before != one.who.canvas_id:
            words = f"{student!r} is another person in Canvas, number {before}; place it by hand."
            unplaced.append(_line(one.place, words))
            continue
        try:
            placed.append(_place(room, one, replace))
        except Unclear as error:
            unplaced.append(_line(one.place, str(error)))
    return placed, unplaced


def _known(room: Classroom) -> Iterator[Known]:
    with room.gradebook() as gradebook:
        for one in gradebook.students:
            yield Known(one.id, one.first_name or "", one.last_name or "", one.lms_user_id or "")
    yield from map(Known, room.students())


def _candidate(
    room: Classroom, found: Found, slugs: list[str], roster: Roster, around: str
) -> _Candidate:
    """Whose it is and of which unit; its bytes are kept. Raises Unclear."""
    if found.data is None:
        raise Unclear(found.reason)
    outer = found.outer
    if around and outer.parts[0] == around:
        outer = PurePosixPath(*outer.parts[1:])
    who = names.person(outer, slugs, roster)
    slug, note = _unit(room, found, slugs)
    student, known = roster.find(who)
    digest = _keep(room, slug, student, found.data)
    note = "; ".join(filter(None, (note, "" if known else "not in the gradebook before")))
    return _Candidate(student, slug, who, found.place, found.when, digest, note)


def _unit(room: Classroom, found: Found, slugs: list[str]) -> tuple[str, str]:
    """The unit that the name says; the one whose cells it holds, where these belong to another."""
    said = names.unit(found.place, slugs)
    holds = _holds(room, found.data or b"", slugs)
    if len(holds) == 1 and said not in holds:
        (slug,) = holds
        return slug, f"named {said!r}, holds {slug!r}" if said else ""
    if said is None:
        raise Unclear(f"it names no unit and holds none; expected one of {', '.join(slugs)}.")
    return said, ""


def _holds(room: Classroom, data: bytes, slugs: list[str]) -> set[str]:
    """The units whose check cells a notebook has."""
    try:
        ids = {cell.grade_id for cell in submission.parse(data).cells}
    except submission.Unreadable:
        return set()
    return {slug for slug in slugs if ids.intersection(room.unit(slug).points)}


# ---------------------------------------------------------------- files


def _keep(room: Classroom, slug: str, student: str, data: bytes) -> str:
    """Keep bytes under `collected/`; their SHA-256."""
    digest = hashlib.sha256(data).hexdigest()
    kept = _kept(room, slug, student, digest)
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        write_bytes(kept, data)
    return digest


def _kept(room: Classroom, slug: str, student: str, digest: str) -> Path:
    return room.root / "collected" / slug / student / f"{digest[:16]}.ipynb"


def _place(room: Classroom, one: _Candidate, replace: bool) -> str:
    data = _kept(room, one.slug, one.student, one.digest).read_bytes()
    target = room.hand_in_path(one.slug, one.student)
    for path in (target.parent.parent, target.parent):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise Unclear(f"{path} is in its way and is no folder; move that away.")
    if target.is_dir():
        raise Unclear(f"{target} is in its way and is a folder; move that away.")
    regular = target.is_file() and not target.is_symlink()
    before = target.read_bytes() if regular else None
    word = "unchanged" if before == data else "new" if before is None else "replaces"
    if word == "replaces":
        there = room.timestamp(one.slug, one.student)
        if there is not None and _naive(one.when) < there and not replace:
            raise Unclear(
                f"{one.student} has a later one there, of {there:%Y-%m-%d %H:%M} UTC; this one is "
                "kept aside, and --replace takes it all the same."
            )
        _keep(room, one.slug, one.student, before or b"")
    if word != "unchanged":
        target.parent.mkdir(parents=True, exist_ok=True)
        # The time first: stopped between the two, the next run still sees another notebook.
        write_text(target.parent / "timestamp.txt", f"{_naive(one.when):%Y-%m-%d %H:%M:%S} UTC\n")
        write_bytes(target, data)
        _log(room, one)
    note = f"  ({one.note})" if one.note else ""
    return f"{one.student:<20} {one.slug:<12} {word:<10} {_shown(one.place)}{note}"


def _naive(when: datetime.datetime) -> datetime.datetime:
    """UTC without a zone, as nbgrader keeps times; whole seconds, as `timestamp.txt` has them."""
    return when.astimezone(datetime.UTC).replace(tzinfo=None, microsecond=0)


def _log(room: Classroom, one: _Candidate) -> None:
    said = {
        "student": one.student, "unit": one.slug, "sha256": one.digest, "place": str(one.place),
        "when": one.when.isoformat(), "canvas_id": one.who.canvas_id,
    }  # fmt: skip
    with (room.root / "collected" / _LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(said) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _canvas_ids(room: Classroom) -> dict[str, str]:
    """Student -> the number in Canvas under which hand-ins of theirs came before."""
    try:
        lines = (room.root / "collected" / _LOG).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    known: dict[str, str] = {}
    for line in lines:
        try:
            said: dict[str, Any] = json.loads(line)
        except ValueError:  # a line that was being written when the machine stopped
            continue
        if said.get("canvas_id"):
            known[said["student"]] = said["canvas_id"]
    return known


# ---------------------------------------------------------------- words


def _line(place: PurePosixPath, words: str) -> str:
    return f"{_shown(place)}: {words}"


def _shown(place: PurePosixPath) -> str:
    """A name from an archive as a terminal may see it: no control signs, not endless."""
    text = "".join(c if c.isprintable() else "?" for c in str(place))
    return text if len(text) <= 160 else text[:80] + "…" + text[-79:]
