"""A real dask cluster on this machine, of processes of its own, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.grader.processes import Process, family, left

ROOT = Path(__file__).parents[2]


class Dask:
    """A scheduler and its workers; each writes a log into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        self._seen: set[Process] = set()
        file = folder / "scheduler.json"
        # The scheduler needs the course no more than the network does; it is not given it.
        self._start(
            "scheduler", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
            "--no-dashboard", "--scheduler-file", str(file), course=None,
        )  # fmt: skip
        self.address = str(json.loads(_when_written(file))["address"])

    def worker(
        self, name: str, course: Path = ROOT, *, nanny: bool = False, preload: str = ""
    ) -> None:
        """Start a worker that has the course of the repository at `course`."""
        options = ["--nthreads", "1", "--name", name, "--no-dashboard", "--nworkers", "1"]
        options += ["--host", "127.0.0.1", "--local-directory", str(self.folder / name)]
        options += ["--nanny" if nanny else "--no-nanny"]
        if preload:
            (self.folder / f"{name}_preload.py").write_text(preload)
            options += ["--preload", str(self.folder / f"{name}_preload.py")]
        self._start(name, "distributed.cli.dask_worker", self.address, *options, course=course)

    def _start(self, name: str, module: str, *arguments: str, course: Path | None) -> None:
        paths = [str(course / "src"), str(course)] if course is not None else []
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "OMP_NUM_THREADS": "1",
            "DASK_LOGGING__DISTRIBUTED": "debug",
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a process as the kernel does when memory is short."""
        self.look()
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def look(self) -> None:
        """Remember which processes belong to this cluster now."""
        for process in self.processes.values():
            self._seen |= family(process.pid)

    def logs(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in self.folder.glob("*.log"))

    def end(self) -> None:
        """End it, the scheduler last, as an administrator would."""
        self.look()
        for process in reversed(list(self.processes.values())):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def left(self) -> set[Process]:
        """Processes of this cluster, or of what it has sealed off, that are still there."""
        return left(self._seen)


def _when_written(path: Path, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text()
            json.loads(text)
            return text
        time.sleep(0.1)
    raise TimeoutError(f"{path} was not written")
