"""Makers of processes that go wrong, for the tests of marking in parallel; children import them."""

from __future__ import annotations

import os
from pathlib import Path

from grader.engine import ChecksUnreadable
from grader.worker.launch import Limits, PlainFactory, Worker

#: The variable that names the folder where these leave signs for one another.
SIGNS = "GRADER_TEST_SIGNS"


def _first(name: str) -> bool:
    """Whether no process has asked for this sign yet."""
    try:
        (Path(os.environ[SIGNS]) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class EndsOnce(PlainFactory):
    """Ends its own process in the middle of the first job, as the kernel does."""

    def start(self, limits: Limits) -> Worker:
        if _first("ended"):
            os._exit(137)
        return super().start(limits)


class EndsAlways(PlainFactory):
    """No job survives."""

    def start(self, limits: Limits) -> Worker:
        os._exit(137)


class Faulty(PlainFactory):
    """A fault of the course, which is nobody's hand-in."""

    def start(self, limits: Limits) -> Worker:
        raise ChecksUnreadable("the course has lost a page")
