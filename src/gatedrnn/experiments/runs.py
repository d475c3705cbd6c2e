"""Do many runs, some at the same time; keep each finished one, so that none is done twice."""

import hashlib
import json
import multiprocessing
import multiprocessing.connection
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from gatedrnn.experiments.options import ExperimentError, Options
from gatedrnn.experiments.records import now, write_record


@dataclass(frozen=True)
class Run:
    """One run: a readable label and everything that decides its result, as plain values."""

    label: str
    configuration: dict[str, Any]

    @property
    def file_stem(self) -> str:
        """Return a name that changes when the configuration, the source or PyTorch does."""
        decisive = json.dumps(
            [self.configuration, source_digest(), torch.__version__], sort_keys=True
        )
        return f"{self.label}-{hashlib.sha256(decisive.encode()).hexdigest()[:10]}"


@cache
def source_digest() -> str:
    """Return a digest of the code that makes a run's result, so that none outlives its code."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("bench", "cells", "data", "experiments", "kernels", "models", "training"):
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a run keeps its checkpoint, and on which line it draws its progress (None: nowhere)."""

    checkpoint: Path
    label: str
    line: int
    progress: bool

    @property
    def bar(self) -> str | None:
        """Return the label of the progress bar, or None for no bar."""
        return self.label if self.progress else None


RunFunction = Callable[[dict[str, Any], Place], dict[str, Any]]


def run_all(function: RunFunction, runs: list[Run], options: Options) -> list[dict[str, Any]]:
    """Return `function(configuration, place)` for every run, in order.

    A result is kept in `options.work` as soon as it is there, and found again by the next call.
    With more than one job each run has a process of its own, so `function` must be a module's.
    Raises ExperimentError naming the run that failed; what is finished stays.
    """
    options.work.mkdir(parents=True, exist_ok=True)
    waiting = [run for run in runs if not _result_path(run, options).exists()]
    if len(waiting) < len(runs) and options.progress:
        print(f"{len(runs) - len(waiting)} of {len(runs)} runs are kept from before.", flush=True)
    if options.jobs == 1:
        torch.set_num_threads(options.threads)
        for run in waiting:
            _do(function, run, options, line=0)
    else:
        _in_processes(function, waiting, options)
    return [json.loads(_result_path(run, options).read_text(encoding="utf-8")) for run in runs]


def _result_path(run: Run, options: Options) -> Path:
    return options.work / f"{run.file_stem}.json"


def _do(function: RunFunction, run: Run, options: Options, line: int) -> None:
    checkpoint = options.work / f"{run.file_stem}.checkpoint"
    started = time.perf_counter()
    result = function(run.configuration, Place(checkpoint, run.label, line, options.progress))
    content = {"label": run.label, "configuration": run.configuration, "date": now(), **result}
    write_record(_result_path(run, options), content)
    checkpoint.unlink(missing_ok=True)
    if options.progress:
        seconds = time.perf_counter() - started
        tqdm.write(f"{now()}  {run.label}: done in {seconds:.0f} s")
        sys.stdout.flush()


def _worker(function: RunFunction, run: Run, options: Options, line: int) -> None:
    torch.set_num_threads(options.threads)
    try:
        _do(function, run, options, line)
    except Exception as error:
        print(f"{run.label}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)


def _in_processes(function: RunFunction, waiting: list[Run], options: Options) -> None:
    context = multiprocessing.get_context("spawn")
    queue = list(waiting)
    active: dict[int, tuple[Run, SpawnProcess]] = {}
    try:
        while queue or active:
            for line in range(options.jobs):
                if queue and line not in active:
                    run = queue.pop(0)
                    process = context.Process(target=_worker, args=(function, run, options, line))
                    with _no_interrupt():
                        process.start()
                    active[line] = (run, process)
            multiprocessing.connection.wait([process.sentinel for _, process in active.values()])
            for line, (run, process) in list(active.items()):
                if process.exitcode is not None:
                    del active[line]
                    if process.exitcode != 0:
                        raise ExperimentError(
                            f"The run {run.label} failed (exit {process.exitcode}), for the reason "
                            "above; finished runs are kept."
                        )
    finally:
        for _, process in active.values():
            process.terminate()
            process.join()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    # A child inherits "ignore", so that Ctrl-C reaches the parent alone, which then ends the
    # children; a checkpoint is written whole or not at all, so nothing can be half-written.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
