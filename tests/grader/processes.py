"""Which processes belong to a command, and which of them are still there when it has ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

#: A process: its id, and when it was started, since ids are used again.
Process = tuple[int, str]


def family(pid: int | None = None) -> set[Process]:
    """A process (this one, unless another is named) and all its descendants, sealed ones too."""
    parents = {
        int(path.name): int(stat[1])
        for path in Path("/proc").glob("[0-9]*")
        if (stat := _stat(int(path.name)))
    }
    found = {pid or os.getpid()}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {(one, when) for one in found if (when := born(one))}


def born(pid: int) -> str:
    """When a process was started; "" when it is gone, or only waited for."""
    stat = _stat(pid)
    return stat[19] if stat and stat[0] != "Z" else ""


def left(processes: set[Process], seconds: float = 10) -> set[Process]:
    """Those that are still there after some seconds; sooner when none is."""
    deadline = time.monotonic() + seconds
    while (there := {p for p in processes if born(p[0]) == p[1]}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return there


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
