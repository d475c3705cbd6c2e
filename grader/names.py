"""Whose a file is and of which unit: how learning platforms, file managers and students spell it.

| from | form |
|---|---|
| Moodle | `Full Name_123_assignsubmission_file_/anything.ipynb`, or the same as one file name |
| Canvas | `doejane_LATE_123_456_anything-1.ipynb`, where 123 is the person's number in Canvas |
| by hand | `STUDENT/UNIT.ipynb`, `STUDENT/UNIT/UNIT.ipynb`, `STUDENT_UNIT.ipynb`, `STUDENT.zip` |

A platform's form is written by the platform and always wins: the rest is the student's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from grader.files import brief
from grader.unpack import NOTEBOOK

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_|$)")
_CANVAS = re.compile(r"(?P<name>.+?)(?:_LATE)?_(?P<id>\d+)_\d+_")
_COPY = re.compile(
    r"(?:[\s_-]*\(\d{1,3}\)|[\s_-]+(?:copy|kopie|copie|copia)|[\s_-]*-\d{1,3})+$", re.I
)
_COPY_OF = re.compile(r"^(?:copy of|kopie von|copie de|copia de)\s+", re.I)
_WINDOWS = {"con", "prn", "aux", "nul", *(f"{x}{i}" for x in ("com", "lpt") for i in range(10))}


class Unclear(ValueError):
    """A name that does not say enough; the message says what was expected."""


@dataclass(frozen=True)
class Person:
    """Someone as the source names them; `key` is the same for the same person."""

    name: str
    key: str
    canvas_id: str = ""


@dataclass(frozen=True)
class Known:
    """A student of the class, from its gradebook or its folders."""

    student: str
    first_name: str = ""
    last_name: str = ""
    lms_user_id: str = ""


# ---------------------------------------------------------------- who


def person(outer: PurePosixPath, slugs: Sequence[str], roster: Roster) -> Person:
    """Who handed in the file at `outer`; raises Unclear."""
    for part in outer.parts[:-1]:
        if match := _MOODLE.fullmatch(part):
            return Person(match["name"], part)
    moodle, canvas = _MOODLE.match(outer.name), _CANVAS.match(outer.name)
    # A student can write the other platform's form into the rest of the name: the first one counts.
    if canvas and not (moodle and moodle.end("name") <= canvas.end("name")):
        return Person(canvas["name"], f"canvas {canvas['id']}", canvas["id"])
    if moodle:
        return Person(moodle["name"], moodle[0])
    name = _by_hand(outer, slugs, roster)
    return Person(name, f"name {_letters(name) or name}")


def _by_hand(outer: PurePosixPath, slugs: Sequence[str], roster: Roster) -> str:
    folders = [_without_unit(part, slugs) for part in outer.parts[:-1]]
    folders = [name for name in folders if name]
    stem = _stem(outer.name)
    before = _without_unit(stem, slugs)
    if before == stem and (folders or outer.suffix.lower() != ".zip"):
        before = ""  # the student's own name for the file
    if len(folders) > 1:
        folders = [name for name in folders if roster.knows(name)] or folders
    said = {_letters(name): name for name in [*folders, before] if name}
    if len(said) > 1:
        raise Unclear(
            f"it could be of {' or of '.join(map(repr, said.values()))}; expected one name of a "
            "student. If a folder around it is no student's, collect from that folder itself."
        )
    if not said:
        raise Unclear(
            "its place names no student; expected STUDENT/UNIT.ipynb, STUDENT_UNIT.ipynb, or a "
            "download from Canvas or Moodle."
        )
    return next(iter(said.values()))


def _without_unit(text: str, slugs: Sequence[str]) -> str:
    found = _unit_of(text, slugs)
    return text if found is None else found[1]


def clean(name: str) -> str:
    """A name as a student's folder, here and in nbgrader; raises Unclear when nothing is left."""
    name = unicodedata.normalize("NFC", name)
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C")
    name = re.sub(r'[/\\:*?"<>|\[\]{}]', "_", re.sub(r"\s+", " ", name)).strip(" .")
    if not name or name.startswith("-") or len(name.encode()) > 100:
        raise Unclear(
            f"the name {brief(name)!r} cannot be a student's folder; rename it and try again."
        )
    return name + "_" if name.lower() in _WINDOWS else name


class Roster:
    """The students of a class, found by the names that others give them."""

    def __init__(self, known: Iterable[Known]) -> None:
        self.by_id: dict[str, str] = {}
        self.by_lms: dict[str, set[str]] = {}
        self.by_letters: dict[str, set[str]] = {}
        for one in known:
            self.by_id[unicodedata.normalize("NFC", one.student)] = one.student
            if one.lms_user_id:
                self.by_lms.setdefault(one.lms_user_id, set()).add(one.student)
            full = (one.first_name + one.last_name, one.last_name + one.first_name)
            for text in {_letters(t) for t in (one.student, *full)} - {""}:
                self.by_letters.setdefault(text, set()).add(one.student)

    def find(self, who: Person) -> tuple[str, bool]:
        """The student's id, and whether the class knows it; raises Unclear for two it could be."""
        name = clean(who.name)
        found = self.by_lms.get(who.canvas_id, set()) if who.canvas_id else set()
        if not found and name in self.by_id:
            return self.by_id[name], True
        found = found or self.by_letters.get(_letters(name), set())
        if len(found) > 1:
            raise Unclear(f"{who.name!r} could be {' or '.join(sorted(found))}; place it by hand.")
        return (next(iter(found)), True) if found else (name, False)

    def knows(self, name: str) -> bool:
        """Whether a name is one student's, or several's, of the class."""
        return name in self.by_id or _letters(name) in self.by_letters


def _letters(text: str) -> str:
    """Letters and digits alone, without accents and case: what is left when a platform is done."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if c.isalnum())


# ---------------------------------------------------------------- which unit


def unit(place: PurePosixPath, slugs: Sequence[str]) -> str | None:
    """The unit that a file's name says, or the nearest folder or zip around it; None for none."""
    for part in reversed(place.parts):
        rest = part[match.end() :] if (match := _CANVAS.match(part)) else part
        found = _unit_of(_stem(rest), slugs)
        if found is not None:
            return found[0]
    return None


def copy_number(place: PurePosixPath) -> int:
    """The number that a browser or a platform has put behind a second file of the same name."""
    numbers = re.findall(r"[(-](\d{1,3})\)?(?=\.ipynb)", place.name, re.I)
    return int(numbers[-1]) if numbers else 0


def _stem(name: str) -> str:
    name = re.sub(r"\.zip$", "", NOTEBOOK.sub("", name), flags=re.I)
    return unicodedata.normalize("NFC", name).strip()


def _unit_of(stem: str, slugs: Sequence[str]) -> tuple[str, str] | None:
    """The unit that ends a stem, and what stands before it; without marks of copying if need be."""
    for text in dict.fromkeys((_COPY_OF.sub("", _COPY.sub("", stem)), stem)):
        for slug in sorted(slugs, key=len, reverse=True):
            words = r"[\W_]+".join(map(re.escape, slug.split("_")))
            if match := re.fullmatch(rf"(?:(.*?)[\W_]+)?{words}", text, re.I):
                return slug, (match[1] or "").strip()
    return None
