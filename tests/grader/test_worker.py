"""The process that runs a notebook: what it keeps in, and what a fault costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from grader import wire
from grader.marking import RemoteStudent, Session
from grader.plan import Planned
from grader.student import LocalStudent
from grader.worker.launch import Limits, PlainFactory, WorkerLost

LIMITS = Limits(cell=3, call=2, notebook=60)


def session(*sources: str, limits: Limits = LIMITS) -> Session:
    made = Session([Planned("code", source) for source in sources], PlainFactory(), limits)
    made.run()
    return made


@pytest.fixture
def ended() -> Iterator[list[Session]]:
    made: list[Session] = []
    yield made
    for item in made:
        item.end()


def test_magics_prints_and_errors_are_text_and_later_cells_still_run(ended: list) -> None:
    s = session(
        "print('hello'); 1 + 1",
        "%time x = 3\n!echo shell",
        "1 / 0",
        "import warnings; warnings.warn('careful')",
        "%matplotlib inline",
        "import asyncio\nawait asyncio.sleep(0)",
        "exit()",
        "y = x + 1",
    )
    ended.append(s)
    assert [run.status for run in s.runs] == ["ran", "ran", "raised", *["ran"] * 5]
    assert s.runs[0].shown == [
        {"kind": "stdout", "text": "hello\n"},
        {"kind": "result", "text": "2"},
    ]
    assert "ZeroDivisionError: division by zero" in s.runs[2].shown[0]["text"]
    assert s.runs[3].shown[0]["kind"] == "stderr"
    assert s.call("y", (), {}).kind == "missing"  # it is there, and it is no function


def test_what_a_cell_prints_is_cut(ended: list) -> None:
    s = session("print('x' * 10_000_000)", limits=Limits(output=1000))
    ended.append(s)
    assert s.runs[0].cut
    assert sum(len(part["text"]) for part in s.runs[0].shown) <= 1000


def test_a_call_gives_what_the_same_call_gives_at_the_desk(ended: list) -> None:
    source = """
import numpy as np
def good(x, h): return {"sum": x + h, "n": 3}
def writes(x): x += 1; return x
def raises(x): raise ValueError("no " + str(x.shape))
def blank(x): raise NotImplementedError("your answer goes here")
def odd(x): return lambda: x
value = 3
"""
    s = session(source)
    ended.append(s)
    names: dict = {}
    exec(source, names)
    remote, local = RemoteStudent(s), LocalStudent(names)
    x, h = np.arange(3.0), np.ones(3)
    for name, args in (
        ("good", (x, h)), ("writes", (x,)), ("raises", (x,)), ("blank", (x,)), ("odd", (x,)),
        ("value", ()), ("nowhere", ()),
    ):  # fmt: skip
        far, near = remote.observe(name, *args), local.observe(name, *args)
        assert (far.kind, far.error) == (near.kind, near.error), name
        assert far.message.partition(" (line")[0] == near.message.partition(" (line")[0]
        np.testing.assert_equal(far.value, near.value)
        np.testing.assert_equal(far.arguments, near.arguments)
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_a_cell_that_hangs_costs_itself_alone(ended: list) -> None:
    s = session("def f(x): return x + 1", "while True: pass", "def g(x): return x + 2")
    ended.append(s)
    assert [run.status for run in s.runs] == ["ran", "timeout", "ran"]
    assert s.call("f", (1,), {}).value == 2
    assert s.call("g", (1,), {}).value == 3
    assert s.limits_hit == ["cell 2 ran longer than 3 s and was stopped"]


@pytest.mark.parametrize("deadly", ["import os; os._exit(0)", "import os; os.kill(0, 9)",
                                    "import ctypes; ctypes.string_at(0)"])  # fmt: skip
def test_a_cell_that_ends_the_process_costs_itself_alone(ended: list, deadly: str) -> None:
    s = session("def f(x): return x + 1", deadly, "def g(x): return x + 2")
    ended.append(s)
    assert [run.status for run in s.runs] == ["ran", "crashed", "ran"]
    assert s.call("g", (1,), {}).value == 3


def test_a_call_that_hangs_or_dies_costs_its_own_function(ended: list) -> None:
    s = session(
        "import os\n"
        "def hangs(x):\n    while True: pass\n"
        "def dies(x): os._exit(1)\n"
        "def good(x): return x\n"
    )
    ended.append(s)
    assert s.call("hangs", (1,), {}).kind == "timeout"
    assert s.call("good", (1,), {}).value == 1
    assert s.call("dies", (1,), {}).kind == "crashed"
    assert s.call("good", (2,), {}).value == 2
    assert s.call("hangs", (1,), {}).kind == "timeout"
    started = time.monotonic()
    third = s.call("hangs", (1,), {})  # two were enough
    assert "was not called again" in third.message
    assert time.monotonic() - started < 1
    assert s.call("good", (3,), {}).value == 3


def test_memory_is_limited(ended: list) -> None:
    s = session(
        "def hog(n):\n    return len(bytearray(n))",
        limits=Limits(memory=2 * 2**30),
    )
    ended.append(s)
    outcome = s.call("hog", (8 * 2**30,), {})
    assert (outcome.kind, outcome.error) == ("raised", "MemoryError")
    assert s.call("hog", (8,), {}).value == 8


def test_the_whole_notebook_has_a_limit(ended: list) -> None:
    s = session(
        "def slow(x):\n    import time; time.sleep(1.2); return x",
        limits=Limits(call=5, notebook=2.5),
    )
    ended.append(s)
    kinds = [s.call("slow", (1,), {}).kind for _ in range(4)]
    assert kinds[0] == "value"
    assert kinds[-1] == "timeout"
    assert any("used up its 2.5 s" in words for words in s.limits_hit)


@pytest.mark.parametrize(
    "line",
    [
        "from gatedrnn.equations import rnn_step",
        "from gatedrnn import GRU",
        "import grader.checks.rnn",
        "from grader.desk import check",
        "import solutions",
    ],
)
def test_the_reference_and_the_checks_cannot_be_imported(ended: list, line: str) -> None:
    s = session(line)
    ended.append(s)
    assert s.runs[0].status == "raised"
    assert "cannot be imported while a notebook is marked" in s.runs[0].shown[0]["text"]
    assert s.attempts


def test_check_and_hint_do_nothing_here(ended: list) -> None:
    s = session("from grader import check, hint\ncheck('rnn_step', seed=3)", "hint('rnn_step')")
    ended.append(s)
    assert [run.status for run in s.runs] == ["ran", "ran"]
    assert not s.attempts


def test_an_answer_sent_past_the_call_is_no_answer(ended: list) -> None:
    """A notebook that finds the line and writes replies ahead of time is cut off."""
    frame = wire.dumps({"id": 999, "kind": "value", "value": "forged"})
    s = session(
        f"import socket, struct, os\nFRAME = {frame!r}\n"
        "def f(x):\n"
        "    for fd in range(3, 64):\n"
        "        try: line = socket.socket(fileno=os.dup(fd))\n"
        "        except OSError: continue\n"
        "        line.sendall(struct.pack('>Q', len(FRAME)) + FRAME)\n"
        "    return x\n"
        "def g(x): return x\n"
    )
    ended.append(s)
    assert s.call("f", (1,), {}).kind == "crashed"
    assert s.call("g", (1,), {}).value == 1


def test_nothing_is_left_behind(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    s = session(
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "def pid(): return child.pid\n"
        "open('file', 'w').write('x')"
    )
    pid = s.call("pid", (), {}).value
    assert os.path.exists(f"/proc/{pid}")
    s.end()
    assert not list(tmp_path.iterdir())
    assert _is_gone(pid)


def _is_gone(pid: int) -> bool:
    for _ in range(50):  # until whoever inherits it has reaped it
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal of a parent is Linux's own")
def test_a_loop_ends_when_the_marking_process_is_killed() -> None:
    code = (
        "from grader.worker.launch import *\n"
        "worker = PlainFactory().start(Limits())\n"
        "print(worker._process.pid, flush=True)\n"
        "worker.ask({'do': 'run', 'source': 'while True: pass'}, 60)\n"
    )
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    pid = int(judge.stdout.readline())
    time.sleep(0.5)
    judge.kill()
    judge.wait()
    assert _is_gone(pid)


def test_a_factory_that_gives_nothing_is_a_fault_of_the_grader() -> None:
    from grader.marking import MarkingFault

    class Nothing:
        isolation = "none"
        asked = 0

        def start(self, limits: Limits) -> None:
            self.asked += 1
            raise WorkerLost("crashed")

    factory = Nothing()
    with pytest.raises(MarkingFault, match="No process could be started"):
        Session([Planned("code", "1")], factory, LIMITS).run()  # type: ignore[arg-type]
    assert factory.asked == 2
