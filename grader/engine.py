"""Run the checks of a unit against a student, under pytest, and say how each one ended.

The same call serves every world; only the `Student` differs. Each check draws its inputs from a
generator that depends on the seed and on the check's own name, so that neither the order of the
checks nor leaving some out changes what a check draws.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
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


# Everything that a run of checks does not need is left out: it starts in milliseconds, writes
# nothing, and does not read the configuration of whatever project it happens to run in. Plain
# asserts: a module imported by a check would be rewritten otherwise, torch's thousand included.
_OPTIONS = [
    "-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:doctest", "-p", "no:junitxml",
    "-p", "no:pastebin", "-p", "no:faulthandler", "-p", "no:logging", "-p", "no:warnings",
    "-p", "no:unraisableexception", "-p", "no:threadexception", "-p", "no:stepwise",
    "--assert=plain", "--capture=no", "--noconftest", "--disable-plugin-autoload", "--pyargs",
    "-o", "addopts=", "-o", "python_files=*.py",
]  # fmt: skip


def run_checks(
    slug: str, student: Student, seed: int, only: Iterable[str] | None = None
) -> list[CheckResult]:
    """Run the checks of unit `slug` against `student`; `only` names some of its exercises."""
    plugin = _Run(student, seed, only)
    _pytest(slug, plugin)
    return plugin.results


def list_checks(slug: str) -> list[CheckInfo]:
    """The checks of a unit as written, without running them."""
    plugin = _List()
    _pytest(slug, plugin, "--collect-only")
    return plugin.checks


def points_of(slug: str) -> dict[str, float]:
    """The points that each exercise of a unit is worth."""
    totals = {item.name: 0.0 for item in units.exercises(slug)}
    for info in list_checks(slug):
        totals[info.exercise] += info.worth
    return totals


class ChecksUnreadable(RuntimeError):
    """The checks of a unit could not be collected: a fault of the course, never of a student."""


def _pytest(slug: str, plugin: _Run | _List, *extra: str) -> None:
    units.exercises(slug)  # an unknown slug, or a broken module, speaks here in its own words
    ini = units.PACKAGE / "checks" / "pytest.ini"
    where = ["-c", str(ini), "--rootdir", str(units.PACKAGE)]
    # A test run around this one must not lend it its options.
    outer = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        code = pytest.main([*where, *_OPTIONS, *extra, f"grader.checks.{slug}"], plugins=[plugin])
    finally:
        if outer is not None:
            os.environ["PYTEST_ADDOPTS"] = outer
    if code == pytest.ExitCode.INTERRUPTED and plugin.fault is None:
        raise KeyboardInterrupt
    if plugin.fault is not None or code not in (0, 1):
        raise ChecksUnreadable(f"The checks of {slug!r} cannot be run: {plugin.fault or code}")


class _Base:
    def __init__(self) -> None:
        self.fault: str | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "exercise(name, points): the exercise and its points")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.fault = str(report.longrepr).strip().splitlines()[-1]


class _List(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.checks: list[CheckInfo] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.checks = [_info(item) for item in items]


class _Run(_Base):
    def __init__(self, student: Student, seed: int, only: Iterable[str] | None) -> None:
        super().__init__()
        self.subject = student
        self.seed = seed
        self.only = None if only is None else set(only)
        self.results: list[CheckResult] = []
        self._first_call = 0

    @pytest.fixture
    def student(self) -> Student:
        return self.subject

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(request.node.name.encode())])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.only is not None:
            items[:] = [item for item in items if _info(item).exercise in self.only]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._first_call = len(self.subject.calls)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> pytest.TestReport:
        if call.when == "call" or call.excinfo is not None:
            self.results.append(self._result(_info(item), call.excinfo))
        # pytest's own report would format a traceback, slowly, that nobody reads.
        outcome: Any = "failed" if call.excinfo else "passed"
        when: Any = call.when
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, when)

    def _result(self, info: CheckInfo, excinfo: Any) -> CheckResult:
        error = None if excinfo is None else excinfo.value
        calls = tuple(self.subject.calls[self._first_call :])
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
            return CheckResult(
                **common, status=status, stage=error.outcome.kind, message=str(error)
            )
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


def _info(item: pytest.Item) -> CheckInfo:
    marker = item.get_closest_marker("exercise")
    function = getattr(item, "function", None)
    if marker is None or not (function and function.__doc__):
        raise pytest.UsageError(f"{item.name}: a check needs a points(...) marker and a docstring")
    name, worth = marker.args
    values = getattr(getattr(item, "callspec", None), "params", {})
    sentence = " ".join(function.__doc__.split())
    return CheckInfo(item.name, name, _fill(sentence, values), float(worth))


def _fill(sentence: str, values: dict[str, Any]) -> str:
    """Put a parametrised check's values into its sentence: ``{name}`` becomes the value."""
    for key, value in values.items():
        sentence = sentence.replace("{" + key + "}", str(value))
    return sentence
