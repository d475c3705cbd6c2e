"""Read what a student handed in, as data: nothing in the file is run, followed or trusted.

A submission is a list of cells. Points, names of checks and the texts of locked cells never come
from it. A file that cannot be read ends in `Unreadable`, whose message is one sentence for a human.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import itertools
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.files import room

#: A notebook with plots is a few megabytes; this is far above, and far below what does harm.
MAX_BYTES = 20 * 2**20
MAX_CELLS = 2_000
MAX_SOURCE = 1_000_000
#: Bytes that all code may take in a notebook, and all prose, which is cut there and not refused.
MAX_CODE = 3_000_000
MAX_PROSE = 200_000


class Unreadable(ValueError):
    """A hand-in that cannot be read as a notebook. `digest` is its SHA-256, empty when not read."""

    def __init__(self, reason: str, digest: str = "") -> None:
        super().__init__(reason)
        self.digest = digest


class Missing(Unreadable):
    """There is no file at all."""


@dataclass(frozen=True)
class Cell:
    """One cell as handed in: "code", "markdown" or "raw", its text, and nbgrader's name for it."""

    kind: str
    source: str
    grade_id: str | None = None


@dataclass(frozen=True)
class Submission:
    """A notebook as handed in."""

    cells: tuple[Cell, ...]
    digest: str
    nbformat: int


def read(path: Path, max_bytes: int = MAX_BYTES) -> Submission:
    """Read the notebook at `path`; raises `Unreadable` or `Missing`."""
    return parse(load(path, max_bytes))


def digest_of_fault(reason: str) -> str:
    """What stands for the SHA-256 of a file that cannot be read."""
    return hashlib.sha256(f"unreadable: {reason}".encode()).hexdigest()


def parse(data: bytes) -> Submission:
    """Make a `Submission` from a file's bytes; raises `Unreadable`."""
    key = hashlib.sha256(data).hexdigest()
    try:
        document = _json_of(_text_of(data))
        cells, version = _cells_of(document)
    except Unreadable as error:
        raise Unreadable(str(error), key) from None
    return Submission(cells, key, version)


# ---------------------------------------------------------------- which file


@dataclass(frozen=True)
class Place:
    """Where a hand-in was found, what is to be said of it, and whether a person must look at it."""

    path: Path
    remark: str = ""
    look: bool = False
    #: Why no file can be chosen, when none can.
    fault: str = ""


def place(path: Path) -> Place:
    """The hand-in that belongs at `path`: the file there, or the only notebook beside that place.

    A notebook that was handed in under another name is never passed over in silence.
    """
    for folder in (path.parent, path.parent.parent):
        if folder.is_symlink():
            return Place(folder)  # links are not followed, and `load` says so
    others = _other_notebooks(path)
    shown = [name[:60].encode("utf-8", "replace").decode() for name in others[:3]]
    named = ", ".join(shown) + (", …" if len(others) > 3 else "")
    if os.path.lexists(path):
        if not others:
            return Place(path)
        return Place(path, f"{path.name} was marked; {named} was handed in beside it.", look=True)
    if len(others) == 1:
        return Place(path.with_name(others[0]), f"It was handed in as {named}, not {path.name}.")
    if others:
        fault = f"There are {len(others)} notebooks and none is {path.name}: {named}."
        return Place(path, fault=fault)
    return Place(path)


def _other_notebooks(path: Path) -> list[str]:
    try:
        with os.scandir(path.parent) as entries:
            # More files than this were not put there by hand.
            names = [entry.name for entry in itertools.islice(entries, 1_000)]
    except OSError:
        return []
    return sorted(
        name
        for name in names
        if name != path.name and name.lower().endswith(".ipynb") and not name.startswith(".")
    )


# ---------------------------------------------------------------- the file


def load(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of the file at `path`; raises `Unreadable` or `Missing`."""
    # Without O_NONBLOCK, opening a pipe that nobody writes to waits for ever.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():  # also where the system has no O_NOFOLLOW
        raise Unreadable("The hand-in is a link to another file, and links are not followed.")
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise Missing(f"No file {path.name} was handed in.") from None
    except OSError as error:
        if path.is_dir():
            raise Unreadable("The hand-in is a folder, not a notebook file.") from None
        raise Unreadable(f"The file cannot be opened: {error.strerror}.") from None
    try:
        info = os.fstat(handle)
        if stat.S_ISDIR(info.st_mode):
            raise Unreadable("The hand-in is a folder, not a notebook file.")
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable("The hand-in is a pipe or a device, not a notebook file.")
        if info.st_size > max_bytes:
            raise Unreadable(_too_large(info.st_size, max_bytes))
        with open(handle, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror}.") from None
    finally:
        os.close(handle)
    if len(data) > max_bytes:
        raise Unreadable(_too_large(len(data), max_bytes))
    return data


def _too_large(size: int, limit: int) -> str:
    return f"The file has {size / 2**20:.1f} MiB; the limit is {limit / 2**20:.0f} MiB."


# ---------------------------------------------------------------- the text

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _text_of(data: bytes) -> str:
    """Decode in the encoding that the bytes show: Unicode's forms first, then Windows' own."""
    if not data.strip():
        raise Unreadable("The file is empty.")
    guesses = [name for mark, name in _MARKS if data.startswith(mark)]
    if data[:2] == b"{\0":
        guesses.append("utf-16-le")
    elif data[:2] == b"\0{":
        guesses.append("utf-16-be")
    for name in (*guesses, "utf-8", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(name)
    return data.decode("latin-1")


def _json_of(text: str) -> dict[str, Any]:
    if text.lstrip()[:1] == "<":
        raise Unreadable("The file is a web page, not a notebook: its text is HTML.")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The file is not a notebook: its text is not JSON "
            f"(line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise Unreadable("The file is not a notebook: its JSON is nested too deeply.") from None
    except ValueError:
        raise Unreadable("The file is not a notebook: its JSON holds a huge number.") from None
    if not isinstance(document, dict):
        raise Unreadable("The file is JSON, but not a notebook: it is not an object with cells.")
    return document


# ---------------------------------------------------------------- the cells


def _cells_of(document: dict[str, Any]) -> tuple[tuple[Cell, ...], int]:
    found = document.get("cells")
    version = document.get("nbformat")
    version = version if type(version) is int and 0 < version < 100 else 4
    if found is None:  # before nbformat 4 the cells were kept in worksheets
        sheets = document.get("worksheets")
        sheets = sheets if isinstance(sheets, list) else []
        lists = [s["cells"] for s in sheets if isinstance(s, dict) and _is_list(s.get("cells"))]
        found = [cell for cells in lists for cell in cells] if lists else None
        version = min(version, 3)
    if not isinstance(found, list):
        raise Unreadable("The file is JSON, but not a notebook: it has no list of cells.")
    if len(found) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(found):,} cells; the limit is {MAX_CELLS:,}.")
    return tuple(_within(_cell(cell) for cell in found if isinstance(cell, dict))), version


def _within(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The cells, within the limits of what all of them hold."""
    code, prose = MAX_CODE, MAX_PROSE
    for cell in cells:
        if cell.kind != "markdown":
            code -= room(cell.source)
            if code < 0:
                raise Unreadable(f"The notebook holds more than {MAX_CODE:,} characters of code.")
        elif room(cell.source) > prose:  # a picture as text, in most cases; prose earns nothing
            cell, prose = replace(cell, source=cell.source[: prose // 12] + " …"), 0
        else:
            prose -= room(cell.source)
        yield cell


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _cell(raw: dict[str, Any]) -> Cell:
    kind = raw.get("cell_type")
    source = _joined(raw.get("source", raw.get("input", raw.get("code", ""))))
    if kind == "heading":
        level = raw.get("level")
        source = "#" * (level if type(level) is int and 1 <= level <= 6 else 1) + " " + source
        kind = "markdown"
    if kind not in ("code", "markdown"):
        kind = "raw"
    if len(source) > MAX_SOURCE and kind != "markdown":
        raise Unreadable(
            f"A cell holds {len(source):,} characters; the limit is {MAX_SOURCE:,} a cell."
        )
    return Cell(kind, source, _grade_id(raw))


def _joined(source: Any) -> str:
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return ""
    # A lone surrogate is legal JSON and no legal text; line ends may be those of any system.
    clean = source.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\r\n", "\n").replace("\r", "\n")


def _grade_id(raw: dict[str, Any]) -> str | None:
    metadata = raw.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) and 0 < len(name) <= 200 else None
