"""The checks are called directly when work is marked; pytest itself must come to the same verdict.

pytest runs every check of every unit on the worked solution, on the blank, on an answer that ends
the program, on none at all, and, with the checks of its exercise, on every misconception. Its
runner and its reading of the files are the authority: `engine` has to agree check by check.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest

from grader import engine, notebooks, units
from grader.compare import CheckFailed
from grader.student import BLANK, LocalStudent, Student, StudentFault

SEED = 1234
#: Outcome, the kind of what was raised, and its words where they are meant for a student.
Verdict = tuple[str, str, str]


@functools.cache
def solution(slug: str) -> dict[str, Any]:
    return notebooks.solution_namespace(slug)


def _unwritten(*_: object, **__: object) -> None:
    raise NotImplementedError(BLANK)


def _raises(*_: object, **__: object) -> None:
    raise SystemExit("enough")


def worlds(slug: str) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Name -> a namespace, and the only exercise that it is tried on."""
    asked = [name for item in units.exercises(slug) for name in item.asked]
    found: dict[str, tuple[dict[str, Any], str | None]] = {
        "solution": (solution(slug), None),
        "blank": (dict.fromkeys(asked, _unwritten), None),
        "raises": (dict.fromkeys(asked, _raises), None),
        "nothing": ({}, None),
    }
    for wrong in units.misconceptions(slug):
        names = {**solution(slug), wrong.replaces: wrong.function}
        found[f"{wrong.exercise}: {wrong.name}"] = (names, wrong.exercise)
    return found


class Runner:
    """A plugin that gives pytest the two fixtures, once for each world, and notes what it says."""

    def __init__(self, slug: str) -> None:
        self._worlds = list(worlds(slug).items())
        self.verdicts: dict[tuple[str, str], Verdict] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "exercise(name, points): the exercise and its points")

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "world" in metafunc.fixturenames:
            numbers = range(len(self._worlds))
            ids = [f"world{number}" for number in numbers]
            metafunc.parametrize("world", numbers, ids=ids, indirect=True)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._is_tried(item)]

    def _is_tried(self, item: Any) -> bool:
        marker = item.get_closest_marker("exercise")
        only = self._worlds[item.callspec.params["world"]][1][1]
        return only is None or only == marker.args[0]

    @pytest.fixture
    def world(self, request: pytest.FixtureRequest) -> int:
        return int(request.param)

    @pytest.fixture
    def student(self, world: int) -> Student:
        return LocalStudent(self._worlds[world][1][0])

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> Any:
        return engine.generator(SEED, _name_of(request.node.name))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: pytest.CallInfo) -> Any:
        report = yield
        if call.when == "call" or report.outcome != "passed":
            error = call.excinfo.value if call.excinfo else None
            where = self._worlds[item.callspec.params["world"]][0], _name_of(item.name)
            self.verdicts[where] = report.outcome, type(error).__name__, _words(error)
        return report


def _name_of(item: str) -> str:
    """The check's own name: without what says which world it is tried on."""
    return re.sub(r"\[(.*?)-?world\d+(-.*)?\]$", _rest, item)


def _rest(match: re.Match) -> str:
    parts = [part.strip("-") for part in match.groups() if part]
    return f"[{'-'.join(parts)}]" if parts else ""


def _words(error: BaseException | None) -> str:
    # pytest adds to the words of a bare assertion what stood in it.
    return str(error) if isinstance(error, CheckFailed | StudentFault) else ""


def by_pytest(slug: str) -> dict[tuple[str, str], Verdict]:
    runner = Runner(slug)
    ini = units.PACKAGE / "checks" / "pytest.ini"
    options = ["-c", str(ini), "--rootdir", str(units.PACKAGE), "-p", "no:cacheprovider"]
    options += ["-p", "no:terminal", "--noconftest", "-o", "addopts=", "-o", "python_files=*.py"]
    pytest.main([*options, "--disable-plugin-autoload", "--pyargs", f"grader.checks.{slug}"],
                plugins=[runner])  # fmt: skip
    return runner.verdicts


def by_engine(slug: str, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Verdict]:
    raised: list[BaseException | None] = []
    real: Callable[..., Any] = engine.result_of

    def noting(info: Any, error: BaseException | None, calls: Any) -> Any:
        raised.append(error)
        return real(info, error, calls)

    monkeypatch.setattr(engine, "result_of", noting)
    found: dict[tuple[str, str], Verdict] = {}
    for world, (names, only) in worlds(slug).items():
        raised.clear()
        results = engine.run_checks(slug, LocalStudent(names), SEED, only and [only])
        for result, error in zip(results, raised, strict=True):
            outcome = "passed" if result.status == "passed" else "failed"
            found[world, result.check] = outcome, type(error).__name__, _words(error)
    return found


@pytest.mark.parametrize("slug", units.slugs())
def test_direct_calls_and_pytest_come_to_the_same_verdicts(slug: str, monkeypatch) -> None:
    engine.list_checks(slug)
    theirs = by_pytest(slug)
    ours = by_engine(slug, monkeypatch)
    assert ours.keys() == theirs.keys()
    differ = {key: (ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]}
    assert differ == {}
    outcomes = {outcome for outcome, _, _ in ours.values()}
    assert outcomes == {"passed", "failed"}
    assert {world for world, _ in ours} == set(worlds(slug))
