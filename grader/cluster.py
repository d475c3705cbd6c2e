"""Mark on an existing `dask.distributed` cluster: jobs go out, records come back.

Every worker is a process that could as well mark here: it has the course installed, and seals
notebooks off by itself. Student code never runs in a process that the cluster knows of. A worker is
asked first whether it has the same course and can seal; one that has not gets no job.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import pickle
import queue
import threading
import time
import uuid
import warnings
from asyncio import CancelledError
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema

from grader import course, job, record
from grader.job import Job
from grader.pool import Crew, Done, PoolFault
from grader.worker import seal
from grader.worker.launch import WorkerFactory

#: Jobs under way for each worker: the one that it does, and the next.
_AHEAD = 2
_LOOK_SECONDS = 1.0

# ---------------------------------------------------------------- on the worker

#: A process has one sealed parent, and pytest runs once at a time in it.
_one_at_a_time = threading.Lock()


@functools.cache
def _factory(unsealed: bool) -> WorkerFactory:
    return seal.choose(unsealed)


def examine(versions: dict[str, str], unsealed: bool) -> str:
    """Why this worker cannot mark the units with these versions, in a few words; "" if it can."""
    with _one_at_a_time:
        try:
            other = [slug for slug, version in versions.items() if course.version(slug) != version]
            if other:
                return f"it has another version of the course (unit {other[0]})"
            _factory(unsealed)
        except Exception as error:
            return str(error) or type(error).__name__
    return ""


def judge(one: Job, unsealed: bool) -> str:
    """The record of a job, as JSON."""
    with _one_at_a_time:
        return json.dumps(job.judge(one, _factory(unsealed)))


def _courier() -> Callable[[str, bytes], str]:
    """What is sent to a worker: it calls a function of this module there."""

    # Inside a function, so that it is sent as it stands: the scheduler reads all that passes
    # through it, and need not have the course.
    def at_worker(name: str, about: bytes) -> str:
        import pickle

        try:
            from grader import cluster

            return str(getattr(cluster, name)(*pickle.loads(about)))
        except Exception as error:
            # Raised, it would be logged on the worker, and the job with it.
            return f"the course cannot be asked there ({type(error).__name__})"

    return at_worker


# ---------------------------------------------------------------- here


class Cluster(Crew):
    """The workers of the scheduler at `address` that can mark the units with these `versions`."""

    def __init__(
        self,
        address: str,
        versions: dict[str, str],
        unsealed: bool,
        say: Callable[[str], None],
        *,
        connect: float = 5.0,
        patience: float = 60.0,
    ) -> None:
        self._address, self._versions, self._unsealed = address, versions, unsealed
        self._say, self._patience = say, patience
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._client = _connect(address, connect)
        #: Worker -> numbers under way there; only those that passed the examination.
        self._workers: dict[str, set[int]] = {}
        self._examined: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        self._running: dict[int, tuple[str, Any]] = {}
        self._looked = -_LOOK_SECONDS
        self._deserted = time.monotonic()
        self._ever = False
        try:
            self._look()
            while not self._workers:
                self._step()
        except BaseException:
            self.close()
            raise

    # -------------------------------------------------------- the crew

    def free(self) -> int:
        return _AHEAD * len(self._workers) - len(self._running)

    def take(self, number: int, one: Job) -> None:
        while not self._workers:
            self._step()
        worker = min(self._workers, key=lambda name: len(self._workers[name]))
        future = self._submit(worker, judge, one)
        self._workers[worker].add(number)
        self._running[number] = worker, future
        future.add_done_callback(lambda _: self._events.put(number))

    def next(self) -> list[Done]:
        while True:
            if done := self._step():
                return done

    def close(self) -> None:
        self._running.clear()
        self._examined.clear()
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)

    # -------------------------------------------------------- events

    def _submit(self, worker: str, do: Callable[..., str], about: Any) -> Any:
        sent = pickle.dumps((about, self._unsealed))
        with warnings.catch_warnings():
            # A large notebook is sent once, and that is all there is to send.
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self._client.submit(
                _courier(), do.__name__, sent, workers=[worker], allow_other_workers=False,
                key=f"grader-{uuid.uuid4().hex}", pure=False, retries=0,
            )  # fmt: skip

    def _step(self) -> list[Done]:
        """What has happened, waiting for it a little."""
        with contextlib.suppress(queue.Empty):
            event = self._events.get(timeout=_LOOK_SECONDS)
            if isinstance(event, str):
                self._admit(event)
            elif event in self._running:
                return [(event, self._finish(event))]
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return []
        return self._look()

    def _finish(self, number: int) -> dict[str, Any] | None:
        worker, future = self._running.pop(number)
        self._workers.get(worker, set()).discard(number)
        try:
            text = future.result(timeout=10)
        except (Exception, CancelledError):  # whatever it is, there is no record
            return None
        return _checked(text)

    def _look(self) -> list[Done]:
        """See which workers are there: examine those that are new, give up those that are gone."""
        self._looked = time.monotonic()
        try:
            ask = self._client.scheduler.ncores
            there = set(self._client.sync(ask, callback_timeout=10))
        except Exception:
            raise PoolFault(
                f"The scheduler at {self._address} does not answer any more; what is marked is "
                "kept: run the command again."
            ) from None
        for worker in there - set(self._workers) - set(self._examined) - set(self._refused):
            future = self._submit(worker, examine, self._versions)
            self._examined[worker] = future
            future.add_done_callback(lambda _, worker=worker: self._events.put(worker))
        for worker in set(self._examined) - there:
            self._examined.pop(worker).cancel()
        lost = [n for w in set(self._workers) - there for n in self._workers.pop(w)]
        for number in lost:
            self._running.pop(number)[1].cancel()
        self._check_that_somebody_is_there()
        return [(number, None) for number in lost]

    def _admit(self, worker: str) -> None:
        future = self._examined.pop(worker, None)
        if future is None:
            return
        try:
            why = future.result(timeout=10)
        except (Exception, CancelledError) as error:
            why = f"it cannot be asked ({type(error).__name__})"
        if not why:
            self._workers[worker] = set()
            self._ever = True
            return
        self._refused[worker] = f"The worker {worker} gets no hand-in: {why.rstrip('.')}."
        self._say(self._refused[worker])

    def _check_that_somebody_is_there(self) -> None:
        now = time.monotonic()
        if self._workers:
            self._deserted = now
        elif self._refused and not self._examined and not self._ever:
            raise PoolFault(f"No worker at {self._address} can mark: {self._why_not()}")
        elif now - self._deserted > self._patience:
            raise PoolFault(
                f"The scheduler at {self._address} has had no worker that can mark for "
                f"{self._patience:g} s; what is marked is kept: start workers and run it again."
            )

    def _why_not(self) -> str:
        first = next(iter(self._refused.values()))
        return first[:1].lower() + first[1:]


def _checked(text: str) -> dict[str, Any] | None:
    """The record in a worker's answer; None when it is none."""
    try:
        made: dict[str, Any] = json.loads(text)
        jsonschema.validate(made, record.schema())
    except (ValueError, jsonschema.ValidationError):
        return None
    return made


def _connect(address: str, seconds: float) -> Any:
    try:
        from distributed import Client
        from distributed.core import connect
    except ModuleNotFoundError:
        raise PoolFault(
            "Marking on a cluster needs the package distributed, which is not installed: "
            "pip install 'gatedrnn[cluster]'."
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def knock() -> None:
        # A client that cannot connect keeps the interpreter from ending.
        line = await asyncio.wait_for(connect(address, timeout=seconds), seconds + 1)
        await line.close()

    try:
        with ThreadPoolExecutor(1) as aside:  # here a loop may run already, as in a notebook
            aside.submit(lambda: asyncio.run(knock())).result()
        return Client(address, timeout=seconds, set_as_default=False, name="grader")
    except Exception as error:
        raise PoolFault(
            f"No dask scheduler answers at {address!r} ({_first_line(error)}); "
            "the address is like tcp://HOST:8786, as `dask scheduler` prints it."
        ) from None


def _first_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return words[0].rstrip(".")[:160] if words else type(error).__name__
