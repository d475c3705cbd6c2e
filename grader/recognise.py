"""Name the misconception behind a wrong answer: by equality of behaviour, never by guessing.

A misconception is recognised when it gives, on every input that the checks used, what the
student's function gave: the same value, or the same kind of exception, with the arguments left
in the same condition. Where it has a view, a value is the same when the view of it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from grader.compare import agrees
from grader.engine import CheckResult
from grader.exercise import Misconception
from grader.student import Call, Outcome, invoke

# The order of floating-point operations may differ between two ways to write one mistake.
_RTOL, _ATOL = 1e-8, 1e-10


def recognise(
    results: Iterable[CheckResult], candidates: Iterable[Misconception]
) -> dict[str, list[Misconception]]:
    """Exercise -> the misconceptions whose behaviour the student's function shows.

    Only exercises with a failed check are looked at. More than one name means that the inputs drawn
    could not tell them apart.
    """
    results = list(results)
    candidates = list(candidates)
    found: dict[str, list[Misconception]] = {}
    for exercise in dict.fromkeys(r.exercise for r in results if r.status == "failed"):
        calls = [call for r in results if r.exercise == exercise for call in r.calls]
        same = [m for m in candidates if m.exercise == exercise and _same_everywhere(m, calls)]
        if same:
            found[exercise] = same
    return found


def _same_everywhere(candidate: Misconception, calls: Sequence[Call]) -> bool:
    relevant = [call for call in calls if call.name == candidate.replaces]
    return bool(relevant) and all(_same(candidate, call) for call in relevant)


def _same(candidate: Misconception, call: Call) -> bool:
    name = candidate.replaces
    mine = invoke(
        {name: candidate.function},
        name,
        call.arguments,
        call.keywords,
    )
    return _same_outcome(mine, call.outcome, _view_of(candidate, call))


def _view_of(candidate: Misconception, call: Call) -> Callable[[object], object]:
    view = candidate.view
    if view is None:
        return lambda value: value
    return lambda value: view(value, *call.arguments)


def _same_outcome(left: Outcome, right: Outcome, view: Callable[[object], object]) -> bool:
    if left.kind != right.kind:
        return False
    if left.kind == "raised":
        return left.error == right.error
    if left.kind != "value":
        return True
    same_value = _close(view(left.value), view(right.value))
    return same_value and _close(left.arguments, right.arguments)


def _close(left: object, right: object) -> bool:
    return agrees(left, right, rtol=_RTOL, atol=_ATOL) and agrees(
        right, left, rtol=_RTOL, atol=_ATOL
    )
