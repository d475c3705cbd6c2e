"""Make many marks at once, wherever there are processes for it; none that ends early costs a mark.

A `Crew` is a place where jobs are done: this process, or processes beside it. `do_all` is the
same for each. A job whose process ended is done again at the end, with no other beside it,
so that one that ends its process each time is known for it and is given up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from grader.job import Job, given_up, judge
from grader.worker.launch import WorkerFactory

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
    """Processes on this machine, `size` of them."""

    def __init__(self, size: int, factory: Callable[[], WorkerFactory]) -> None:
        self._size = size
        self._factory = factory
        self._pool = self._new()
        self._running: dict[Future, int] = {}

    def _new(self) -> ProcessPoolExecutor:
        # A fresh interpreter for each: a fork would share this one's database and threads.
        return ProcessPoolExecutor(
            self._size,
            mp_context=get_context("spawn"),
            initializer=_sit_down,
            initargs=(self._factory,),
        )

    def free(self) -> int:
        return 4 * self._size - len(self._running)

    def take(self, number: int, one: Job) -> None:
        try:
            future = self._pool.submit(_judge_here, one)
        except BrokenProcessPool:  # it broke since the last look; its jobs are told of there
            self._renew()
            future = self._pool.submit(_judge_here, one)
        self._running[future] = number

    def next(self) -> list[Done]:
        ended, _ = wait(self._running, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in ended):
            self._renew()  # a pool that has lost one process ends them all
            ended, _ = wait(self._running)
        return [(self._running.pop(future), _result(future)) for future in ended]

    def _renew(self) -> None:
        self._pool.shutdown(wait=True)
        self._pool = self._new()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future) -> dict[str, Any] | None:
    try:
        made: dict[str, Any] = future.result()
    except BrokenProcessPool:
        return None
    return made


_seat: WorkerFactory | None = None


def _sit_down(factory: Callable[[], WorkerFactory]) -> None:
    global _seat
    _seat = factory()


def _judge_here(one: Job) -> dict[str, Any]:
    assert _seat is not None
    return judge(one, _seat)
