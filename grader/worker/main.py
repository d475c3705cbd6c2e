"""The process that runs a student's notebook and then answers calls of the student's functions.

It is started as a file of its own, so that neither the checks nor the reference is on its path:
``python -I main.py OPTIONS`` with the options as JSON. From the course it loads `wire`, `student`
and `channel`, and nothing else. It holds no secret: whatever runs here belongs to the student.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import socket
import sys
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


# ---------------------------------------------------------------- what may be imported


class _Note:
    """What `check` and `hint` give here."""

    def __repr__(self) -> str:
        return "The course's own checks are made after the notebook has run."


def _note(*_: Any, **__: Any) -> _Note:
    return _Note()


class Gate:
    """Keeps the reference, the checks and the solutions from being imported; notes each attempt."""

    def __init__(self, allowed: list[str]) -> None:
        self.allowed = tuple(allowed)
        self.attempts: list[str] = []

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        __tracebackhide__ = True
        if name.partition(".")[0] not in ("gatedrnn", "grader", "solutions") or self._open(name):
            return None
        if len(self.attempts) < 20 and name[:80] not in self.attempts:
            self.attempts.append(name[:80])
        raise ModuleNotFoundError(
            f"`{name[:80]}` cannot be imported while a notebook is marked: "
            "what an exercise asks for is to be your own.",
            name=name,
        )

    def _open(self, name: str) -> bool:
        # A package may be entered on the way to a module in it that is allowed.
        return any(
            name == item or name.startswith(item + ".") or item.startswith(name + ".")
            for item in self.allowed
        )


def _load_course(gate: Gate) -> tuple[Any, Any, Any]:
    """Put a stand-in for `grader` in place and load the three modules that are needed here."""
    package = types.ModuleType("grader")
    package.__path__ = []
    package.check = package.hint = _note  # type: ignore[attr-defined]
    sys.modules["grader"] = package
    files = {
        "grader.wire": HERE.parent / "wire.py",
        "grader.tools": HERE.parent / "tools.py",
        "grader.student": HERE.parent / "student.py",
        "grader.worker": None,
        "grader.worker.channel": HERE / "channel.py",
    }
    for name, path in files.items():
        spec = None if path is None else importlib.util.spec_from_file_location(name, path)
        if spec is None:
            module = types.ModuleType(name)
            module.__path__ = []
        else:
            module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(module)
    sys.meta_path.insert(0, gate)
    names = ("grader.wire", "grader.student", "grader.worker.channel")
    return sys.modules[names[0]], sys.modules[names[1]], sys.modules[names[2]]


# ---------------------------------------------------------------- what a cell shows


class Shown:
    """What a cell printed and returned, as text, cut to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.start()

    def start(self) -> None:
        self.parts: list[dict[str, str]] = []
        self.left = self.limit
        self.cut = False

    def add(self, kind: str, text: str) -> None:
        text = text[: self.left + 1]
        if len(text) > self.left:
            text, self.cut = text[: self.left], True
        self.left -= len(text)
        if not text:
            return
        if self.parts and self.parts[-1]["kind"] == kind and kind in ("stdout", "stderr"):
            self.parts[-1]["text"] += text
        else:
            self.parts.append({"kind": kind, "text": text})


class _Stream(io.TextIOBase):
    encoding = "utf-8"

    def __init__(self, shown: Shown, kind: str) -> None:
        self._shown, self._kind = shown, kind

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._shown.add(self._kind, str(text))
        return len(text)


_NO_PROGRAMS = "Other programs are not run while a notebook is marked.\n"


def _make_shell(shown: Shown, programs: bool) -> Any:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.text import SList
    from traitlets import Type
    from traitlets.config import Config

    def plain(data: Any) -> str:
        return str(data.get("text/plain", "")) if isinstance(data, dict) else ""

    class Hook(DisplayHook):
        def write_output_prompt(self) -> None:
            pass

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            shown.add("result", plain(format_dict))

        def finish_displayhook(self) -> None:
            pass

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, *_: Any, **__: Any) -> None:
            shown.add("display", plain(data))

        def clear_output(self, wait: bool = False) -> None:
            pass

    class Shell(InteractiveShell):
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)

        def enable_gui(self, gui: Any = None) -> None:
            pass  # a magic that asks for windows asks for nothing here

        def ask_exit(self) -> None:
            pass  # `exit` in a cell ends nothing: the cells after it still run

        def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
            shown.add("error", re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(stb)))

        def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
            # One that is not installed here, or fails here, costs nothing of what stands below it.
            try:
                return super().run_line_magic(magic_name, line, _stack_depth + 1)
            except Exception:
                self.showtraceback()
                return None

        def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
            unknown = self.find_cell_magic(magic_name) is None
            if unknown and self.check_complete(cell)[0] != "invalid":  # around Python of their own
                return self.run_cell(cell)
            return super().run_cell_magic(magic_name, line, cell)

        def system(self, cmd: str) -> None:
            if programs:
                super().system(cmd)
            else:
                shown.add("stdout", _NO_PROGRAMS)

        def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
            if programs:
                return super().getoutput(cmd, split=split, depth=depth + 1)
            shown.add("stdout", _NO_PROGRAMS)
            return SList() if split else ""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    return Shell.instance(config=config)


# ---------------------------------------------------------------- answering


class Desk:
    """Does what the marking process asks: run a cell, call a function."""

    def __init__(self, gate: Gate, student: Any, programs: bool = True) -> None:
        self._gate = gate
        self._invoke = student.invoke
        self._shown = Shown(0)
        self._shell = _make_shell(self._shown, programs)

    def show_at_most(self, characters: int) -> None:
        self._shown.limit = characters

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "run":
            return self._run(request["source"])
        without = request.get("without", ())
        return self._call(request["name"], request["args"], request["kwargs"], without)

    def _run(self, source: str) -> dict[str, Any]:
        self._shown.start()
        out, err = _Stream(self._shown, "stdout"), _Stream(self._shown, "stderr")
        good = False
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            good = bool(self._shell.run_cell(source, store_history=True).success)
        with contextlib.suppress(Exception):
            pyplot = sys.modules.get("matplotlib.pyplot")
            if pyplot is not None:  # a figure left open would cost memory to the end
                pyplot.close("all")
        return {
            "good": good,
            "shown": list(self._shown.parts),
            "cut": self._shown.cut,
            "attempts": list(self._gate.attempts),
        }

    def _call(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        without: tuple[str, ...],
    ) -> dict[str, Any]:
        outcome = self._invoke(self._shell.user_ns, name, args, kwargs, without)
        return {
            "kind": outcome.kind,
            "value": outcome.value,
            "arguments": tuple(outcome.arguments),
            "keywords": dict(outcome.keywords),
            "error": outcome.error,
            "tried": outcome.tried,
            "message": outcome.message,
            "attempts": list(self._gate.attempts),
        }


def _die_with_the_parent() -> None:
    """On Linux: a loop must not go on for ever when the marking process is killed."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        set_death_signal, kill = 1, 9
        ctypes.CDLL(None).prctl(set_death_signal, kill, 0, 0, 0)


def _limit(options: dict[str, Any]) -> None:
    try:
        import resource
    except ImportError:  # not a Unix: the time limits still hold
        return
    wanted = {
        "RLIMIT_AS": options["memory"],
        "RLIMIT_FSIZE": options["file"],
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


class Room:
    """What there is before the notebook comes: the course's modules, the gate, IPython's shell."""

    def __init__(self, allowed: list[str], programs: bool = True) -> None:
        gate = Gate(allowed)
        self._wire, student, self._channel = _load_course(gate)
        self._desk = Desk(gate, student, programs)

    def serve(self, descriptor: int, output: int) -> None:
        """Answer requests on a socket until the other side hangs up."""
        self._desk.show_at_most(output)
        line = socket.socket(fileno=descriptor)
        line.set_inheritable(False)
        channel = self._channel.Channel(line)
        channel.send({"ready": True})
        while True:
            try:
                request = channel.receive()
            except self._channel.Closed:
                os._exit(0)
            reply = self._answer(request)
            try:
                channel.send({"id": request["id"], **reply})
            except self._wire.Unusable as error:
                words = f"It gave {error}."
                channel.send({"id": request["id"], "kind": "unusable", "message": words})

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._desk.answer(request)
        except BaseException as error:  # also SystemExit and KeyboardInterrupt of the student's
            text = f"it ended in {type(error).__name__}"
            reply = {"kind": "raised", "error": type(error).__name__, "message": text}
            return reply | {"good": False, "shown": [{"kind": "error", "text": text}], "cut": False}


def main(options: dict[str, Any]) -> None:
    """Serve requests until the other side hangs up."""
    _die_with_the_parent()
    _limit(options)
    Room(options["allowed"]).serve(options["fd"], options["output"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
