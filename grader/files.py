"""Files that are whole or not there: each is written beside its place and then moved into it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: a reader sees the old file or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with plain line ends, atomically."""
    write_bytes(path, text.encode("utf-8"))


def printable(text: str) -> str:
    """A text on one line, without what a terminal would take for a command."""
    return "".join(char if char.isprintable() else "?" for char in text)


def room(text: str) -> int:
    """The bytes that a text takes in a notebook, where each line is written on its own."""
    return len(json.dumps(text, ensure_ascii=False).encode()) + 10 * text.count("\n")
