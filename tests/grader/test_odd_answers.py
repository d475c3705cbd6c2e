"""Whatever an answer gives, each check passes it or fails it: none ends in a fault of the course.

Every function of every unit is replaced by one that gives an odd value, or the right value in an
odd form; then its checks run, and misconceptions are looked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grader import record, units
from grader.engine import run_checks
from grader.notebooks import solution_namespace
from grader.recognise import recognise
from grader.student import LocalStudent


class Odd:
    """Neither data nor anything that it says of itself."""

    shape = (4, 5)
    dtype = np.dtype("float64")

    def __eq__(self, other: object) -> bool:
        return True

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return np.zeros((4, 5))

    __hash__ = None  # type: ignore[assignment]


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


#: Values that no check asks for.
VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "nan": lambda: math.nan,
    "a huge integer": lambda: 10**1000,
    "an enormous integer": lambda: 1 << 100_000,
    "the least integer": lambda: np.int64(-(2**63)),
    "a complex number": lambda: 1j,
    "a text": lambda: "x" * 200_000,
    "half a letter": lambda: "\ud800",
    "bytes": lambda: b"x",
    "an empty tuple": tuple,
    "two values": lambda: (0, 0),
    "three values": lambda: [None, {}, "x"],
    "an empty dictionary": dict,
    "a long key": lambda: {"k" * 500_000: 1},
    "many keys": lambda: {i: i for i in range(5000)},
    "odd keys": lambda: {None: 1, (1, "a"): 2, True: 3, math.nan: 4, -1.5: 5},
    "an object": Odd,
    "a class": lambda: Odd,
    "a function": lambda: print,
    "a generator": lambda: (i for i in range(3)),
    "a cycle": _cycle,
    "nothing in an array": lambda: np.zeros((0, 3)),
    "one number in an array": lambda: np.array(1.0),
    "sixteen dimensions": lambda: np.ones((1,) * 16),
    "sixty dimensions": lambda: np.ones((1,) * 60),
    "texts in an array": lambda: np.array(["a"]),
    "objects in an array": lambda: np.array([object()]),
    "records in an array": lambda: np.zeros(3, "f8,i4"),
    "dates in an array": lambda: np.array(["2026-01-01"], "datetime64[D]"),
    "a masked array": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "a wide array": lambda: np.broadcast_to(np.float64(1), (10**6, 10**6)),
    "a tensor": lambda: torch.ones(4, 5),
    "a tensor of bfloat16": lambda: torch.ones(4, 5, dtype=torch.bfloat16),
    "a tensor without values": lambda: torch.empty(4, 5, device="meta"),
    "a tensor of bytes": lambda: torch.zeros(4, dtype=torch.float8_e4m3fn),
    "a sparse tensor": lambda: torch.eye(3).to_sparse(),
    "a wide tensor": lambda: torch.ones(1).expand(10**6, 10**6),
    "a module": lambda: torch.nn.Linear(2, 2),
    "a shape": lambda: torch.ones(4, 5).shape,
}


def _leaves(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply `change` to each number, array and tensor of a value."""

    def apply(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: apply(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(apply(item) for item in value)
        if value is None or isinstance(value, str | bool):
            return value
        return change(value)

    return apply


def _astype(name: str) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(getattr(torch, name))
        return np.asarray(value).astype(name)

    return _leaves(change)


def _other_kind(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    return torch.from_numpy(np.array(value))


def _filled(number: float) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.full_like(value, int(number) if not value.is_floating_point() else number)
        made = np.empty_like(np.asarray(value))
        made[...] = number if made.dtype.kind in "fc" else 7
        return made

    return _leaves(change)


#: The right value in another form; most are wrong, and all are to be judged.
FORMS: dict[str, Callable[[Any], Any]] = {
    "in lists": _leaves(lambda v: v.tolist() if hasattr(v, "tolist") else [v]),
    "of the other library": _leaves(_other_kind),
    "in one part": lambda v: v[0] if isinstance(v, tuple | list) and v else {"result": v},
    "in three parts": lambda v: (v, v, v),
    "in float16": _astype("float16"),
    "in complex numbers": _astype("complex128"),
    "in integers": _astype("int64"),
    "in truth values": _astype("bool"),
    "not a number": _filled(math.nan),
    "infinite": _filled(math.inf),
    "with one dimension more": _leaves(lambda v: v[None] if hasattr(v, "shape") else (v,)),
    "laid flat": _leaves(lambda v: v.reshape(-1) if hasattr(v, "shape") else v),
    "transposed": _leaves(lambda v: v.T if getattr(v, "ndim", 0) == 2 else v),
    "without its last row": _leaves(lambda v: v[:-1] if getattr(v, "ndim", 0) else v),
    "with None inside": lambda v: (
        dict.fromkeys(v) if isinstance(v, dict) else [None] * len(v)
        if isinstance(v, tuple | list) else None
    ),
    "without its last part": lambda v: (
        dict(list(v.items())[:-1]) if isinstance(v, dict)
        else v[:-1] if isinstance(v, tuple | list) else v
    ),
}  # fmt: skip


def _asked() -> list[tuple[str, str, str]]:
    exercises = [(slug, e) for slug in units.slugs() for e in units.exercises(slug)]
    return [(slug, e.name, name) for slug, e in exercises for name in e.asked]


def _verdicts(slug: str, exercise: str, name: str, function: Any) -> list[str]:
    student = LocalStudent(solution_namespace(slug) | {name: function})
    results = run_checks(slug, student, seed=5, only=[exercise])
    recognise(results, units.misconceptions(slug))
    for result in results:
        said = json.dumps(record._check(result), ensure_ascii=False).encode()
        assert len(said) < 8_000, f"{result.check} says {len(said)} bytes"
    return [f"{r.check}: {r.message}" for r in results if r.status == "grader fault"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("slug", "exercise", "name"), _asked())
def test_no_odd_value_is_a_fault_of_the_course(slug: str, exercise: str, name: str) -> None:
    faults = {}
    for words, value in VALUES.items():
        if found := _verdicts(slug, exercise, name, lambda *_, v=value, **__: v()):
            faults[words] = found
    assert faults == {}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("slug", "exercise", "name"), _asked())
def test_no_odd_form_is_a_fault_of_the_course(slug: str, exercise: str, name: str) -> None:
    right, faults = solution_namespace(slug)[name], {}
    for words, form in FORMS.items():
        if found := _verdicts(slug, exercise, name, lambda *a, f=form, **k: f(right(*a, **k))):
            faults[words] = found
    assert faults == {}
