"""Make many marks at once, wherever there are processes for it; none that ends early costs a mark.

A `Crew` is a place where jobs are done: this process, or processes beside it. `do_all` is the
same for each. A job whose process ended is done again at the end, with no other beside it,
so that one that ends its process each time is known for it and is given up.
"""

from __future__ import annotations

import contextlib
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from grader import lean  # noqa: F401 (to be imported first)
from grader.job import Job, given_up, judge
from grader.worker.launch import WorkerFactory, end_with_parent

#: As often as this the process that does a job may end before the job is given up.
ENDS = 3
#: So many jobs given up one after another are no fault of theirs.
GIVEN_UP = 10
_WHY = f"The process that marked this hand-in ended {ENDS} times, so it is not marked: look at it."

Name = TypeVar("Name")
#: A job's number with its record, or with None when the process that did it has ended.
Done = tuple[int, dict[str, Any] | None]


class PoolFault(RuntimeError):
    """Nobody is left to mark; the message is one sentence that says what to do."""


class Crew(ABC):
    """Does jobs; those under way are known by numbers."""

    @abstractmethod
    def free(self) -> int:
        """How many more jobs are worth having under way."""

    @abstractmethod
    def take(self, number: int, one: Job) -> None:
        """Begin a job."""

    @abstractmethod
    def next(self) -> list[Done]:
        """Wait until some of the jobs under way have ended, and say how."""

    def close(self) -> None:  # noqa: B027 (most have nothing to close)
        """Let all processes go; what is under way is dropped."""


def do_all(crew: Crew, jobs: Iterable[tuple[Name, Job]]) -> Iterator[tuple[Name, dict[str, Any]]]:
    """The records of all jobs, as they come. Few are under way at once: memory does not grow."""
    waiting = enumerate(jobs)
    running: dict[int, tuple[Name, Job]] = {}
    lost: list[tuple[Name, Job]] = []
    more = True
    while more or running:
        while more and (crew.free() > 0 or not running):  # `take` waits for a place
            number, named = next(waiting, (-1, None))
            if named is None:
                more = False
                break
            running[number] = named
            crew.take(number, named[1])
        for number, made in crew.next() if running else ():
            name, one = running.pop(number)
            if made is None:
                lost.append((name, one))
            else:
                yield name, made
    given = 0
    for name, one in lost:
        made = _alone(crew, one)
        given = 0 if made is not None else given + 1
        if given == GIVEN_UP:
            raise PoolFault(
                f"The processes that mark keep ending, {given} hand-ins in a row: perhaps there is "
                "too little memory; what is marked is kept: run the command again, with --jobs 1."
            )
        yield name, made or given_up(one, _WHY)


def _alone(crew: Crew, one: Job) -> dict[str, Any] | None:
    """Do a job again whose process has ended once; None when it is given up."""
    for number in range(-1, -ENDS, -1):
        crew.take(number, one)
        done: list[Done] = []
        while not done:
            done = crew.next()
        if done[0][1] is not None:
            return done[0][1]
    return None


# ---------------------------------------------------------------- on this machine


class Here(Crew):
    """One job at a time in this process."""

    def __init__(self, factory: WorkerFactory) -> None:
        self._factory = factory
        self._job: tuple[int, Job] | None = None

    def free(self) -> int:
        return int(self._job is None)

    def take(self, number: int, one: Job) -> None:
        self._job = number, one

    def next(self) -> list[Done]:
        assert self._job is not None
        (number, one), self._job = self._job, None
        return [(number, judge(one, self._factory))]


class Local(Crew):
    """Processes on this machine, `size` of them. They end with this one, however it ends."""

    def __init__(self, size: int, factory: Callable[[], WorkerFactory]) -> None:
        self._factory = factory
        self._desks = [_Desk(factory) for _ in range(size)]

    def free(self) -> int:
        return sum(_AHEAD - len(desk.jobs) for desk in self._desks)

    def take(self, number: int, one: Job) -> None:
        min(self._desks, key=lambda desk: len(desk.jobs)).take(number, one)

    def next(self) -> list[Done]:
        ready = wait([desk.line for desk in self._desks if desk.jobs])
        done: list[Done] = []
        for desk in [desk for desk in self._desks if desk.line in ready]:
            number = next(iter(desk.jobs))
            made = desk.receive()
            done.append((number, made))
            if made is None:
                self._replace(desk)
        return done

    def _replace(self, desk: _Desk) -> None:
        """Another process in the place of one that has ended; it gets the jobs that wait there."""
        desk.end()
        other = _Desk(self._factory)
        self._desks[self._desks.index(desk)] = other
        for number, one in desk.jobs.items():
            other.take(number, one)

    def close(self) -> None:
        for desk in self._desks:
            desk.let_go()
        for desk in self._desks:
            desk.end()


#: Jobs for each process: the one that it does, and the next.
_AHEAD = 2
#: A process that has nothing to do ends well within this time.
_END_SECONDS = 5.0


class _Desk:
    """One process that marks, and what it has been given, the oldest first."""

    def __init__(self, factory: Callable[[], WorkerFactory]) -> None:
        # A fresh interpreter: a fork would share this one's database and threads.
        context = get_context("spawn")
        self.line, theirs = context.Pipe()
        self.jobs: dict[int, Job] = {}
        self._process = context.Process(target=_work, args=(theirs, factory, os.getpid()))
        with theirs:
            self._process.start()

    def take(self, number: int, one: Job) -> None:
        self.jobs[number] = one
        if len(self.jobs) == 1:
            self._send()

    def _send(self) -> None:
        """Give it the oldest job. Only while it waits for one: two who both send wait for ever."""
        with contextlib.suppress(OSError):  # that it has ended is seen where its answer is awaited
            self.line.send(next(iter(self.jobs.values())))

    def receive(self) -> dict[str, Any] | None:
        """The record of the oldest job; None when the process has ended before it was done."""
        try:
            answer = self.line.recv()
        except (EOFError, OSError):
            answer = None
        del self.jobs[next(iter(self.jobs))]
        if isinstance(answer, Exception):
            raise answer
        if answer is not None and self.jobs:
            self._send()
        return answer

    def let_go(self) -> None:
        """Tell it that no more is to come; what it is doing still is of no use."""
        self.line.close()
        if self.jobs:
            self._process.kill()

    def end(self) -> None:
        self.line.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _work(line: Connection, factory: Callable[[], WorkerFactory], parent: int) -> None:
    """What such a process does, until nobody is at the other end of the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who pressed the key decides what is kept
    end_with_parent(parent)
    where = factory()
    with contextlib.suppress(EOFError, OSError):
        while True:
            one: Job = line.recv()
            try:
                answer: dict[str, Any] | Exception = judge(one, where)
            except Exception as error:  # a fault of the course: for the one who gave the job
                answer = error
            line.send(answer)
    close = getattr(where, "close", None)
    if close is not None:
        close()
