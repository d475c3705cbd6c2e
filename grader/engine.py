"""Run the checks of a unit against a student, and say how each one ended.

The checks are pytest test functions, and pytest collects them: once in a process, since that takes
longer than running them. The same call serves every world; only the `Student` differs. Each check
draws its inputs from a generator that depends on the seed and on the check's own name, so that
neither the order of the checks nor leaving some out changes what a check draws.
"""

from __future__ import annotations

import functools
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from grader import units
from grader.compare import CheckFailed
from grader.student import Call, Student, StudentFault

#: How a check can end. "not tried" is neither pass nor fail: there was nothing to try it on.
STATUSES = ("passed", "failed", "not tried", "grader fault")


@dataclass(frozen=True)
class CheckResult:
    """How one check ended."""

    check: str
    exercise: str
    sentence: str
    worth: float
    status: str
    stage: str = ""
    message: str = ""
    expected: str = ""
    got: str = ""
    calls: tuple[Call, ...] = field(default=(), repr=False, compare=False)

    @property
    def earned(self) -> float:
        return self.worth if self.status == "passed" else 0.0


@dataclass(frozen=True)
class CheckInfo:
    """A check as written: what it belongs to, what it is worth, and its sentence."""

    check: str
    exercise: str
    sentence: str
    worth: float


def run_checks(
    slug: str, student: Student, seed: int, only: Iterable[str] | None = None
) -> list[CheckResult]:
    """Run the checks of unit `slug` against `student`; `only` names some of its exercises."""
    chosen = None if only is None else set(only)
    return [
        _run(check, student, seed)
        for check in _collect(slug)
        if chosen is None or check.info.exercise in chosen
    ]


def list_checks(slug: str) -> list[CheckInfo]:
    """The checks of a unit as written, without running them."""
    return [check.info for check in _collect(slug)]


def points_of(slug: str) -> dict[str, float]:
    """The points that each exercise of a unit is worth."""
    totals = {item.name: 0.0 for item in units.exercises(slug)}
    for info in list_checks(slug):
        totals[info.exercise] += info.worth
    return totals


class ChecksUnreadable(RuntimeError):
    """The checks of a unit could not be collected: a fault of the course, never of a student."""


# ---------------------------------------------------------------- one check


@dataclass(frozen=True)
class _Check:
    """A check as collected: its function, and the values that its parametrisation gives it."""

    info: CheckInfo
    function: Callable[..., None]
    values: dict[str, Any]
    wants: tuple[str, ...]


def _run(check: _Check, student: Student, seed: int) -> CheckResult:
    first_call = len(student.calls)
    given: dict[str, Any] = dict(check.values)
    if "student" in check.wants:
        given["student"] = student
    if "rng" in check.wants:
        given["rng"] = generator(seed, check.info.check)
    error: BaseException | None = None
    try:
        check.function(**given)
    except (KeyboardInterrupt, pytest.exit.Exception):
        raise
    except BaseException as raised:  # as pytest does: also what is no `Exception`
        error = raised
    return result_of(check.info, error, tuple(student.calls[first_call:]))


def generator(seed: int, check: str) -> np.random.Generator:
    """What the fixture `rng` is for a check."""
    return np.random.default_rng([seed, zlib.crc32(check.encode())])


def result_of(info: CheckInfo, error: BaseException | None, calls: tuple[Call, ...]) -> CheckResult:
    """How a check ended that raised `error`, or nothing."""
    common: dict[str, Any] = {
        "check": info.check,
        "exercise": info.exercise,
        "sentence": info.sentence,
        "worth": info.worth,
        "calls": calls,
    }
    if error is None:
        return CheckResult(**common, status="passed")
    if isinstance(error, StudentFault):
        nothing = error.outcome.kind in ("missing", "unwritten")
        status = "not tried" if nothing else "failed"
        return CheckResult(**common, status=status, stage=error.outcome.kind, message=str(error))
    if isinstance(error, CheckFailed):
        return CheckResult(
            **common,
            status="failed",
            stage=error.stage,
            message=str(error),
            expected=error.expected,
            got=error.got,
        )
    return CheckResult(
        **common,
        status="grader fault",
        message=f"This check could not be carried out ({type(error).__name__}: {error}). "
        "That is a fault of the course, not of your answer.",
    )


# ---------------------------------------------------------------- collecting

# Everything that collecting does not need is left out: it starts in milliseconds, writes nothing,
# and does not read the configuration of whatever project it happens to run in. Plain asserts: a
# module imported by a check would be rewritten otherwise, torch's thousand included.
_OPTIONS = [
    "-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:doctest", "-p", "no:junitxml",
    "-p", "no:pastebin", "-p", "no:faulthandler", "-p", "no:logging", "-p", "no:warnings",
    "-p", "no:unraisableexception", "-p", "no:threadexception", "-p", "no:stepwise",
    "--assert=plain", "--capture=no", "--noconftest", "--disable-plugin-autoload", "--pyargs",
    "-o", "addopts=", "-o", "python_files=*.py", "--collect-only",
]  # fmt: skip


@functools.cache
def _collect(slug: str) -> tuple[_Check, ...]:
    """The checks of a unit, as pytest finds them."""
    units.exercises(slug)  # an unknown slug, or a broken module, speaks here in its own words
    ini = units.PACKAGE / "checks" / "pytest.ini"
    where = ["-c", str(ini), "--rootdir", str(units.PACKAGE)]
    plugin = _Collector()
    # A test run around this one must not lend it its options.
    outer = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        code = pytest.main([*where, *_OPTIONS, f"grader.checks.{slug}"], plugins=[plugin])
    finally:
        if outer is not None:
            os.environ["PYTEST_ADDOPTS"] = outer
    if code == pytest.ExitCode.INTERRUPTED and plugin.fault is None:
        raise KeyboardInterrupt
    if plugin.fault is not None or code != pytest.ExitCode.OK:
        raise ChecksUnreadable(f"The checks of {slug!r} cannot be run: {plugin.fault or code}")
    return tuple(plugin.checks)


class _Collector:
    def __init__(self) -> None:
        self.fault: str | None = None
        self.checks: list[_Check] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "exercise(name, points): the exercise and its points")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.fault = str(report.longrepr).strip().splitlines()[-1]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        try:
            self.checks = [_check_of(item) for item in items]
        except pytest.UsageError as error:
            self.fault = str(error)


def _check_of(item: pytest.Item) -> _Check:
    marker = item.get_closest_marker("exercise")
    if not isinstance(item, pytest.Function) or marker is None or not item.obj.__doc__:
        raise pytest.UsageError(f"{item.name}: a check needs a points(...) marker and a docstring")
    values = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    wants = tuple(item.fixturenames)
    refused = sorted(set(wants) - {"student", "rng", *values})
    # What pytest would do about these when it runs a test is not done here.
    refused += [mark.name for mark in item.iter_markers() if mark.name not in _MARKS]
    if refused:
        raise pytest.UsageError(
            f"{item.name}: a check may ask for `student` and `rng`, and may be parametrised; "
            f"it has {', '.join(refused)}"
        )
    name, worth = marker.args
    sentence = _fill(" ".join(item.obj.__doc__.split()), values)
    return _Check(CheckInfo(item.name, name, sentence, float(worth)), item.obj, values, wants)


_MARKS = ("exercise", "parametrize")


def _fill(sentence: str, values: dict[str, Any]) -> str:
    """Put a parametrised check's values into its sentence: ``{name}`` becomes the value."""
    for key, value in values.items():
        sentence = sentence.replace("{" + key + "}", str(value))
    return sentence
