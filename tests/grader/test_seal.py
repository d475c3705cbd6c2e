"""The seal: honest work earns the same inside it, and an attack gains and harms nothing.

Each attack is a cell in a notebook that is otherwise solved (or blank, where the attack is meant to
earn points). The cell writes down what it got through; the test reads that, and the score.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gatedrnn
from grader import units
from grader.classroom import Classroom
from grader.course import UnitSource
from grader.demo import source_of
from grader.marking import Marked, Session, mark
from grader.plan import Planned
from grader.worker import seal
from grader.worker.launch import Limits, PlainFactory, WorkerLost
from tests.grader import classes as c

sealed_only = pytest.mark.skipif(
    bool(seal.trial()), reason=f"sealed marking does not work here: {seal.trial()}"
)
LIMITS = Limits(cell=5, call=3, notebook=60, deaths=1)
# For honest work, whose imports are slow where other tests run beside it.
PATIENT = Limits(cell=60, call=30, notebook=240, deaths=1)


@pytest.fixture(scope="module")
def factory() -> Iterator[seal.SealedFactory]:
    made = seal.SealedFactory()
    yield made
    made.close()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    return c.new_class(tmp_path_factory.mktemp("seal") / "room", {"ada": c.full().bytes()})


@pytest.fixture(scope="module")
def unit(room: Classroom) -> UnitSource:
    return room.unit(c.SLUG)


def marked(
    data: bytes, unit: UnitSource, factory, folder: Path, seed: int = 7, limits: Limits = LIMITS
) -> Marked:
    path = folder / "hand-in.ipynb"
    path.write_bytes(data)
    return mark(path, unit, factory=factory, limits=limits, seed=seed)


def scores(made: Marked) -> dict[str, float]:
    total = dict.fromkeys(c.worth(), 0.0)
    for result in made.results:
        total[result.exercise] += result.earned
    return total


def session(factory, *sources: str, limits: Limits = LIMITS) -> Session:
    made = Session([Planned("code", source) for source in sources], factory, limits)
    made.run()
    return made


# ---------------------------------------------------------------- the same verdicts


def honest() -> dict[str, bytes]:
    chosen = {}
    for item in units.misconceptions(c.SLUG):
        chosen.setdefault(item.exercise, item)
    mistakes = {n: c.full().write(n, source_of(item)).bytes() for n, item in chosen.items()}
    return {
        "full": c.full().bytes(),
        "blank": c.Blank(c.SLUG).bytes(),
        "plots": c.with_cell(
            "%matplotlib inline\nimport matplotlib.pyplot as plt\nimport torch, asyncio\n"
            "plt.plot([1, 2]); plt.savefig('x.png'); open('mine.txt', 'w').write('x')\n"
            "!echo shell\nfound = !ls\nawait asyncio.sleep(0)\n"
            "x = torch.ones(2, requires_grad=True); x.sum().backward()"
        ),
        **mistakes,
    }


@sealed_only
@pytest.mark.parametrize("name", honest())
def test_a_verdict_is_the_same_sealed_and_plain(name, unit, factory, tmp_path: Path) -> None:
    data = honest()[name]
    inside = marked(data, unit, factory, tmp_path, limits=PATIENT)
    outside = marked(data, unit, PlainFactory(), tmp_path, limits=PATIENT)
    assert (inside.isolation, outside.isolation) == (
        "sealed: bubblewrap + seccomp",
        "plain subprocess",
    )

    def verdict(made: Marked) -> list[tuple]:
        return [(r.check, r.earned, r.status, r.stage, r.message) for r in made.results]

    assert verdict(inside) == verdict(outside)
    assert inside.recognised == outside.recognised
    assert {run.status for run in inside.runs} <= {"ran", "raised", "not run"}
    assert [run.status for run in inside.runs] == [run.status for run in outside.runs]


# ---------------------------------------------------------------- attacks

_HERE = Path(__file__).resolve()
_BEGIN = """
GOT = []
def attempt(name, what):
    try:
        what()
    except Exception:
        return
    GOT.append(name)
def got_through():
    return GOT
"""


def attacks(room: Path) -> dict[str, str]:
    """Cells that list in GOT what they should not have got."""
    secrets = [
        _HERE.parents[2] / "pyproject.toml", Path(gatedrnn.__file__).parent / "equations",
        _HERE.parents[2] / "grader" / "checks", _HERE.parents[2] / "solutions", _HERE,
        room / "gradebook.db", room / "submitted", room, Path.home() / ".bashrc", Path.home(),
        Path("/etc/shadow"), Path("/etc/passwd"), Path("/home"), Path("/var"), Path("/sys"),
    ]  # fmt: skip
    reading = f"""
import os
ways = {[f"{p}/" for p in seal._python_paths()]!r}
def read(path):
    if not os.path.isdir(path):
        return open(path).read()
    # Empty folders on the way to Python's own are no secret.
    names = [os.path.join(path, name) + "/" for name in os.listdir(path)]
    return [name for name in names if not any(way.startswith(name) for way in ways)][0]
for path in {[str(p) for p in secrets]!r}:
    attempt(path, lambda: read(path))
"""
    return {
        "reads what is not its own": reading,
        "lists processes": """
import os
for pid in range(2, 3000):
    attempt(pid, lambda: os.kill(pid, 0))
attempt("/proc", lambda: os.listdir("/proc")[0])
attempt("parent", lambda: 1 / os.getppid())
""",
        "opens sockets": """
import socket, urllib.request
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", 22), 1))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("inet6", lambda: socket.socket(socket.AF_INET6))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK))
attempt("raw", lambda: socket.socket(socket.AF_PACKET))
attempt("pair", lambda: socket.socketpair(socket.AF_INET))
attempt("web", lambda: urllib.request.urlopen("http://example.com", timeout=1))
""",
        "starts processes": """
import os, subprocess, multiprocessing
def bomb():
    while True:
        if os.fork() == 0:
            while True: pass
attempt("fork", bomb)
attempt("daemon", lambda: subprocess.Popen(["/usr/bin/sleep", "1000"], start_new_session=True))
attempt("pool", lambda: multiprocessing.get_context("fork").Process(target=print).start())
attempt("spawn", lambda: os.posix_spawn("/usr/bin/true", ["true"], {}))
attempt("exec", lambda: os.execv("/usr/bin/true", ["true"]))
if os.system("true") == 0: GOT.append("system")
""",
        "takes all memory": """
attempt("one piece", lambda: bytearray(8 * 2**30))
def many():
    kept = []
    while True: kept.append(bytearray(64 * 2**20))
attempt("pieces", many)
def files():
    import os
    for n in range(200): os.write(os.memfd_create("x"), b"x" * 2**20)
attempt("memory files", files)
""",
        "fills the disk": """
import os
def fill():
    for n in range(200):
        with open(f"file{n}", "wb") as file: file.write(b"x" * 2**20)
attempt("disk", fill)
for n in range(200):
    if os.path.exists(f"file{n}"): os.remove(f"file{n}")
def many():
    for n in range(10_000): open(f"n{n}", "w").close()
attempt("inodes", many)
for name in os.listdir("."):
    if name.startswith("n"): os.remove(name)
""",
        "writes to the system": """
import os, numpy, sys
for folder in (os.path.dirname(numpy.__file__), os.path.dirname(os.__file__), sys.prefix, "/",
               "/usr", "/dev", "/dev/shm", "/seal", "/seal/grader", "/etc", "/proc"):
    attempt(folder, lambda: open(folder + "/mine", "w"))
attempt("chmod", lambda: os.chmod(numpy.__file__, 0o777))
""",
        "leaves its namespaces": """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) < 0: raise OSError(ctypes.get_errno())
attempt("unshare", lambda: call(272, 0x10000000) if X86 else call(97, 0x10000000))
attempt("mount", lambda: call(165, b"proc", b"/proc", b"proc", 0, None) if X86 else call(40, 0))
attempt("umount", lambda: call(166, b"/proc", 2) if X86 else call(39, b"/proc", 2))
attempt("ptrace", lambda: call(101, 0, 0, 0, 0) if X86 else call(117, 0, 0, 0, 0))
attempt("keyctl", lambda: call(250, 0, -3, 0) if X86 else call(219, 0, -3, 0))
attempt("io_uring", lambda: call(425, 1, 0))
attempt("clone3", lambda: call(435, 0, 0))
attempt("bpf", lambda: call(321, 0, 0, 0) if X86 else call(280, 0, 0, 0))
attempt("setuid", lambda: os.setuid(0) or (os.getuid() == 0 and 1 / 0))
attempt("limits", lambda: __import__("resource").setrlimit(7, (9999, 9999)))
""".replace("X86", repr(platform.machine() == "x86_64")),
        "finds secrets": """
import os
GOT += [k for k in os.environ if k.startswith("SECRET")]
attempt("stdin", lambda: 1 / len(os.read(0, 10)))
for fd in range(3, 256):
    try: kind = os.readlink(f"/dev/fd/{fd}")
    except OSError: pass
    else: GOT.append(kind)
count = 0
for fd in range(3, 256):
    try: os.fstat(fd); count += 1
    except OSError: pass
if count > 1: GOT.append(f"{count} descriptors")
""",
        "imports the answers": """
import sys, importlib
names = ("gatedrnn.equations", "gatedrnn.cells", "grader.checks", "grader.checks.rnn",
         "grader.engine", "solutions")
for name in names:
    attempt(name, lambda: importlib.import_module(name))
sys.meta_path[:] = [m for m in sys.meta_path if type(m).__name__ != "Gate"]
for name in names:
    sys.modules.pop("grader", None)
    attempt(name, lambda: importlib.import_module(name))
""",
    }


@sealed_only
@pytest.mark.parametrize("name", attacks(Path()))
def test_an_attack_gets_nothing_and_costs_nothing(
    name: str, room: Classroom, unit: UnitSource, factory, monkeypatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "of the instructor")
    s = session(factory, _BEGIN + attacks(room.root)[name], limits=Limits(memory=2 * 2**30))
    try:
        assert s.runs[0].status == "ran", s.runs[0].shown
        assert s.call("got_through", (), {}).value == []
    finally:
        s.end()
    # With the attack in it, work that is otherwise honest earns what it earns.
    folder = room.root.parent
    if name not in ("takes all memory", "fills the disk"):  # slow, and the same
        made = marked(c.with_cell(_BEGIN + attacks(room.root)[name]), unit, factory, folder)
        assert scores(made) == c.worth()
    assert scores(marked(c.full().bytes(), unit, factory, folder)) == c.worth()


_DEADLY = {
    "ends at once": "import os; os._exit(0)",
    "breaks down": "import ctypes; ctypes.string_at(0)",
    "aborts": "import os; os.abort()",
    "closes all descriptors": "import os; os.closerange(0, 256)",
    "sends garbage": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'x' * 100_000)\n"
    "    except OSError: pass",
    "claims an enormous frame": "import os\nfor fd in range(3, 64):\n    try: os.write(fd, "
    "b'\\x00\\x00\\xff\\xff\\xff\\xff\\xff\\xff' + b'x' * 1000)\n    except OSError: pass",
    "loops": "while True: pass",
    "makes threads without end": "import threading, time\nthreading.stack_size(65536)\n"
    "for n in range(100_000): threading.Thread(target=time.sleep, args=(99,)).start()",
    "ends everything it can": "import os, signal\nos.kill(-1, signal.SIGKILL)\n"
    "os.kill(0, signal.SIGKILL)",
}  # fmt: skip


@sealed_only
@pytest.mark.parametrize("name", _DEADLY)
def test_a_deadly_cell_costs_itself_alone(name: str, room, unit, factory) -> None:
    folder = room.root.parent
    factory.start(LIMITS).end()
    parent = factory._parent
    made = marked(c.with_cell(_DEADLY[name]), unit, factory, folder)
    assert made.status == "marked"
    assert scores(made) == c.worth()
    assert factory._parent is parent and parent.alive()
    assert scores(marked(c.full().bytes(), unit, factory, folder)) == c.worth()


#: What is meant to earn points that are not earned, in a notebook with no answer of its own.
_LIES = {
    "numpy that agrees with all": """
import numpy as np, numpy.testing
np.allclose = np.array_equal = lambda *a, **k: True
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None
np.ndarray.__module__
def {name}(*a, **k): return np.zeros(1)
""",
    "objects that equal everything": """
import numpy as np
class Liar(np.ndarray):
    def __eq__(self, other): return True
    def __array__(self, *a, **k): return np.zeros(3)
    shape = property(lambda self: (2, 3))
def {name}(*a, **k): return np.zeros(3).view(Liar)
""",
    "answers in wire's own words": """
import grader.wire as wire
wire.dumps = lambda value: b'{{"s":"full marks"}}'
def {name}(*a, **k): return 1000
""",
    "a judge that is not there": """
import sys, unittest.mock
for module in list(sys.modules.values()):
    if getattr(module, "invoke", None): module.invoke = lambda *a: unittest.mock.MagicMock()
def {name}(*a, **k): return unittest.mock.MagicMock()
""",
}


@sealed_only
@pytest.mark.parametrize("name", _LIES)
def test_a_lie_earns_nothing(name: str, room, unit, factory) -> None:
    blank = c.Blank(c.SLUG)
    source = "\n".join(_LIES[name].format(name=n) for e in units.exercises(c.SLUG) for n in e.asked)
    made = marked(blank.add(source, len(c.cells(blank))).bytes(), unit, factory, room.root.parent)
    assert made.status == "marked"
    assert scores(made) == c.nothing()
    assert scores(marked(c.full().bytes(), unit, factory, room.root.parent)) == c.worth()


# ---------------------------------------------------------------- nothing left, nothing shared


@sealed_only
def test_two_notebooks_share_nothing(factory) -> None:
    first = session(factory, "import numpy as np\nopen('here', 'w').write('x')\nnp.x = 1")
    assert first.runs[0].status == "ran"
    second = session(factory, "import os, numpy as np\n"
                     "def seen(): return [os.listdir('.'), hasattr(np, 'x')]")  # fmt: skip
    assert second.call("seen", (), {}).value == [[], False]
    first.end()
    second.end()


def _children() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().rsplit(") ", 1)
        except OSError:
            continue
        if rest.split()[1] == str(os.getpid()):
            found.add(name)
    return found


@sealed_only
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, mounts = _children(), Path("/proc/self/mounts").read_text()
    descriptors = len(os.listdir("/proc/self/fd"))
    factory = seal.SealedFactory()
    worker = factory.start(Limits())
    worker.ask({"do": "run", "source": "open('file', 'w').write('x')"}, 10)
    assert len(_children()) == len(before) + 1
    worker.end()
    worker.end()
    factory.close()
    assert _children() == before
    assert not list(tmp_path.iterdir())
    assert Path("/proc/self/mounts").read_text() == mounts
    assert len(os.listdir("/proc/self/fd")) == descriptors


@sealed_only
def test_a_parent_that_is_gone_is_started_again(factory) -> None:
    s = session(factory, "def f(x): return x + 1")
    assert factory._parent is not None
    os.kill(factory._parent._process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert s.call("f", (1,), {}).kind == "crashed"
    assert s.call("f", (1,), {}).message  # one death was enough for this function
    s.end()
    again = session(factory, "def f(x): return x + 1")
    assert again.call("f", (1,), {}).value == 2
    again.end()


@sealed_only
def test_a_python_that_was_called_by_a_roundabout_path(monkeypatch) -> None:
    there = Path(sys.executable)
    way = f"{there.parents[2]}/not-seen-inside/../{there.parents[1].name}/bin/{there.name}"
    monkeypatch.setattr(sys, "executable", way)
    made = seal.SealedFactory()
    try:
        made.start(LIMITS).end()
    finally:
        made.close()


@sealed_only
def test_a_key_pressed_to_stop_marking_does_not_reach_the_parent(factory) -> None:
    factory.start(LIMITS).end()
    assert os.getsid(factory._parent._process.pid) != os.getsid(0)


@sealed_only
def test_memory_is_limited_for_one_notebook_only(factory) -> None:
    s = session(factory, "def hog(n): return len(bytearray(n))", limits=Limits(memory=2 * 2**30))
    outcome = s.call("hog", (8 * 2**30,), {})
    assert (outcome.kind, outcome.error) == ("raised", "MemoryError")
    assert s.call("hog", (8,), {}).value == 8
    s.end()


# ---------------------------------------------------------------- where it does not work


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = shutil.which
    monkeypatch.setattr("shutil.which", lambda name, *a: None if name == "bwrap" else real(name))
    seal.trial.cache_clear()
    yield
    seal.trial.cache_clear()


def test_without_bubblewrap_marking_refuses_in_one_sentence(
    no_bubblewrap, tmp_path, capsys
) -> None:
    from grader import cli

    room = c.new_class(tmp_path / "room", {"ada": c.full().bytes()})
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text().replace("c.Grader.unsealed = True", ""))
    assert cli.main(["mark", str(room.root), "--jobs", "1"]) == 1
    err = capsys.readouterr().err
    assert "Sealed marking does not work on this machine: " in err
    assert "`grader doctor` says how" in err and "--unsealed" in err
    assert not list(room.records.rglob("*.json"))
    assert cli.main(["mark", str(room.root), "--jobs", "1", "--unsealed"]) == 0
    (path,) = room.records.rglob("*.json")
    assert '"isolation": "plain subprocess"' in path.read_text()


def test_the_doctor_says_how_to_get_it(no_bubblewrap, capsys) -> None:
    from grader import cli

    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "bubblewrap         not installed" in out
    assert "sudo apt-get install bubblewrap" in out and "WSL2" in out


@sealed_only
def test_the_doctor_says_that_it_works(capsys) -> None:
    from grader import cli

    assert cli.main(["doctor"]) == 0
    assert "Sealed marking works here" in capsys.readouterr().out


@sealed_only
def test_a_fork_that_cannot_be_started_is_said_to_be_lost() -> None:
    with pytest.raises(WorkerLost, match="no_such_module"):
        seal.SealedFactory(imports=("no_such_module",)).start(LIMITS)
