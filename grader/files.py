"""Files that are whole or not there: each is written beside its place and then moved into it.

A process that is killed between the two leaves what it had written. Its name says who wrote it, so
that a later run can tell what is left from what is being written, and takes the former away.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import time
from pathlib import Path

#: What is being written: by which system, by which of its processes, started when, and a number.
_PART = re.compile(r"\.gatedrnn-part-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{16}")
#: Seconds after which nothing is still being written, whoever began it.
_OLD = 3600.0
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would change the line ends


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: a reader sees the old file or the new, never a part."""
    name = part_in(path.parent)
    try:
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError) and error.filename in (None, str(name)):
            error.filename = str(path)  # the name that a person knows
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with plain line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


# ---------------------------------------------------------------- what a killed process leaves


def part_in(folder: Path) -> Path:
    """A new name in `folder` for what this process is about to make there and then move away."""
    who = f"{_system()}-{os.getpid()}-{_started(os.getpid())}"
    return folder / f".gatedrnn-part-{who}-{secrets.token_hex(8)}"


def sweep(folder: Path, depth: int = 0) -> None:
    """Remove what killed processes have left in `folder`, and in folders down to `depth` below it.

    Nothing is removed but what `part_in` has named, and that only when the process that named it is
    gone; where that cannot be known, because it ran on another machine, when it is an hour old.
    """
    try:
        entries = list(os.scandir(folder))
    except OSError:  # not there, or not ours to read: then there is nothing that we could do
        return
    for entry in entries:
        if entry.name.startswith(".gatedrnn-part-"):
            if _is_left(entry):
                _remove(entry)
        elif depth and entry.is_dir(follow_symlinks=False):
            sweep(Path(entry.path), depth - 1)


def _is_left(entry: os.DirEntry[str]) -> bool:
    match = _PART.fullmatch(entry.name)
    if match is None:
        return False
    system, pid, started = match.groups()
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    # Another user's processes may be hidden from this one, which is not to be gone.
    known = system == _system() and int(started) and about.st_uid == os.geteuid()
    if known and _started(int(pid)) != int(started):
        return True
    return time.time() - about.st_mtime > _OLD


def _remove(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


@functools.cache
def _system() -> str:
    """This machine since it was started, and this container's processes: where an id says who."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _started(pid: int) -> int:
    """When a process was started, in ticks of the machine's clock; 0 when it is gone or unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        words = text.rpartition(")")[2].split()
        return 0 if words[0] in "ZX" else int(words[19])  # one that has ended, and is only counted
    except (OSError, ValueError, IndexError):
        return 0


# ---------------------------------------------------------------- faults

#: What a fault says of one file alone; any other (a full disk, say) is of the whole class.
_OF_ONE = {
    errno.EACCES, errno.EPERM, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.EILSEQ,
    errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY,
}  # fmt: skip


def of_one_file(error: OSError) -> bool:
    """Whether a fault is of the file that was asked for, and another file may be well."""
    return error.errno in _OF_ONE


# ---------------------------------------------------------------- texts


def printable(text: str) -> str:
    """A text on one line, without what a terminal would take for a command."""
    return "".join(char if char.isprintable() else "?" for char in text)


def brief(text: str, length: int = 60) -> str:
    """A text on one line of at most `length` signs: its start and its end."""
    text = printable(text)
    half = (length - 1) // 2
    return text if len(text) <= length else f"{text[:half]}…{text[-half:]}"


def room(text: str) -> int:
    """The bytes that a text takes in a notebook, where each line is written on its own."""
    return len(json.dumps(text, ensure_ascii=False).encode()) + 10 * text.count("\n")
