"""Files are whole or not there, and what a killed process has left is taken away by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader import files
from grader.classroom import Classroom
from tests.grader import classes as c

_WRITE = """
import os, sys, time
from pathlib import Path
from grader import files

def stop(*_):
    print("between", flush=True)
    time.sleep(600)

os.replace = stop
files.write_bytes(Path(sys.argv[1]), b"new")
"""


def _writer(path: Path) -> subprocess.Popen[str]:
    """A process that has written all of a new file and not yet moved it into its place."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITE, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "between\n"
    return process


def _names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_what_a_killed_writer_leaves_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    deep = tmp_path / "rnn" / "ada"
    deep.mkdir(parents=True)
    (deep / "x.json").write_bytes(b"old")
    killed, writing = _writer(deep / "x.json"), _writer(deep / "x.json")
    try:
        assert len(_names(deep)) == 3
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        (mine,) = [n for n in _names(deep) if f"-{writing.pid}-" in n]
        for name in (".x.json.abcdefgh", ".gatedrnn-part-", ".gatedrnn-part-mine", mine + "x"):
            (deep / name).write_bytes(b"somebody's")
        files.sweep(tmp_path, 2)
        kept = [".gatedrnn-part-", ".gatedrnn-part-mine", mine, mine + "x", ".x.json.abcdefgh"]
        assert _names(deep) == [*sorted(kept), "x.json"]
        assert (deep / "x.json").read_bytes() == b"old"
    finally:
        writing.kill()
        writing.wait()
    files.sweep(tmp_path, 1)
    assert mine in _names(deep), "deeper than it was asked to look"
    files.sweep(tmp_path, 2)
    assert mine not in _names(deep)


def test_what_another_machine_writes_is_left_alone_for_an_hour(tmp_path: Path) -> None:
    other = tmp_path / f".gatedrnn-part-00000000-{os.getpid()}-1-{'0' * 16}"
    other.write_bytes(b"x")
    files.sweep(tmp_path)
    assert other.exists()
    hours_ago = time.time() - 2 * 3600
    os.utime(other, (hours_ago, hours_ago))
    files.sweep(tmp_path)
    assert not other.exists()


def test_a_link_of_that_name_is_removed_and_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"x")
    link = tmp_path / f".gatedrnn-part-00000000-1-1-{'0' * 16}"
    link.symlink_to(precious)
    os.utime(link, (0, 0), follow_symlinks=False)
    files.sweep(tmp_path)
    assert not link.is_symlink() and (precious / "file").exists()


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    files.write_text(path, "x")
    assert path.read_text() == "x" and _names(tmp_path) == [path.name]


def test_a_fault_while_writing_leaves_the_old_file_alone(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "x.json"
    files.write_text(path, "old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old" and _names(tmp_path) == ["x.json"]


_COMMAND = """
import os, signal, sys
from grader import cli
real, wanted = os.replace, sys.argv[1]

def replace(source, target, **kwargs):
    if str(target).endswith(wanted) or f"/{wanted}/" in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target, **kwargs)

os.replace = replace
sys.exit(cli.main(sys.argv[2:]))
"""


def _parts(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob(".gatedrnn-part-*")]


@pytest.mark.slow
def test_each_command_clears_up_after_one_that_was_killed(tmp_path: Path) -> None:
    root = tmp_path / "there" / "room"
    root.parent.mkdir()
    given = tmp_path / "given"
    for name in ("ada", "bo"):
        (given / name).mkdir(parents=True)
        (given / name / "rnn.ipynb").write_bytes(c.Blank(c.SLUG).bytes())
    steps = [
        ("room", ["init"]),
        ("hand-out.zip", ["release", c.SLUG]),
        ("timestamp.txt", ["collect", str(given)]),
        ("records", ["mark", "--unsealed", "--student", "ada"]),
        ("autograded", ["mark", "--unsealed", "--student", "bo"]),
        ("report.html", ["report"]),
        ("grades.csv", ["export"]),
    ]
    for place, (name, *rest) in steps:
        arguments = [name, str(root), *rest]
        command = [sys.executable, "-c", _COMMAND, place, *arguments]
        killed = subprocess.run(command, capture_output=True, timeout=300)
        assert killed.returncode == -signal.SIGKILL, (name, killed.stderr.decode())
        assert len(_parts(tmp_path)) == 1, (name, place)
        again = [sys.executable, "-m", "grader", *arguments]
        done = subprocess.run(again, capture_output=True, timeout=300)
        assert done.returncode == 0, (name, done.stderr.decode())
        assert _parts(tmp_path) == [], (name, place)
    assert (Classroom.open(root).root / "grades.csv").is_file()
