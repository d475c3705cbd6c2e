"""Take hand-ins from a folder or a zip, as learning platforms write them, into a class.

Every file that is taken is kept under `collected/` by its content, so a later hand-in replaces an
earlier one for marking and yet loses nothing.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.classroom import ClassFault, Classroom
from grader.files import write_bytes, write_text
from grader.submission import MAX_BYTES

_MAX_FILES = 20_000
#: What Moodle adds to a student's folder, and Canvas to a file's name.
_MOODLE = re.compile(r"_\d+_assignsubmission_(file|onlinetext)_?$")
_CANVAS = re.compile(r"(_LATE)?_\d+_\d+$")


@dataclass(frozen=True)
class Found:
    """A file with its place in the folder or zip, its bytes, and when it was last changed."""

    place: PurePosixPath
    data: bytes | None
    when: datetime.datetime
    reason: str = ""


def collect(room: Classroom, source: Path) -> tuple[list[str], list[str]]:
    """Place every notebook of `source`; what was placed, and what was not and why, in words."""
    placed, unplaced = [], []
    slugs = room.released()
    if not slugs:
        raise ClassFault(f"Nothing has been released yet: `grader release {room.root}`.")
    for found in sorted(_files(source), key=lambda f: (f.when, str(f.place))):
        whose = _whose(found.place, slugs)
        if found.data is None:
            unplaced.append(f"{found.place}: {found.reason}")
        elif whose is None:
            unplaced.append(
                f"{found.place}: expected STUDENT/UNIT.ipynb or STUDENT_UNIT.ipynb, with a unit of "
                f"{', '.join(slugs)}."
            )
        else:
            placed.append(_place(room, *whose, found))
    return placed, unplaced


def _place(room: Classroom, student: str, slug: str, found: Found) -> str:
    assert found.data is not None
    digest = hashlib.sha256(found.data).hexdigest()
    kept = room.root / "collected" / slug / student / f"{digest[:16]}.ipynb"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        write_bytes(kept, found.data)
    target = room.hand_in_path(slug, student)
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.read_bytes() if target.is_file() and not target.is_symlink() else None
    word = "unchanged" if before == found.data else "new" if before is None else "replaces"
    if word != "unchanged":
        write_bytes(target, found.data)
        stamp = found.when.strftime("%Y-%m-%d %H:%M:%S UTC\n")
        write_text(target.parent / "timestamp.txt", stamp)
    return f"{student:<20} {slug:<12} {word:<10} {found.place}"


# ---------------------------------------------------------------- whose and which


def _whose(place: PurePosixPath, slugs: list[str]) -> tuple[str, str] | None:
    """The student and the unit that a path names."""
    stem = re.sub(r"[ _-]?\(?\d{0,3}\)?$", "", place.stem) or place.stem
    folders = [part for part in place.parts[:-1]]
    for slug in sorted(slugs, key=len, reverse=True):
        match = re.fullmatch(rf"(?:(.*)[ _\-.+@])?{re.escape(slug)}", stem, re.I)
        inside = bool(folders) and folders[-1].lower() == slug.lower()
        if match is None and not inside:
            continue
        before = match.group(1) if match is not None else None
        above = [part for part in folders if part.lower() != slug.lower()]
        name = _CANVAS.sub("", before) if before else above[-1] if above else ""
        name = _MOODLE.sub("", name).strip()
        if _usable(name):
            return name, slug
    return None


def _usable(name: str) -> bool:
    """Whether a name can be a student's folder, here and in nbgrader."""
    bad = not name or name.startswith(".") or len(name.encode()) > 100
    return not bad and not re.search(r'[/\\:*?"<>|\x00-\x1f\x7f]', name)


# ---------------------------------------------------------------- where the files are


def _files(source: Path) -> Iterator[Found]:
    if not source.exists():
        raise ClassFault(f"There is no {source} to collect from.")
    if source.is_dir():
        yield from _in_folder(source)
    elif zipfile.is_zipfile(source):
        yield from _in_zip(source)
    else:
        raise ClassFault(f"{source} is neither a folder nor a zip.")


def _in_folder(source: Path) -> Iterator[Found]:
    for folder, names, files in os.walk(source):
        names[:] = [n for n in names if n not in (".ipynb_checkpoints", "__MACOSX")]
        for name in files:
            path = Path(folder, name)
            if not name.endswith(".ipynb") or name.startswith("._"):
                continue
            place = PurePosixPath(path.relative_to(source).as_posix())
            info = path.lstat()
            when = datetime.datetime.fromtimestamp(info.st_mtime, datetime.UTC)
            if not stat.S_ISREG(info.st_mode):
                yield Found(place, None, when, "it is not a regular file.")
            elif info.st_size > MAX_BYTES:
                yield Found(place, None, when, "it is too large to be a notebook.")
            else:
                yield Found(place, path.read_bytes(), when)


def _in_zip(source: Path) -> Iterator[Found]:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if len(members) > _MAX_FILES:
            raise ClassFault(f"{source} holds more than {_MAX_FILES:,} files.")
        for member in members:
            place = PurePosixPath(member.filename.replace("\\", "/"))
            if member.is_dir() or place.suffix != ".ipynb" or place.name.startswith("._"):
                continue
            when = datetime.datetime(*member.date_time, tzinfo=datetime.UTC)
            try:
                with archive.open(member) as file:
                    data = file.read(MAX_BYTES + 1)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
                yield Found(place, None, when, f"it cannot be unpacked: {error}.")
                continue
            if len(data) > MAX_BYTES:
                yield Found(place, None, when, "it is too large to be a notebook.")
            else:
                yield Found(place, data, when)
