"""The sealed parent: everything is imported once, and each notebook runs in a fork of it.

It runs inside bubblewrap, as ``python -I parent.py OPTIONS``, and takes orders on one socket:
"start" comes with the socket of a new fork, "end" ends one. It runs no student's code itself. A
fork gives up every right, one after the other, before it listens to anybody.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import resource
import signal
import socket
import sys
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

_NEW_MOUNTS, _NEW_IPC, _NEW_PIDS = 0x00020000, 0x08000000, 0x20000000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_SET_DEATH_SIGNAL = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _load(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"sealed_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount_memory(place: str, flags: int, options: str) -> None:
    done = _libc.mount(b"tmpfs", place.encode(), b"tmpfs", flags, options.encode())
    _check(done, f"no private {place}")


# ---------------------------------------------------------------- a fork


class Fork:
    """What a fork does to itself, in order."""

    def __init__(self, options: dict[str, Any], descriptor: int, uid: int | None) -> None:
        self.options, self.descriptor, self.uid = options, descriptor, uid

    def seal(self, seccomp: types.ModuleType) -> None:
        """Give up all rights; raises `OSError` when anything of it is refused."""
        self._close_descriptors()
        _libc.prctl(_SET_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
        self._make_private_folder()
        self._limit()
        self._give_up_rights()
        os.chdir(self.options["folder"])
        seccomp.install()
        os.dup2(0, 2)  # last: until here, what is refused is said on the parent's stderr

    def _close_descriptors(self) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1):
            os.dup2(nothing, standard)
        os.closerange(3, self.descriptor)
        os.closerange(self.descriptor + 1, 4096)

    def _make_private_folder(self) -> None:
        folder = self.options["folder"]
        _check(_libc.unshare(_NEW_MOUNTS | _NEW_IPC), "no namespaces of its own")
        owner = 0 if self.uid is None else self.uid
        room = f"size={self.options['disk']},nr_inodes=4096,mode=700,uid={owner},gid={owner}"
        _mount_memory(folder, _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS, room)
        # What /proc says of the machine and of the parent is nobody's business here.
        closed = _READ_ONLY | _NO_SETUID | _NO_DEVICES
        _mount_memory("/proc", closed, "size=4k,nr_inodes=2,mode=555")

    def _limit(self) -> None:
        wanted = {
            resource.RLIMIT_AS: self.options["memory"],
            resource.RLIMIT_FSIZE: self.options["file"],
            resource.RLIMIT_CPU: self.options["cpu"],
            resource.RLIMIT_NPROC: self.options["threads"],
            resource.RLIMIT_NOFILE: 256,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_MEMLOCK: 0,
            resource.RLIMIT_MSGQUEUE: 0,
        }
        for what, value in wanted.items():
            if value is not None:
                resource.setrlimit(what, (value, value))

    def _give_up_rights(self) -> None:
        if self.uid is not None:
            os.setgroups([])
            os.setresgid(self.uid, self.uid, self.uid)
            os.setresuid(self.uid, self.uid, self.uid)
            _libc.prctl(_SET_DEATH_SIGNAL, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
        clear_ambient, ambient = 4, 47
        _libc.prctl(ambient, ctypes.c_ulong(clear_ambient), 0, 0, 0)
        version_3 = (ctypes.c_uint32 * 2)(0x20080522, 0)
        no_rights = (ctypes.c_uint32 * 6)()
        _check(_libc.capset(version_3, no_rights), "rights cannot be given up")


# ---------------------------------------------------------------- the parent


class Parent:
    """Starts and ends forks, as it is told."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._control = socket.socket(fileno=options["fd"])
        self._first_uid: int | None = options["first_uid"]
        self._started = 0
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        _import_everything(options["imports"])
        self._seccomp = _load("seccomp")
        self._room = _load("main").Room(options["allowed"], programs=False)
        gc.collect()
        gc.freeze()  # so that a fork's collector does not copy what all share

    def serve(self) -> None:
        self._reply({"ready": True})
        while True:
            text, descriptors, _, _ = socket.recv_fds(self._control, 65536, 1)
            if not text:
                return
            order = json.loads(text)
            if order["do"] == "start":
                self._reply({"pid": self._start(order["options"], descriptors[0])})
            else:
                self._end(order["pid"])
                self._reply({"ended": order["pid"]})

    def _reply(self, answer: dict[str, Any]) -> None:
        self._control.send(json.dumps(answer).encode())

    def _start(self, options: dict[str, Any], descriptor: int) -> int:
        self._started += 1
        uid = None if self._first_uid is None else self._first_uid + self._started % 100_000
        # The fork is the first process of a new namespace; the next fork needs another one.
        _check(_libc.unshare(_NEW_PIDS), "no process namespace")
        pid = os.fork()
        if pid == 0:
            self._become(Fork(options, descriptor, uid))
        _check(_libc.setns(self._own_pids, _NEW_PIDS), "no way back to the parent's processes")
        os.close(descriptor)
        return pid

    def _become(self, fork: Fork) -> None:
        try:
            try:
                sys.modules["numpy"].random.seed()  # else all forks would draw the same numbers
                fork.seal(self._seccomp)
            except Exception as error:
                print(f"a fork cannot be sealed: {error}", file=sys.stderr, flush=True)
                os._exit(1)
            self._room.serve(fork.descriptor, fork.options["output"])
        finally:
            os._exit(1)

    def _end(self, pid: int) -> None:
        # It is the first process of its namespace: all others in it end with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _import_everything(names: list[str]) -> None:
    for name in names:
        importlib.import_module(name)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


if __name__ == "__main__":
    _options = json.loads(sys.argv[1])
    sys.path.append(_options["course"])
    Parent(_options).serve()
