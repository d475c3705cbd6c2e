"""What a run of `grader mark` leaves, however it ends: the class's own files, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.worker import seal
from tests.grader import classes as c
from tests.grader.processes import family, left

pytestmark = pytest.mark.slow
SEALED = not seal.trial()
#: What a class holds when it has been marked.
CLASS = {
    "source", "release", "submitted", "autograded", "feedback", "records", "nbgrader_config.py",
    "README.txt", "gradebook.db",
}  # fmt: skip
# A marked notebook and its time; the records' names are the hand-ins' own.
KINDS = {".json", ".ipynb", ".txt", ".py", ".db"}


def _mounts() -> set[str]:
    return set(Path("/proc/self/mounts").read_text().splitlines())


def _sockets() -> set[str]:
    """The named and the listening sockets of this machine."""
    unix = Path("/proc/net/unix").read_text().splitlines()[1:]
    named = {" ".join(line.split()[7:]) for line in unix if len(line.split()) > 7}
    return {name for name in named if "grader" in name or str(os.getpid()) in name}


@pytest.mark.parametrize("end", ["of itself", "interrupted", "killed"])
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "plain"])
def test_nothing_is_left(tmp_path: Path, sealed: bool, end: str) -> None:
    if sealed and not SEALED:
        pytest.skip("sealed marking does not work here; `grader doctor` says why")
    slow = c.with_cell("import time; open('mine', 'w').write('x'); time.sleep(1.5)")
    room = c.new_class(tmp_path / "room", dict.fromkeys(("ada", "bo", "cy", "di"), slow))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    path = os.environ["PATH"]
    if not sealed:  # as on a machine without bubblewrap
        path = os.pathsep.join(p for p in path.split(os.pathsep) if not Path(p, "bwrap").exists())
    before = _mounts(), _sockets()
    process = subprocess.Popen(
        [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", "2"],
        env=os.environ | {"TMPDIR": str(temporary), "PATH": path},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    theirs = family(process.pid)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        theirs |= family(process.pid)
        if end != "of itself" and list(room.records.rglob("*.json")):
            process.send_signal(signal.SIGINT if end == "interrupted" else signal.SIGKILL)
            break
        time.sleep(0.05)
    said = process.communicate(timeout=300)[1].decode()
    assert process.returncode == {"of itself": 0, "interrupted": 130, "killed": -9}[end], said
    assert left(theirs) == set(), "processes"
    assert (_mounts() - before[0], _sockets() - before[1]) == (set(), set())
    if end != "of itself":  # what it could not clear up itself, the next run does
        again = subprocess.run(
            [sys.executable, "-m", "grader", "mark", str(room.root), "--jobs", "2"],
            env=os.environ | {"TMPDIR": str(temporary), "PATH": path}, timeout=300,
            capture_output=True,
        )  # fmt: skip
        assert again.returncode == 0, again.stderr.decode()
    assert sorted(p.name for p in temporary.iterdir()) == [], "temporary files"
    assert {p.name for p in room.root.iterdir()} == CLASS
    files = [p for p in room.root.rglob("*") if not p.is_dir()]
    assert {p.suffix for p in files} == KINDS and not [p for p in files if p.name.startswith(".")]
    assert {p.name for p in tmp_path.iterdir()} == {"room", "temporary"}
