"""Start and end the process that runs a submission.

`WorkerFactory` is the seam: whoever can give a process with a channel to it can mark. The plain
factory starts an ordinary subprocess with limits of time and memory; it keeps accidents in, not
attacks, and each record says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from grader import wire
from grader.files import part_in, sweep
from grader.worker.channel import Channel, Closed

MAIN = Path(__file__).with_name("main.py")

#: What a notebook may import from the course while it is marked: data and drawing, no answers.
ALLOWED = ("gatedrnn.data", "gatedrnn.figures")


@dataclass(frozen=True)
class Limits:
    """How much a submission may use. Times are seconds, sizes are bytes."""

    start: float = 60.0
    cell: float = 30.0
    call: float = 10.0
    notebook: float = 180.0
    #: Calls of one function that may hang or end the process before it is no longer called.
    deaths: int = 2
    memory: int = 3 * 2**30
    file: int = 64 * 2**20
    #: Characters kept of what one cell prints.
    output: int = 20_000

    def asdict(self) -> dict[str, Any]:
        return asdict(self)


class WorkerLost(RuntimeError):
    """The process could not be started, or is gone: `kind` is "timeout" or "crashed"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Worker(Protocol):
    """A process that answers requests."""

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The reply to `request`; raises `WorkerLost` when none comes in time or in order."""
        ...

    def end(self) -> None:
        """End the process at once; may be called more than once."""
        ...


class WorkerFactory(Protocol):
    """Gives fresh processes, each as if no notebook had run before."""

    isolation: str

    def start(self, limits: Limits) -> Worker:
        """A process that is ready; raises `WorkerLost`."""
        ...


def end_with_parent(parent: int) -> None:
    """On Linux: end this process at once when the one that started it, `parent`, ends."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before that was said
        os._exit(1)


class PlainFactory:
    """Ordinary subprocesses with limits of time and memory."""

    isolation = "plain subprocess"

    def start(self, limits: Limits) -> Worker:
        return PlainWorker(limits)


class LineWorker(ABC):
    """A process at the other end of a socket. Whatever it says may be false."""

    _channel: Channel

    @abstractmethod
    def end(self) -> None: ...

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        # Not to be guessed: a reply that was made up beforehand ends the cell that made it up.
        number = secrets.randbits(64)
        deadline = time.monotonic() + seconds
        try:
            self._channel.send({"id": number, **request}, deadline)
        except TimeoutError:
            self._lose("timeout")
        except Closed:
            self._lose("crashed")
        reply = self._receive(deadline)
        # A reply that was not asked for, or not yet, is no reply.
        said = reply.get("id")
        if type(said) is not int or said != number:
            self._lose("crashed")
        return reply

    def _receive(self, deadline: float) -> dict[str, Any]:
        try:
            reply = self._channel.receive(deadline)
        except TimeoutError:
            self._lose("timeout")
        except (Closed, wire.BadFrame):
            self._lose("crashed")
        if not isinstance(reply, dict):
            self._lose("crashed")
        return dict(reply)

    def _lose(self, kind: str) -> Any:
        self.end()
        raise WorkerLost(kind)


class PlainWorker(LineWorker):
    """One subprocess, in a folder of its own that is removed when it ends."""

    def __init__(self, limits: Limits) -> None:
        temporary = Path(tempfile.gettempdir())
        sweep(temporary)  # what a run that was killed has left
        self._folder = str(part_in(temporary))
        os.mkdir(self._folder, 0o700)
        ours, theirs = socket.socketpair()
        options = {
            "fd": theirs.fileno(),
            "memory": limits.memory,
            "file": limits.file,
            "output": limits.output,
            "allowed": list(ALLOWED),
        }
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", str(MAIN), json.dumps(options)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=self._folder,
                    env=_environment(self._folder),
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._channel = Channel(ours)
        self._receive(time.monotonic() + limits.start)

    def end(self) -> None:
        self._channel.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


#: One thread, so that two submissions do not slow each other down.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def _environment(folder: str) -> dict[str, str]:
    """Only what Python needs."""
    kept = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "GATEDRNN_DATA")
    _copy_font_list(folder)
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        **dict.fromkeys(THREAD_VARIABLES, "1"),
        "HOME": folder,
        "TMPDIR": folder,
        "IPYTHONDIR": os.path.join(folder, "ipython"),
        "MPLCONFIGDIR": os.path.join(folder, "mpl"),
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": "0",
    }


def _copy_font_list(folder: str) -> None:
    """Matplotlib takes seconds to list the fonts in a new folder; a list made before saves them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "matplotlib"
    target = Path(folder, "mpl")
    target.mkdir()
    for path in cache.glob("fontlist-*.json"):
        with contextlib.suppress(OSError):
            shutil.copy(path, target)
