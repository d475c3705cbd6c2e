"""One mark to be made, as plain data: it can be made in this process, in another, or elsewhere.

A mark is a pure function of the bytes handed in, the course, the limits and the seed. Nothing of
the class goes along with them: no path, no name of a student.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import nbformat

from grader import course, marking, record, submission
from grader.plan import Plan, lay_out
from grader.worker.launch import Limits, WorkerFactory


@dataclass(frozen=True, repr=False)
class Job:
    """What a mark depends on. `fault` says why there are no bytes, when there are none."""

    slug: str
    #: The notebook as the class has handed it out.
    release: str
    #: The course's version; see `course.version`.
    course: str
    limits: Limits
    #: Whether the class allows marking without a seal.
    unsealed: bool
    seed: int
    data: bytes = b""
    fault: str = ""
    missing: bool = False
    #: What a person should know of how the file was found, and whether a person must look at it.
    remark: str = ""
    look: bool = False

    def __repr__(self) -> str:
        # A program that passes a job on may write it into its log; the seed is a secret.
        return f"Job({self.slug!r}, {self.key})"

    @property
    def key(self) -> str:
        """The name of the record that comes of it."""
        return record.key(self.digest, self.course, self.limits, self.unsealed)

    @property
    def digest(self) -> str:
        """The SHA-256 of all that was found."""
        if self.fault:
            return submission.digest_of_fault(self.fault)
        found = self.data + f"\n{self.remark}".encode() if self.remark else self.data
        return hashlib.sha256(found).hexdigest()

    def read(self) -> submission.Submission:
        """The notebook; raises `Unreadable` or `Missing`."""
        if self.fault:
            kind = submission.Missing if self.missing else submission.Unreadable
            raise kind(self.fault)
        return submission.parse(self.data)

    def plan(self) -> Plan:
        """The cells as they are marked."""
        unit = _unit(self.slug, self.release)
        try:
            return lay_out(unit, self.read())
        except submission.Unreadable:
            return lay_out(unit, None)


def job(
    place: submission.Place,
    slug: str,
    release: str,
    limits: Limits,
    *,
    unsealed: bool = False,
    seed: int | None = None,
) -> Job:
    """The job of marking the file at `place`, which is read once, now; a new seed unless given."""
    seed = secrets.randbelow(2**63) if seed is None else seed
    parts = (slug, release, course.version(slug), limits, unsealed, seed)
    try:
        if place.fault:
            raise submission.Unreadable(place.fault)
        data = submission.load(place.path)
        return Job(*parts, data, remark=place.remark, look=place.look)
    except submission.Unreadable as error:
        return Job(*parts, fault=str(error), missing=isinstance(error, submission.Missing))


def judge(one: Job, factory: WorkerFactory) -> dict[str, Any]:
    """The record of a job; the student's name is left for the one who knows it."""
    marked = marking.mark_read(
        one.read,
        _unit(one.slug, one.release),
        factory=factory,
        limits=one.limits,
        seed=one.seed,
    )
    if one.remark:
        marked.flags.append(one.remark)
    if one.look and marked.status == "marked":
        marked.reason = one.remark
    return record.from_marked(marked, "", one.key)


def given_up(one: Job, words: str) -> dict[str, Any]:
    """The record of a job that could not be done: no points yet, and a flag for a person."""
    made = marking.mark_nothing(one.read, _unit(one.slug, one.release), words, one.limits, one.seed)
    return record.from_marked(made, "", one.key)


@functools.lru_cache(maxsize=32)
def _unit(slug: str, release: str) -> course.UnitSource:
    return course.UnitSource(slug, tuple(nbformat.reads(release, as_version=4).cells))
