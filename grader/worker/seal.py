"""Run each notebook sealed off: bubblewrap around one warm parent, and a fork for each notebook.

Inside there is Python with its packages and nothing else of this machine: no course, no class, no
home, no network, no other process. What a fork may still do is limited by `seccomp` and by limits
of memory, time and threads. `trial` says whether all of that works here, by trying it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.worker.channel import Channel
from grader.worker.launch import (
    ALLOWED,
    THREAD_VARIABLES,
    Limits,
    LineWorker,
    PlainFactory,
    Worker,
    WorkerFactory,
    WorkerLost,
)
from grader.worker.seccomp import ARCHITECTURES

HERE = Path(__file__).resolve().parent
_STAGE = "/seal"
_FILES = ("wire.py", "student.py", "tools.py", "worker/main.py", "worker/channel.py",
          "worker/parent.py", "worker/seccomp.py")  # fmt: skip
_IMPORTS = (
    "numpy", "numpy.random", "numpy.linalg", "numpy.testing",
    "torch", "torch.nn.functional", "torch.testing",
    "matplotlib.pyplot", "IPython.core.interactiveshell",
)  # fmt: skip
#: Packages of the course that hold answers or checks, wherever they are installed.
_HIDDEN = ("gatedrnn", "grader", "solutions")
#: Bytes of the private folder; it lies in memory.
_DISK = 20 * 2**20
_ORDER_SECONDS = 20.0


class SealFault(RuntimeError):
    """Sealed marking is not to be had here; the message is one sentence that says what to do."""


# ---------------------------------------------------------------- what is visible inside


def _python_paths() -> list[Path]:
    """Where Python and its packages lie."""
    found = {Path(sys.base_prefix), Path(sys.base_exec_prefix), Path(sys.prefix)}
    found.add(Path(os.path.realpath(sys.executable)).parent.parent)
    return sorted(p for p in {path.resolve() for path in found} if p != Path("/usr"))


def _course_packages() -> list[Path]:
    """The folders of the course's own packages that lie in what is visible."""
    hidden = []
    for entry in dict.fromkeys(sys.path):
        for name in _HIDDEN:
            path = Path(entry or os.curdir, name).resolve()
            if path.is_dir() and any(
                path.is_relative_to(p) for p in [*_python_paths(), Path("/usr")]
            ):
                hidden.append(path)
    return hidden


def _show(path: Path, place: Path) -> list[str]:
    """Make `path` visible at `place`, read-only."""
    # Folders on the way that bubblewrap makes unasked are closed to the user that a fork becomes.
    way = [word for folder in reversed(place.parents[:-1]) for word in ("--dir", str(folder))]
    return [*way, "--ro-bind", str(path), str(place)]


def _system() -> list[str]:
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        if os.path.islink(name):
            arguments += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            arguments += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime"):
        arguments += ["--ro-bind-try", name, name]
    return arguments


def _bindings() -> list[str]:
    """bubblewrap's arguments for all that is visible inside."""
    arguments = [*_system(), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for path in _python_paths():
        arguments += _show(path, path)
    for path in _course_packages():
        arguments += ["--tmpfs", str(path), "--remount-ro", str(path)]
    for name in _FILES:
        arguments += _show(HERE.parent / name, Path(_STAGE, "grader", name))
    arguments += _course_modules()
    fonts = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    for path in fonts.glob("fontlist-*.json"):
        arguments += _show(path, Path(_folder(), "mpl", path.name))
    data = os.environ.get("GATEDRNN_DATA")
    if data and os.path.isdir(data):
        arguments += _show(Path(data).absolute(), Path(_STAGE, "data"))
        arguments += ["--setenv", "GATEDRNN_DATA", f"{_STAGE}/data"]
    return arguments


def _course_modules() -> list[str]:
    """The modules of `gatedrnn` that a notebook may import, one by one."""
    spec = importlib.util.find_spec("gatedrnn")
    if spec is None or not spec.submodule_search_locations:
        return []
    source = Path(next(iter(spec.submodule_search_locations)))
    names = ["__init__.py", *(name.partition(".")[2] for name in ALLOWED)]
    return [
        word
        for name in names
        for word in _show(source / name, Path(_STAGE, "course", "gatedrnn", name))
    ]


def _folder() -> str:
    """The private folder: /tmp, unless Python itself lies below it."""
    below = any(path.is_relative_to("/tmp") for path in _python_paths())
    return "/private" if below else "/tmp"


def _environment() -> dict[str, str]:
    folder = _folder()
    return {
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        "HOME": folder,
        "TMPDIR": folder,
        "IPYTHONDIR": f"{folder}/ipython",
        "MPLCONFIGDIR": f"{folder}/mpl",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TORCHDYNAMO_DISABLE": "1",  # `torch.compile` starts a compiler, and gives the same values
    }


def _command(options: dict[str, Any]) -> list[str]:
    rights = ["CAP_SYS_ADMIN", "CAP_KILL"]
    if os.geteuid() == 0:
        # Each fork becomes a user of its own, whom nothing on this machine belongs to.
        users, rights = [], [*rights, "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]
    else:
        users = ["--unshare-user", "--uid", "0", "--gid", "0"]
    command = ["bwrap", *users, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--hostname", "sealed", "--die-with-parent"]
    command += ["--new-session", "--clearenv", "--cap-drop", "ALL"]
    for right in rights:
        command += ["--cap-add", right]
    for name, value in _environment().items():
        command += ["--setenv", name, value]
    command += _bindings()
    if _folder() != "/tmp":
        command += ["--dir", _folder()]
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]
    # Without "..", which may lead through folders that are not seen inside.
    python = os.path.abspath(sys.executable)
    return [*command, "--", python, "-I", f"{_STAGE}/grader/worker/parent.py", json.dumps(options)]


# ---------------------------------------------------------------- the parent, seen from here


class _Parent:
    """The sealed parent process."""

    def __init__(self, seconds: float, imports: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the parent)
        # Users far above those of people, apart for each parent.
        first = 1_000_000_000 + os.getpid() % 10_000 * 100_000 if os.geteuid() == 0 else None
        options = {
            "fd": theirs.fileno(),
            "first_uid": first,
            "imports": list(imports),
            "allowed": list(ALLOWED),
            "course": f"{_STAGE}/course",
        }
        with theirs:
            self._process = subprocess.Popen(
                _command(options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=(theirs.fileno(),),
                env={},
                executable=shutil.which("bwrap"),
                start_new_session=True,  # a key pressed to stop marking is not for it
            )
        self.owner = os.getpid()
        self._ending = False
        self._answer(seconds)

    def start(self, options: dict[str, Any], line: socket.socket) -> int:
        order = json.dumps({"do": "start", "options": options}).encode()
        return int(self._order(order, [line.fileno()])["pid"])

    def end_fork(self, pid: int) -> None:
        """End a fork; the parent does that while this process goes on."""
        with contextlib.suppress(WorkerLost):
            self._settle()
            self._send(json.dumps({"do": "end", "pid": pid}).encode(), [])
            self._ending = True

    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """End the parent and all its forks; may be called more than once."""
        self._control.close()
        try:
            # The parent ends when the line does, and bubblewrap then ends all that is inside.
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._errors.close()

    def _order(self, text: bytes, descriptors: list[int]) -> dict[str, Any]:
        self._settle()
        self._send(text, descriptors)
        return self._answer(_ORDER_SECONDS)

    def _settle(self) -> None:
        """Hear that the last fork has ended, before anything else is said."""
        if self._ending:
            self._ending = False
            self._answer(_ORDER_SECONDS)

    def _send(self, text: bytes, descriptors: list[int]) -> None:
        try:
            self._control.settimeout(_ORDER_SECONDS)
            socket.send_fds(self._control, [text], descriptors)
        except OSError:
            self.end()
            raise WorkerLost("crashed") from None

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            self._control.settimeout(seconds)
            text = self._control.recv(65536)
        except OSError:
            text = b""
        if not text:
            words = self.last_words()
            self.end()
            raise WorkerLost(f"crashed: {words}" if words else "crashed")
        return dict(json.loads(text))

    def last_words(self) -> str:
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


class SealedFactory:
    """Forks of one sealed parent, which is started when it is first needed and when it is gone."""

    isolation = "sealed: bubblewrap + seccomp"

    def __init__(self, imports: Sequence[str] = _IMPORTS) -> None:
        self._imports = imports
        self._parent: _Parent | None = None

    def start(self, limits: Limits) -> Worker:
        parent = self._warm_parent(limits)
        return SealedWorker(parent, limits)

    def close(self) -> None:
        """End the parent; a later `start` makes a new one."""
        if self._parent is not None and self._parent.owner == os.getpid():
            self._parent.end()
        self._parent = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _warm_parent(self, limits: Limits) -> _Parent:
        if self._parent is not None and not self._parent.alive():
            self.close()
        if self._parent is None:
            self._parent = _Parent(limits.start, self._imports)
        return self._parent


class SealedWorker(LineWorker):
    """One fork."""

    def __init__(self, parent: _Parent, limits: Limits) -> None:
        self._parent, self._pid = parent, 0
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        options = {
            "folder": _folder(),
            "disk": _DISK,
            "memory": limits.memory,
            "file": min(limits.file, _DISK),
            "cpu": int(limits.notebook) + 60,
            "threads": 256 if _threads_are_counted_apart() else None,
            "output": limits.output,
        }
        with theirs:
            try:
                self._pid = parent.start(options, theirs)
            except WorkerLost:
                ours.close()
                raise
        try:
            self._receive(time.monotonic() + limits.start)
        except WorkerLost as lost:
            raise WorkerLost(f"{lost.kind}: {parent.last_words()}") from None

    def end(self) -> None:
        self._channel.close()
        if self._pid and self._parent.owner == os.getpid():
            pid, self._pid = self._pid, 0
            self._parent.end_fork(pid)


def _threads_are_counted_apart() -> bool:
    """Whether the limit of threads counts a user's threads inside alone (Linux 5.14), or root's."""
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    return os.geteuid() == 0 or release >= (5, 14)


# ---------------------------------------------------------------- whether it works here

#: What a notebook in the seal is asked to try; it says what it got through.
_TRIAL = """
import os, socket
def through(own):
    found = []
    def attempt(name, what):
        try:
            what()
            found.append(name)
        except OSError:
            pass
    attempt("a socket", lambda: socket.socket())
    attempt("a new process", lambda: os.waitpid(os.fork() or os._exit(0), 0))
    attempt("another program", lambda: os.execv("/usr/bin/true", ["true"]))
    attempt("the course's files", lambda: open(own))
    attempt("writing to Python", lambda: open(os.__file__ + "x", "w"))
    if os.getpid() != 1 or os.listdir("/proc"):
        found.append("other processes")
    open("file", "w").write("x")
    return found
"""


@functools.cache
def trial() -> str:
    """Why sealed marking does not work here, in a few words; "" when it does."""
    if not sys.platform.startswith("linux"):
        return "bubblewrap runs on Linux only"
    if shutil.which("bwrap") is None:
        return "bubblewrap (the program bwrap) is not installed"
    if platform.machine() not in ARCHITECTURES:
        return f"there is no seccomp filter for {platform.machine()}"
    factory = SealedFactory(imports=("numpy.random",))  # the seal is the same without torch in it
    try:
        return _try_out(factory)
    except (WorkerLost, OSError) as error:
        return f"the trial failed ({error})"
    finally:
        factory.close()


def _try_out(factory: SealedFactory) -> str:
    worker = factory.start(Limits())
    try:
        ran = worker.ask({"do": "run", "source": _TRIAL}, 30)
        request = {"do": "call", "name": "through", "args": (str(HERE / "seal.py"),), "kwargs": {}}
        got = worker.ask(request, 30)
    finally:
        worker.end()
    if ran.get("good") is not True or got.get("kind") != "value":
        return f"the trial could not be run ({got.get('message', '')})"
    return f"the seal let through: {', '.join(got['value'])}" if got["value"] else ""


def choose(unsealed: bool = False) -> WorkerFactory:
    """The sealed factory; where it does not work the plain one, if `unsealed`, or `SealFault`."""
    why = trial()
    if not why:
        return SealedFactory()
    if unsealed:
        return PlainFactory()
    raise SealFault(
        f"Sealed marking does not work on this machine: {why}; `grader doctor` says how to get it, "
        "and `--unsealed` marks without it, with nothing to stop hostile code."
    )
