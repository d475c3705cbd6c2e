"""Mark one submission: a pure function of its bytes, the course and the seed.

The notebook's cells run in a process of their own; the checks run here, and ask that process to
call the student's functions. A cell or a call that hangs or ends the process costs what depends on
it: the process is started afresh without it.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import submission, units, wire
from grader.course import UnitSource
from grader.engine import CheckResult, ChecksUnreadable, list_checks, run_checks
from grader.exercise import Misconception
from grader.files import printable, room
from grader.plan import Plan, Planned, lay_out
from grader.recognise import recognise
from grader.student import KINDS, Outcome, Student
from grader.worker.launch import Limits, PlainFactory, Worker, WorkerFactory, WorkerLost

#: Bytes of what all cells of a notebook show; what is beyond them is cut.
SHOWN = 2_000_000
#: Bytes of all answers of a notebook; they are kept until its misconceptions are looked for.
ANSWERS = 256 * 2**20


class MarkingFault(RuntimeError):
    """Marking itself failed; the submission is not to blame."""


@dataclass
class CellRun:
    """What became of a cell: "ran", "raised", "timeout", "crashed" or "not run"."""

    status: str = "not run"
    shown: list[dict[str, str]] = field(default_factory=list)
    cut: bool = False


# ---------------------------------------------------------------- the student's process


class Session:
    """A notebook that has been run, and can be asked to call its functions again and again."""

    def __init__(self, cells: list[Planned], factory: WorkerFactory, limits: Limits) -> None:
        self._cells = cells
        self._factory = factory
        self._limits = limits
        self._worker: Worker | None = None
        self._deaths: dict[str, int] = {}
        self.runs = [CellRun() for _ in cells]
        self.spent = 0.0
        self._shown_left = SHOWN
        self._answers_left = ANSWERS
        self.limits_hit: list[str] = []
        self.attempts: set[str] = set()
        self.tools_tried: dict[tuple[str, str], None] = {}

    def run(self) -> None:
        """Run all cells in order; those that hang or end the process are left out."""
        while self._worker is None and not self._used_up():
            started = time.monotonic()
            self._worker = self._start()
            if self.limits_hit:  # the first start is ours; those that it makes necessary are not
                self.spent += time.monotonic() - started
            for index, cell in enumerate(self._cells):
                if cell.runs and self.runs[index].status not in ("timeout", "crashed"):
                    self._run_cell(index, cell)
                    if self._worker is None:
                        break

    def call(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        without: tuple[str, ...] = (),
    ) -> Outcome:
        """Call the student's function `name`, with these tools left out."""
        if self._deaths.get(name, 0) >= self._limits.deaths:
            return Outcome(
                "timeout",
                message=f"`{name}` was not called again: "
                f"{self._limits.deaths} earlier calls had to be stopped.",
            )
        self.run()
        if self._worker is None:
            return Outcome(
                "timeout",
                message=f"`{name}` was not called: the notebook had used up its "
                f"{self._limits.notebook:g} seconds.",
            )
        try:
            request = {"name": name, "args": args, "kwargs": kwargs, "without": without}
            reply = self._ask({"do": "call", **request}, self._limits.call)
        except WorkerLost as lost:
            self._deaths[name] = self._deaths.get(name, 0) + 1
            return self._lost(name, lost.kind)
        self._answers_left -= wire.weight(reply)
        if self._answers_left < 0:
            size = f"{ANSWERS // 2**20} MiB"
            self._hit(f"the answers took more than {size} in all, and the later ones were dropped")
            return Outcome(
                "unusable", message=f"`{name}`: the answers of this notebook took over {size}."
            )
        tried = reply.get("tried")
        if isinstance(tried, tuple):
            named = {tool for tool in tried if isinstance(tool, str)}
            self.tools_tried |= {(name, tool): None for tool in without if tool in named}
        return _outcome(reply, name, args, kwargs)

    def end(self) -> None:
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _start(self) -> Worker:
        for attempt in (1, 2):
            try:
                return self._factory.start(self._limits)
            except (WorkerLost, OSError) as error:
                if attempt == 2:
                    raise MarkingFault(
                        f"No process could be started to run it ({error})."
                    ) from None
        raise AssertionError

    def _run_cell(self, index: int, cell: Planned) -> None:
        run = self.runs[index]
        try:
            reply = self._ask({"do": "run", "source": cell.source}, self._limits.cell)
        except WorkerLost as lost:
            run.status = lost.kind
            where = f"cell {index + 1}"
            if lost.kind == "timeout" and not self._used_up():
                self._hit(f"{where} ran longer than {self._limits.cell:g} s and was stopped")
            elif lost.kind != "timeout":
                self._hit(f"{where} ended the process that ran it")
            return
        if run.status == "not run":  # what a cell shows is what it showed the first time
            run.status = "ran" if reply.get("good") is True else "raised"
            limit = max(0, min(self._limits.output, self._shown_left))
            run.shown, cut = _shown(reply.get("shown"), limit)
            run.cut = cut or reply.get("cut") is True
            self._shown_left -= sum(room(part["text"]) for part in run.shown)

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert self._worker is not None
        started = time.monotonic()
        try:
            seconds = max(0.1, min(seconds, self._limits.notebook - self.spent))
            reply = self._worker.ask(request, seconds)
        except WorkerLost:
            self._worker = None
            raise
        finally:
            self.spent += time.monotonic() - started
        attempts = reply.get("attempts")
        for name in attempts[:20] if isinstance(attempts, list) else ():
            if isinstance(name, str) and len(self.attempts) < 20:
                self.attempts.add(printable(name[:80]))
        return reply

    def _used_up(self) -> bool:
        if self.spent < self._limits.notebook:
            return False
        self._hit(f"the notebook used up its {self._limits.notebook:g} s")
        return True

    def _lost(self, name: str, kind: str) -> Outcome:
        if kind == "timeout" and self._used_up():
            words = f"`{name}` was stopped: the notebook had used up its time."
        elif kind == "timeout":
            self._hit(
                f"the function {name} ran longer than {self._limits.call:g} s and was stopped"
            )
            words = f"`{name}` did not return within {self._limits.call:g} seconds."
        else:
            self._hit(f"the function {name} ended the process that ran it")
            words = f"The process ended while `{name}` ran."
        return Outcome(kind, message=words)

    def _hit(self, words: str) -> None:
        if words not in self.limits_hit:
            self.limits_hit.append(words)


def _shown(parts: Any, limit: int) -> tuple[list[dict[str, str]], bool]:
    """What a cell is said to have shown, and whether it was cut: texts of known kinds."""
    kept: list[dict[str, str]] = []
    cut = False
    for part in parts[:1000] if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            continue
        kind, text = part.get("kind"), part.get("text")
        if not isinstance(kind, str) or not isinstance(text, str):
            continue
        if kind in ("stdout", "stderr", "result", "display", "error"):
            cut = cut or len(text) > limit
            if text := text[:limit]:
                kept.append({"kind": kind, "text": text})
            limit -= len(text)
    return kept, cut


def _outcome(
    reply: dict[str, Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Outcome:
    kind, arguments, keywords = (reply.get(k) for k in ("kind", "arguments", "keywords"))
    arguments = arguments if isinstance(arguments, tuple) else ()
    keywords = keywords if isinstance(keywords, dict) else {}
    # A value comes back with all that it was asked with: what is kept back could have been changed.
    whole = len(arguments) == len(args) and keywords.keys() == kwargs.keys()
    if not isinstance(kind, str) or kind not in KINDS[:5] or (kind == "value" and not whole):
        return Outcome("crashed", message=f"The process gave no answer for `{name}`.")
    return Outcome(
        kind,
        value=reply.get("value"),
        arguments=arguments,
        keywords=keywords,
        error=_words(reply.get("error"), 100),
        message=_without_draws(_words(reply.get("message"), 1000)),
    )


def _words(text: Any, limit: int) -> str:
    return text[:limit] if isinstance(text, str) else ""


def _without_draws(text: str) -> str:
    """An error's words without long numbers: a report shows nothing of what a check has drawn."""
    return re.sub(r"\d*\.\d{4,}(e[+-]?\d+)?", "…", text)


class RemoteStudent(Student):
    """A student whose names live in the process that ran the notebook."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def _invoke(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        return self._session.call(name, args, kwargs, self.without)


# ---------------------------------------------------------------- a mark


@dataclass
class Marked:
    """Everything that came of one submission."""

    slug: str
    digest: str
    seed: int
    status: str  # "marked", "unreadable", "missing" or "grader fault"
    reason: str
    plan: Plan
    runs: list[CellRun]
    results: list[CheckResult]
    recognised: dict[str, list[Misconception]]
    flags: list[str]
    limits_hit: list[str]
    limits: Limits
    isolation: str
    seconds: float


def mark(
    path: Path,
    unit: UnitSource,
    *,
    factory: WorkerFactory | None = None,
    limits: Limits | None = None,
    seed: int | None = None,
) -> Marked:
    """Mark the notebook at `path` as an answer to `unit`, whatever is wrong with it."""
    seed = secrets.randbelow(2**63) if seed is None else seed
    factory, limits = factory or PlainFactory(), limits or Limits()
    return mark_read(lambda: submission.read(path), unit, factory=factory, limits=limits, seed=seed)


def mark_read(
    read: Callable[[], submission.Submission],
    unit: UnitSource,
    *,
    factory: WorkerFactory,
    limits: Limits,
    seed: int,
) -> Marked:
    """Mark the notebook that `read` gives, or that it says cannot be read."""
    started = time.monotonic()
    marked = _unmarked(unit, limits, seed, factory.isolation)
    try:
        handed_in = read()
    except submission.Unreadable as error:
        marked.status = "missing" if isinstance(error, submission.Missing) else "unreadable"
        marked.reason, marked.digest = str(error), error.digest
        marked.runs = [CellRun() for _ in marked.plan.cells]
        marked.results = _nothing(unit.slug)
        marked.flags.append(str(error))
    else:
        marked.digest = handed_in.digest
        marked.plan = lay_out(unit, handed_in)
        _judge(marked, unit, factory, limits, seed)
    marked.seconds = time.monotonic() - started
    return marked


def mark_nothing(
    read: Callable[[], submission.Submission],
    unit: UnitSource,
    reason: str,
    limits: Limits,
    seed: int,
) -> Marked:
    """What stands for a mark that could not be made, through no fault of the reading."""
    marked = _unmarked(unit, limits, seed, "not run")
    with contextlib.suppress(submission.Unreadable):
        handed_in = read()
        marked.digest, marked.plan = handed_in.digest, lay_out(unit, handed_in)
    marked.status, marked.reason = "grader fault", reason
    marked.runs = [CellRun() for _ in marked.plan.cells]
    marked.results = _nothing(unit.slug)
    marked.flags.append(reason)
    return marked


def _unmarked(unit: UnitSource, limits: Limits, seed: int, isolation: str) -> Marked:
    return Marked(
        unit.slug, "", seed, "marked", "", lay_out(unit, None), [], [], {}, [], [], limits,
        isolation, 0.0,
    )  # fmt: skip


def _judge(
    marked: Marked, unit: UnitSource, factory: WorkerFactory, limits: Limits, seed: int
) -> None:
    session = Session(list(marked.plan.cells), factory, limits)
    try:
        session.run()
        marked.results = run_checks(unit.slug, RemoteStudent(session), seed)
        marked.recognised = recognise(marked.results, units.misconceptions(unit.slug))
    except ChecksUnreadable:
        raise
    except Exception as error:  # whatever one notebook brings about must not stop the others
        marked.status, marked.reason = "grader fault", _fault(error)
        marked.results = _nothing(unit.slug)
    finally:
        session.end()
    marked.runs, marked.limits_hit = session.runs, session.limits_hit
    faults = [r for r in marked.results if r.status == "grader fault"]
    if faults and marked.status == "marked":
        marked.status, marked.reason = "grader fault", faults[0].message
    if marked.status == "grader fault":
        marked.flags.append(marked.reason)
    marked.flags += [_sentence(words) for words in session.limits_hit]
    marked.flags += marked.plan.oddities
    marked.flags += [
        f"The answer `{name}` used {tool}, which its exercise leaves out; it was refused."
        for name, tool in session.tools_tried
    ]
    if session.attempts:
        names = ", ".join(sorted(session.attempts))
        marked.flags.append(f"The notebook tried to import {names}, which is not open to it.")


def _fault(error: Exception) -> str:
    """What went wrong, and where in our code; what the error says could be a hand-in's words."""
    if isinstance(error, MarkingFault):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in line {at.lineno} of {Path(at.filename).name}"
    return f"Marking it met a fault of the grader's own ({where})."


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _nothing(slug: str) -> list[CheckResult]:
    """Every check of the unit, none of them tried."""
    return [
        CheckResult(i.check, i.exercise, i.sentence, i.worth, "not tried")
        for i in list_checks(slug)
    ]
