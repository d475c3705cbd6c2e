"""What a check knows of a student: a name to call, and what came of it.

Every world gives the same `Student`: the worked solution, a misconception, the live notebook, and
the process that ran a submission. They differ only in `_invoke`.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader import wire

#: How a call can end.
KINDS = ("value", "raised", "unwritten", "missing", "unusable", "timeout", "crashed")


@dataclass(frozen=True)
class Outcome:
    """What one call of a student's function came to."""

    kind: str
    value: Any = None
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""  # the exception's type
    message: str = ""  # what to tell the student


@dataclass(frozen=True)
class Call:
    """One call: what was asked, and what it came to."""

    name: str
    asked: bytes = field(repr=False)  # arguments and keywords; most calls are never looked at again
    outcome: Outcome

    @property
    def arguments(self) -> tuple[Any, ...]:
        """A fresh copy of the arguments."""
        return tuple(wire.loads(self.asked)[0])

    @property
    def keywords(self) -> dict[str, Any]:
        """A fresh copy of the arguments given by name."""
        return dict(wire.loads(self.asked)[1])


class StudentFault(AssertionError):
    """The student's code gave nothing to compare; the message is for the student."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class Student(ABC):
    """A student's names. `student.gru_cell(x, h, params)` calls the student's `gru_cell`.

    The student's function gets copies of the arguments, so nothing that it does to them reaches the
    check. A call that gives no usable value raises `StudentFault`. `student.observe(...)` returns
    the whole `Outcome` instead of raising.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []

    @abstractmethod
    def _invoke(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome: ...

    def observe(self, name: str, /, *args: Any, **kwargs: Any) -> Outcome:
        asked = wire.dumps((args, kwargs))
        outcome = self._invoke(name, args, kwargs)
        self.calls.append(Call(name, asked, outcome))
        return outcome

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            outcome = self.observe(name, *args, **kwargs)
            if outcome.kind != "value":
                raise StudentFault(outcome)
            return outcome.value

        return call


class LocalStudent(Student):
    """A student whose names live in this process: a notebook's namespace, or a worked solution."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        super().__init__()
        self._namespace = namespace

    def _invoke(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        return invoke(self._namespace, name, wire.clone(args), wire.clone(kwargs))


def invoke(
    namespace: Mapping[str, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Outcome:
    """Call `namespace[name]` and say what came of it. The arguments are given away, not copied."""
    if name not in namespace:
        return Outcome(
            "missing", message=f"`{name}` is not defined. Run the cell that defines it, then check."
        )
    function = namespace[name]
    if not callable(function):
        kind = type(function).__name__
        return Outcome(
            "missing",
            message=f"`{name}` is a {kind}, not a function. "
            f"Has a later cell used the name `{name}` for something else?",
        )
    try:
        # A student's prints and warnings are theirs; they must not reach a cell that is marked.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            value = function(*args, **kwargs)
    except KeyboardInterrupt:
        raise
    except NotImplementedError as error:
        if not _was_left_blank(error):
            return _raised(name, error)
        return Outcome(
            "unwritten", error="NotImplementedError", message=f"`{name}` is not written yet."
        )
    except BaseException as error:  # SystemExit and pytest's own exceptions included
        return _raised(name, error)
    try:
        return Outcome("value", wire.clone(value), wire.clone(args), wire.clone(kwargs))
    except wire.Unusable as error:
        return Outcome("unusable", message=f"`{name}` returned {error}.")


#: The text that the released notebook raises where an answer is to be written.
BLANK = "your answer goes here"


def _was_left_blank(error: BaseException) -> bool:
    return str(error) in (BLANK, "")


def _raised(name: str, error: BaseException) -> Outcome:
    kind = type(error).__name__
    try:
        words = str(error).strip().splitlines()
        text = f"{kind}: {words[0][:300]}" if words else kind
    except BaseException:  # an exception whose text cannot be had is still an exception
        text = kind
    return Outcome("raised", error=kind, message=f"`{name}` raised {text}{_where(error)}")


def _where(error: BaseException) -> str:
    """The last line of the student's own code that the error passed through."""
    with contextlib.suppress(BaseException):
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename == __file__ or "site-packages" in frame.filename:
                continue
            line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            return f" (line {frame.lineno} of `{frame.name}`: `{line}`)" if line else ""
    return ""
