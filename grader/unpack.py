"""Walk a folder or a zip of hand-ins, zips inside it included, and give out files as bytes.

Nothing is unpacked to disk under a name from the archive, no link is followed, and every size is
limited; what cannot be read is given out with the reason.
"""

from __future__ import annotations

import datetime
import lzma
import os
import re
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from grader.classroom import ClassFault
from grader.submission import MAX_BYTES

#: Files in one archive, bytes of a zip in a zip, bytes out of one such zip, bytes out of it all.
MAX_FILES = 100_000
MAX_INNER_FILES = 2_000
MAX_INNER = 200 * 2**20
MAX_FROM_INNER = 100 * 2**20
MAX_ALL = 8 * 2**30
#: Zips in zips in zips.
MAX_DEPTH = 3

NOTEBOOK = re.compile(r"\.ipynb(\.json|\.txt)?$", re.I)
_NOISE = {".ds_store", "thumbs.db", "desktop.ini", "timestamp.txt", "__macosx",
          ".ipynb_checkpoints"}  # fmt: skip
_BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A file: its whole place, the part of it that is outside any zip in the source, and bytes.

    `data` is None where it could not be taken, and `reason` says why.
    """

    place: PurePosixPath
    outer: PurePosixPath
    when: datetime.datetime
    data: bytes | None
    reason: str = ""


class _Budget:
    """Bytes that may still be taken out of an archive, whatever it says of itself."""

    def __init__(self, left: int, above: _Budget | None = None) -> None:
        self.left, self.above = left, above

    def take(self, count: int) -> bool:
        self.left -= count
        return (self.above is None or self.above.take(count)) and self.left >= 0


def files(source: Path) -> Iterator[Found]:
    """Every file below `source`, a folder or a zip, in an order that does not change.

    Raises ClassFault when it is neither.
    """
    budget = _Budget(MAX_ALL)
    if not source.exists():
        raise ClassFault(f"There is no {source} to collect from.")
    if source.is_dir():
        yield from _in_folder(source, budget)
    elif source.is_file() and zipfile.is_zipfile(source):
        when = _time_of(source)
        with source.open("rb") as file:
            yield from _in_zip(file, PurePosixPath(), None, when, budget, MAX_FILES, 0)
    else:
        raise ClassFault(
            f"{source} is neither a folder nor a zip; unpack it yourself and name the folder."
        )


def top_folder(source: Path) -> str:
    """The one folder in which everything lies, when it holds several folders itself; else ""."""
    if source.is_dir():
        tops = [e for e in os.scandir(source) if not _is_noise(e.name)]
        if len(tops) != 1 or not tops[0].is_dir(follow_symlinks=False):
            return ""
        inner = [e for e in os.scandir(tops[0].path) if e.is_dir(follow_symlinks=False)]
        return tops[0].name if sum(not _is_noise(e.name) for e in inner) > 1 else ""
    try:
        with zipfile.ZipFile(source) as archive:
            places = [_relative(PurePosixPath(_name_of(m))) for m in archive.infolist()]
    except _BROKEN:
        return ""
    places = [place for place in places if not any(map(_is_noise, place.parts))]
    folders = {place.parts[:2] for place in places if len(place.parts) > 2}
    alone = len({place.parts[0] for place in places}) == 1
    return places[0].parts[0] if alone and len(folders) > 1 else ""


def _is_noise(name: str) -> bool:
    return name.lower() in _NOISE or name.startswith("._")


def _time_of(path: Path) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(path.lstat().st_mtime, datetime.UTC)


# ---------------------------------------------------------------- folders


def _in_folder(source: Path, budget: _Budget) -> Iterator[Found]:
    for folder, names, leaves in os.walk(source):
        names[:] = sorted(name for name in names if not _is_noise(name))
        links = [name for name in names if Path(folder, name).is_symlink()]
        for name in sorted([*leaves, *links]):
            if not _is_noise(name):
                yield from _file(Path(folder, name), source, budget)


def _file(path: Path, source: Path, budget: _Budget) -> Iterator[Found]:
    place = PurePosixPath(unicodedata.normalize("NFC", path.relative_to(source).as_posix()))
    try:
        info, when = path.lstat(), _time_of(path)
        if stat.S_ISLNK(info.st_mode):
            reason = "it is a link, and links are not followed."
        elif not stat.S_ISREG(info.st_mode):
            reason = "it is not a regular file."
        elif place.suffix.lower() == ".zip":
            with path.open("rb") as file:
                inner = _Budget(MAX_FROM_INNER, budget)
                yield from _in_zip(file, place, place, when, inner, MAX_INNER_FILES, 1)
            return
        elif reason := _no_notebook(place):
            pass
        elif info.st_size > MAX_BYTES:
            reason = "it is too large to be a notebook."
        else:
            yield Found(place, place, when, path.read_bytes())
            return
    except OSError as error:
        when = datetime.datetime.now(datetime.UTC)
        reason = f"it cannot be read: {error.strerror}."
    yield Found(place, place, when, None, reason)


def _no_notebook(place: PurePosixPath) -> str:
    if NOTEBOOK.search(place.name):
        return ""
    if place.suffix.lower() in (".7z", ".rar", ".gz", ".tar", ".tgz", ".xz", ".bz2"):
        return "it is an archive, and only zips are opened; unpack it and collect again."
    return "it is not a notebook."


# ---------------------------------------------------------------- zips


def _in_zip(
    file: IO[bytes],
    place: PurePosixPath,
    outer: PurePosixPath | None,
    when: datetime.datetime,
    budget: _Budget,
    most: int,
    depth: int,
) -> Iterator[Found]:
    """The files of a zip; `outer` is its own place in the source, None for the source itself."""
    whole = outer if outer is not None else place
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
    except _BROKEN as error:
        yield Found(place, whole, when, None, f"it cannot be opened as a zip: {error}.")
        return
    with archive:
        if len(members) > most:
            yield Found(place, whole, when, None, f"it holds more than {most:,} files.")
            return
        for member in members:
            inside = PurePosixPath(_name_of(member))
            if member.is_dir() or any(_is_noise(part) for part in inside.parts):
                continue
            there = place / _relative(inside)
            yield from _member(archive, member, there, outer or there, when, budget, depth)
            if budget.left < 0:
                reason = "it unpacks to far more than hand-ins need; the rest was left alone."
                yield Found(place, whole, when, None, reason)
                return


def _member(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    place: PurePosixPath,
    outer: PurePosixPath,
    zipped: datetime.datetime,
    budget: _Budget,
    depth: int,
) -> Iterator[Found]:
    when = _time_in_zip(member, zipped)
    inner = place.suffix.lower() == ".zip"
    reason = ""
    if stat.S_ISLNK(member.external_attr >> 16):
        reason = "it is a link, and links are not followed."
    elif member.flag_bits & 1:
        reason = "it is encrypted; ask for it without a password."
    elif inner and depth >= MAX_DEPTH:
        reason = f"it is a zip in {MAX_DEPTH} others; unpack it and collect again."
    elif not inner:
        reason = _no_notebook(place)
    if reason:
        yield Found(place, outer, when, None, reason)
        return
    with tempfile.TemporaryFile() as copy:
        limit = MAX_INNER if inner else MAX_BYTES
        try:
            size = _unpack(archive, member, copy, limit, budget)
        except _BROKEN as error:
            yield Found(place, outer, when, None, f"it cannot be unpacked: {error}.")
            return
        if size is None:
            words = "it is too large" + ("." if inner else " to be a notebook.")
            yield Found(place, outer, when, None, words)
        elif inner:
            copy.seek(0)
            inside = _Budget(MAX_FROM_INNER, budget) if depth == 0 else budget
            yield from _in_zip(copy, place, outer, when, inside, MAX_INNER_FILES, depth + 1)
        else:
            copy.seek(0)
            yield Found(place, outer, when, copy.read())


def _unpack(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: IO[bytes], limit: int, budget: _Budget
) -> int | None:
    """Write a member to a file; its size, or None when it passes a limit."""
    size = 0
    with archive.open(member) as file:
        while part := file.read(2**20):
            size += len(part)
            if size > limit or not budget.take(len(part)):
                return None
            to.write(part)
    return size


def _name_of(member: zipfile.ZipInfo) -> str:
    """The member's name; a zip without the mark for UTF-8 often holds it all the same."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def _relative(place: PurePosixPath) -> PurePosixPath:
    """The place without what would lead out of the archive: roots, drives, dots."""
    kept = [p for p in place.parts if p.strip("/. ") and not re.fullmatch(r"[A-Za-z]:", p)]
    return PurePosixPath(*kept) if kept else PurePosixPath("nameless")


def _time_in_zip(member: zipfile.ZipInfo, zipped: datetime.datetime) -> datetime.datetime:
    """When the file was changed: in UTC where the zip has it so, else by this machine's clock."""
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field = extra[4 : 4 + size]
        if kind == 0x5455 and len(field) >= 5 and field[0] & 1:
            seconds = struct.unpack("<i", field[1:5])[0]
            return datetime.datetime.fromtimestamp(max(0, seconds), datetime.UTC)
        extra = extra[4 + size :]
    try:
        return datetime.datetime(*member.date_time).astimezone(datetime.UTC)
    except (ValueError, OverflowError, OSError):  # a zip without dates has a month 0
        return zipped
