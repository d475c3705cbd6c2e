"""Every check against the solution, the blank, and every misconception.

The solution earns everything on any seed; the blank earns nothing; each misconception loses points
and is called by its own name and no other.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from grader import notebooks, units
from grader.engine import CheckResult, list_checks, run_checks
from grader.exercise import Misconception
from grader.recognise import recognise
from grader.student import BLANK, LocalStudent

SEEDS = (1, 20, 300)
UNITS = units.slugs()
WRONG = [(slug, wrong) for slug in UNITS for wrong in units.misconceptions(slug)]
EXERCISES = [(slug, item) for slug in UNITS for item in units.exercises(slug)]


@functools.cache
def solution(slug: str) -> dict[str, Any]:
    return notebooks.solution_namespace(slug)


def marked(
    slug: str, names: dict[str, Any], seed: int, only: list[str] | None = None
) -> list[CheckResult]:
    return run_checks(slug, LocalStudent(names), seed, only=only)


@functools.cache
def marked_wrong(slug: str, wrong: Misconception, seed: int) -> list[CheckResult]:
    names = {**solution(slug), wrong.replaces: wrong.function}
    return marked(slug, names, seed, only=[wrong.exercise])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("slug", UNITS)
def test_solution_earns_every_point(slug: str, seed: int) -> None:
    lost = [
        (r.check, r.message) for r in marked(slug, solution(slug), seed) if r.status != "passed"
    ]
    assert lost == []


@pytest.mark.parametrize("slug", UNITS)
def test_blank_earns_nothing_and_is_not_called_wrong(slug: str) -> None:
    def unwritten(*args: object, **kwargs: object) -> None:
        raise NotImplementedError(BLANK)

    names = {name: unwritten for item in units.exercises(slug) for name in item.asked}
    results = marked(slug, names, seed=1)
    assert sum(r.earned for r in results) == 0
    assert {r.status for r in results} == {"not tried"}
    assert recognise(results, units.misconceptions(slug)) == {}


@pytest.mark.parametrize("nothing", [None, 0.0, np.zeros(3), "text", [], {}])
@pytest.mark.parametrize("slug", UNITS)
def test_an_answer_that_returns_nothing_useful_earns_nothing(slug: str, nothing: Any) -> None:
    names = {name: lambda *a, **k: nothing for item in units.exercises(slug) for name in item.asked}
    results = marked(slug, names, seed=1)
    assert [r.check for r in results if r.status not in ("failed",)] == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("slug", "wrong"), WRONG, ids=[f"{slug}-{m.exercise}-{m.name}" for slug, m in WRONG]
)
def test_misconception_loses_points_and_is_named(
    slug: str, wrong: Misconception, seed: int
) -> None:
    results = marked_wrong(slug, wrong, seed)
    assert [r.check for r in results if r.status == "grader fault"] == []
    assert any(r.status == "failed" for r in results), "no check rejects this answer"
    found = recognise(results, units.misconceptions(slug)).get(wrong.exercise, [])
    assert [m.name for m in found] == [wrong.name]


@pytest.mark.parametrize(
    ("slug", "wrong"), WRONG, ids=[f"{slug}-{m.exercise}-{m.name}" for slug, m in WRONG]
)
def test_a_wrong_answer_earns_the_same_on_any_seed(slug: str, wrong: Misconception) -> None:
    """No property is passed by luck: the notebook and the official marking agree."""
    earned = {
        tuple(r.check for r in marked_wrong(slug, wrong, seed) if r.status == "passed")
        for seed in SEEDS
    }
    assert len(earned) == 1


@pytest.mark.parametrize(
    ("slug", "exercise"), EXERCISES, ids=[f"{s}-{e.name}" for s, e in EXERCISES]
)
def test_each_exercise_is_complete(slug: str, exercise: Any) -> None:
    wrong = [m for m in units.misconceptions(slug) if m.exercise == exercise.name]
    assert len(wrong) >= 5
    assert len({m.name for m in wrong}) == len(wrong)
    assert all(len(m.says.split()) >= 12 for m in wrong), (
        "a misconception is explained in sentences"
    )
    assert len(exercise.hints) == 3
    checks = [c for c in list_checks(slug) if c.exercise == exercise.name]
    assert len(checks) >= 3, "partial credit needs properties"
    assert all(c.worth > 0 and c.sentence.endswith(".") for c in checks)


def test_exercise_names_are_unique_in_the_course() -> None:
    names = [item.name for _, item in EXERCISES]
    assert len(names) == len(set(names))
    assert all(units.find(item.name) == slug for slug, item in EXERCISES)


@pytest.mark.parametrize("slug", UNITS)
def test_every_check_and_misconception_belongs_to_an_exercise(slug: str) -> None:
    names = {item.name for item in units.exercises(slug)}
    assert {c.exercise for c in list_checks(slug)} == names
    assert {m.exercise for m in units.misconceptions(slug)} <= names
    asked = {name for item in units.exercises(slug) for name in item.asked}
    assert {m.replaces for m in units.misconceptions(slug)} <= asked


@pytest.mark.parametrize("slug", UNITS)
def test_places_in_the_book_exist(slug: str) -> None:
    places = {item.see for item in units.exercises(slug)}
    places |= {m.see for m in units.misconceptions(slug) if m.see}
    missing = [place for place in sorted(places) if not _heading_exists(place)]
    assert missing == []


def _heading_exists(place: str) -> bool:
    page, _, anchor = place.partition("#")
    path = units.ROOT / "book" / f"{page.removesuffix('.html')}.md"
    if not path.exists():
        return False
    text = path.read_text("utf-8")
    heads = [line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    slugs = {_slug(head) for head in heads}
    return not anchor or anchor in slugs or f"({anchor})=" in text


def _slug(heading: str) -> str:
    kept = "".join(c for c in heading.lower().replace("`", "") if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")
