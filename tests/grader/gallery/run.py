"""Mark the gallery: each entry between two honest classmates, and what came of it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook

from grader.classroom import Classroom
from grader.markclass import mark_class
from grader.worker.launch import Limits
from tests.grader import classes as c
from tests.grader.gallery import KINDS, SECRET, THROUGH, Entry

#: Short, so that what loops does not hold up the tests; honest cells need a tenth of it.
LIMITS = Limits(cell=5, call=2, notebook=20, deaths=1, memory=2 * 2**30)
#: Bytes that the marking of one hand-in may leave in the class.
DISK = 20 * 2**20
#: What a hostile cell calls whatever it manages to write outside its own folder.
MARK = "gallery_was_here"
_ODD_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/")
_HOLDS_ORPHANS = 36


@dataclass(frozen=True)
class Seat:
    """A student's place in the class: an entry, or an honest classmate."""

    folder: str
    entry: Entry | None

    @property
    def student(self) -> str:
        """The student's name: the folder's, with bytes that are no text written out."""
        return os.fsencode(self.folder).decode("utf-8", "backslashreplace")


def seats(entries: list[Entry]) -> list[Seat]:
    """The students in the order in which they are marked: an honest one before and after each."""
    found = [Seat("000-full", None)]
    for number, entry in enumerate(entries, 1):
        found.append(Seat(entry.student or f"{number:03d}-{entry.name}", entry))
        found.append(Seat(f"{number:03d}-then", None))
    return found


def make_class(root: Path, entries: list[Entry]) -> Classroom:
    room = c.new_class(root, {})
    room.limits = LIMITS
    for seat in seats(entries):
        path = room.submitted / seat.folder / c.SLUG / f"{c.SLUG}.ipynb"
        path.parent.mkdir(parents=True)
        path.with_name("timestamp.txt").write_text("2026-03-01 12:00:00 UTC\n")
        if seat.entry is not None and seat.entry.name.startswith(("timestamp-", "folder-")):
            path.with_name("timestamp.txt").unlink()
        made = c.full().bytes() if seat.entry is None else seat.entry.make()
        if callable(made):
            made(path)
        else:
            path.write_bytes(made)
    return room


@dataclass
class Result:
    """What came of the whole class."""

    room: Classroom
    entries: list[Entry]
    seconds: float
    records: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, float]]
    left_behind: list[str]
    #: Bytes in memory of the largest process there was.
    peak: int

    def wrong(self, seat: Seat) -> str:
        """What is not as expected with one student; "" when all is."""
        made = self.records.get(seat.student)
        if made is None:
            return "there is no record"
        entry = seat.entry or Entry("classmate", "is honest", c.full().bytes)
        found = []
        if made["status"] != entry.status:
            found.append(f"status {made['status']!r}: {made['reason']}")
        earns, scores = entry.earns(), self.scores.get(seat.student)
        if scores != earns:
            found.append(f"scores {scores}, expected {earns}")
        unsaid = [part for part in entry.flags if not any(part in f for f in made["flags"])]
        expected = (*entry.flags, *entry.perhaps)
        unasked = [f for f in made["flags"] if not any(part in f for part in expected)]
        if unsaid or unasked:
            found.append(f"flags {made['flags']}, expected {list(entry.flags)}")
        shown = [part["text"] for cell in made["cells"] for part in cell["shown"]]
        found += [line for text in shown for line in text.splitlines() if line.startswith(THROUGH)]
        # What is over is the start of processes, which the limits leave out where they are ours.
        if made["seconds"] > LIMITS.notebook + 20:
            found.append(f"took {made['seconds']} s")
        if self.bytes_of(seat.student) > DISK:
            found.append(f"left {self.bytes_of(seat.student)} bytes")
        return "; ".join(found)

    def bytes_of(self, student: str) -> int:
        """What the marking of one student has left on the disk of the class."""
        folders = (self.room.records / c.SLUG / student, self.room.autograded / student)
        files = (p for folder in folders for p in folder.rglob("*") if p.is_file())
        return sum(path.stat().st_size for path in files)

    def table(self) -> str:
        """The gallery by kind: how many entries, and how many came out as expected."""
        lines = [f"{'kind':<58}{'entries':>8}{'as expected':>13}"]
        total = good = 0
        for kind, words in KINDS.items():
            own = [s for s in seats(self.entries) if s.entry is not None and s.entry.kind == kind]
            right = [seat for seat in own if not self.wrong(seat)]
            if own:
                lines.append(f"{kind + ': ' + words:<58}{len(own):>8}{len(right):>13}")
            total, good = total + len(own), good + len(right)
        mates = [s for s in seats(self.entries) if s.entry is None]
        right = [seat for seat in mates if not self.wrong(seat)]
        lines.append(f"{'all':<58}{total:>8}{good:>13}")
        lines.append(f"{'honest classmates before and after':<58}{len(mates):>8}{len(right):>13}")
        lines.append(
            f"marked in {self.seconds:.0f} s, {self.room.factory.isolation}; "
            f"the largest process had {self.peak / 2**20:.0f} MiB, "
            f"the largest traces {max(map(self.bytes_of, self.records)) / 2**20:.1f} MiB"
        )
        return "\n".join(lines)


def mark_gallery(room: Classroom, entries: list[Entry], jobs: int = 2) -> Result:
    """Mark the class and look at what is there afterwards that was not there before."""
    _hold_orphans()
    before = _traces(room)
    started = time.monotonic()
    os.environ["GALLERY_SECRET"] = SECRET
    with _Watch() as watch:
        outcome = mark_class(room, jobs=jobs)
    del os.environ["GALLERY_SECRET"]
    seconds = time.monotonic() - started
    left = _left_behind(before, room)
    records = {student: made for (student, _), made in outcome.records.items()}
    return Result(room, entries, seconds, records, scores_of(room), left, watch.peak)


def scores_of(room: Classroom) -> dict[str, dict[str, float]]:
    """The scores as nbgrader's own interface reads them."""
    with Gradebook(f"sqlite:///{room.root}/gradebook.db") as book:
        return {
            item.student.id: {g.name: g.score for g in item.notebooks[0].grades}
            for item in book.assignment_submissions(c.SLUG)
        }


class _Watch(threading.Thread):
    """Looks at the memory of all processes below this one, as long as it is entered."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._over = threading.Event()

    def __enter__(self) -> _Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.5):
            for pid in _descendants():
                with contextlib.suppress(OSError, ValueError):
                    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                    self.peak = max(self.peak, pages * os.sysconf("SC_PAGE_SIZE"))


# ---------------------------------------------------------------- what is left behind


def _hold_orphans() -> None:
    """A process whose parent ends becomes a child of this one, and so cannot hide."""
    ctypes.CDLL(None).prctl(_HOLDS_ORPHANS, 1, 0, 0, 0)


def _descendants() -> dict[int, str]:
    parents: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (path / "stat").read_text().rsplit(") ", 1)[1].split()[:2]
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if state != "Z":
            parents[int(path.name)] = (int(parent), words)
    found: dict[int, str] = {}
    fresh = {os.getpid()}
    while fresh:
        fresh = {pid for pid, (parent, _) in parents.items() if parent in fresh} - set(found)
        found |= {pid: parents[pid][1] for pid in fresh}
    return found


def _traces(room: Classroom) -> dict[str, set[str]]:
    places = [Path(p) for p in _ODD_PLACES] + [Path.home(), Path.cwd(), room.root.parent, room.root]
    marks = [p for place in places for p in place.glob(f"*{MARK}*")]
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))
    helper = "multiprocessing.resource_tracker"
    return {
        "process": {f"{p} {w}" for p, w in _descendants().items() if helper not in w},
        "mount": set(Path("/proc/self/mounts").read_text().splitlines()),
        "file": {str(p) for p in marks} | {str(p) for p in room.root.parent.iterdir()},
        "temporary file": {str(p) for p in temporary.glob("grader-*")},
        "file in the class": {p.name for p in room.root.iterdir()},
        "listening socket": _listening(),
    }


def _listening() -> set[str]:
    """Listening sockets that this process or one below it holds."""
    owned = set()
    for pid in [os.getpid(), *_descendants()]:
        for path in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                owned.add(os.readlink(path))
            except OSError:
                continue
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in owned:
                found.add(f"{name} {words[1]}")
    return found


def _left_behind(before: dict[str, set[str]], room: Classroom) -> list[str]:
    room.factory.close() if hasattr(room.factory, "close") else None
    deadline = time.monotonic() + 60
    while True:  # a process that has been killed takes a moment to be gone
        now = _traces(room)
        left = [f"{what}: {x}" for what in now for x in sorted(now[what] - before[what])]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)
