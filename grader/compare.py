"""Comparisons in stages: type, shape, element type, finite, values. The first that fails speaks.

Each failure says what was looked at, what was expected, what came, and where the largest
difference is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from grader.student import Outcome

RTOL, ATOL = 1e-7, 1e-9


class CheckFailed(AssertionError):
    """A property does not hold. `stage` names the first comparison that failed."""

    def __init__(self, stage: str, message: str, expected: str = "", got: str = "") -> None:
        super().__init__(_cut(message, 1000))
        self.stage, self.expected, self.got = stage, _cut(expected, 300), _cut(got, 300)


def assert_matches(
    got: Any, expected: Any, name: str = "the result", *, rtol: float = RTOL, atol: float = ATOL
) -> None:
    """Compare a student's value with the expected one, stage by stage.

    Arrays, numbers, tensors, and tuples, lists and dictionaries of them. `name` is how the student
    knows the value, as in "the new state". Raises `CheckFailed` at the first stage that fails.
    """
    if isinstance(expected, Mapping):
        _match_mapping(got, expected, name, rtol, atol)
    elif isinstance(expected, tuple | list):
        _match_sequence(got, expected, name, rtol, atol)
    elif expected is None or isinstance(expected, str | bool | np.bool_):
        _match_plain(got, expected, name)
    else:
        _match_array(got, expected, name, rtol, atol)


def assert_like(got: Any, expected: Any, name: str = "the result") -> None:
    """Compare type, shape, element type and finiteness, but not the values.

    For checks of a side property, so that an answer which returns nothing cannot earn it.
    """
    assert_matches(got, expected, name, rtol=0.0, atol=np.inf)


def assert_true(condition: Any, message: str, *, expected: str = "", got: str = "") -> None:
    """Fail with `message`, a whole sentence for the student, unless `condition` holds."""
    if not bool(condition):
        raise CheckFailed("property", message, expected, got)


def assert_unchanged(outcome: Outcome, arguments: tuple[Any, ...], names: Iterable[str]) -> None:
    """The function left its arguments as they were. `names` are the arguments' names, in order."""
    for name, before, after in zip(names, arguments, outcome.arguments, strict=False):
        try:
            assert_matches(after, before, name, rtol=0.0, atol=0.0)
        except CheckFailed:
            raise CheckFailed(
                "arguments",
                f"The argument `{name}` was changed by the call. "
                "Work on a copy, or build a new array instead of writing into this one.",
                "left as it was",
                "changed",
            ) from None


def assert_raises(outcome: Outcome, errors: tuple[str, ...], why: str) -> None:
    """The call ended in one of the named exceptions; `why` is a sentence with the reason."""
    if outcome.kind == "raised" and outcome.error in errors:
        return
    came = outcome.error if outcome.kind == "raised" else "no error"
    raise CheckFailed("error", f"{why} Expected {errors[0]}, got {came}.", errors[0], came)


def agrees(got: Any, expected: Any, *, rtol: float = RTOL, atol: float = ATOL) -> bool:
    """Whether `assert_matches` would pass."""
    try:
        assert_matches(got, expected, rtol=rtol, atol=atol)
    except CheckFailed:
        return False
    return True


# ---------------------------------------------------------------- stages


def _match_mapping(got: Any, expected: Mapping, name: str, rtol: float, atol: float) -> None:
    if not isinstance(got, Mapping):
        _fail("type", name, "a dictionary", describe(got))
    missing = [key for key in expected if key not in got]
    extra = [key for key in got if key not in expected]
    if missing or extra:
        _fail("type", name, f"the keys {_keys(expected)}", f"the keys {_keys(got)}")
    for key, value in expected.items():
        assert_matches(got[key], value, f"{name}[{key!r}]", rtol=rtol, atol=atol)


def _match_sequence(got: Any, expected: tuple | list, name: str, rtol: float, atol: float) -> None:
    if not isinstance(got, tuple | list):
        _fail("type", name, f"{len(expected)} values, as a tuple", describe(got))
    if len(got) != len(expected):
        _fail("type", name, f"{len(expected)} values", f"{len(got)} values")
    for index, value in enumerate(expected):
        assert_matches(got[index], value, f"{name}[{index}]", rtol=rtol, atol=atol)


def _match_plain(got: Any, expected: Any, name: str) -> None:
    if isinstance(got, np.bool_):
        got = bool(got)
    if type(got) is not type(expected) or got != expected:
        _fail("values", name, repr(expected), describe(got))


def _match_array(got: Any, expected: Any, name: str, rtol: float, atol: float) -> None:
    want_tensor = _is_tensor(expected)
    want = np.asarray(expected.numpy() if want_tensor else expected)
    scalar = want.ndim == 0 and not want_tensor
    if got is None:
        raise CheckFailed(
            "type",
            f"{_cap(name)} is None. Does the function end in `return ...`?",
            "a value",
            "None",
        )
    if scalar and isinstance(got, int | float | complex | np.generic) and not isinstance(got, bool):
        have = np.asarray(got)
        if have.dtype.kind == "O":  # an integer that no array can hold
            _fail("values", name, f"{want:.6g}", "an integer of more than 64 bits")
    elif want_tensor and _is_tensor(got):
        if str(got.dtype) == "torch.bfloat16":  # NumPy has no such type
            _fail("dtype", name, f"elements of type {want.dtype}", "bfloat16")
        have = got.numpy()
    elif not want_tensor and isinstance(got, np.ndarray):
        have = got
    else:
        kind = "a number" if scalar else "a torch.Tensor" if want_tensor else "a NumPy array"
        _fail("type", name, kind, describe(got))
    if have.shape != want.shape:
        _fail("shape", name, f"shape {want.shape}", f"shape {have.shape}")
    if not scalar and have.dtype.kind != want.dtype.kind:
        _fail("dtype", name, f"elements of type {want.dtype}", f"{have.dtype}")
    if not scalar and want.dtype.kind == "f" and have.dtype.itemsize < want.dtype.itemsize:
        _fail("dtype", name, f"elements of type {want.dtype}, as the inputs", f"{have.dtype}")
    _match_values(have, want, name, rtol, atol)


def _match_values(have: np.ndarray, want: np.ndarray, name: str, rtol: float, atol: float) -> None:
    if want.size == 0:
        return
    have, want = np.atleast_1d(have), np.atleast_1d(want)
    if want.dtype.kind == "b":  # True and False have no difference, but 1 and 0 do
        have, want = have.astype(np.int8), want.astype(np.int8)
    if np.isfinite(want).all() and not np.isfinite(have).all():
        where = _first(~np.isfinite(have))
        _fail("finite", name, "finite numbers", f"{have[where]} at index {_index(where)}")
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(have - want)
        near = (difference <= atol + rtol * np.abs(want)) & np.isfinite(have) & np.isfinite(want)
        near &= difference >= 0  # the size of the least integer does not fit into its own type
        bad = ~(near | (have == want))
        bad &= ~(np.isnan(have) & np.isnan(want))
    if not bad.any():
        return
    size = np.where(np.isnan(difference), np.inf, difference)
    worst = int(np.argmax(np.where(bad, size, -1.0)))
    where = tuple(int(i) for i in np.unravel_index(worst, bad.shape))
    if want.size > 1:
        how = (
            f"{int(bad.sum())} of {bad.size} entries differ from what was expected. "
            f"The largest difference is {difference[where]:.3g} at index {_index(where)}."
        )
    else:
        how = f"the difference from what was expected is {difference[where]:.3g}."
    raise CheckFailed(
        "values",
        f"{_cap(name)}: {how}",
        f"{want[where]:.6g}",
        f"{have[where]:.6g}",
    )


# ---------------------------------------------------------------- words


def describe(value: Any) -> str:
    """A value in a few words: its type, and its shape when it has one."""
    if value is None:
        return "None"
    if _is_tensor(value):
        return f"a torch.Tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)} values"
    if isinstance(value, Mapping):
        return f"a dictionary with the keys {_keys(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def _fail(stage: str, name: str, expected: str, got: str) -> None:
    raise CheckFailed(stage, f"{_cap(name)}: expected {expected}, got {got}.", expected, got)


def _cap(name: str) -> str:
    return name[:1].upper() + name[1:]


def _keys(mapping: Mapping) -> str:
    return ", ".join(_cut(repr(key), 40) for key in list(mapping)[:12]) or "(none)"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.startswith("torch") and hasattr(value, "numpy")


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i[0]) for i in np.nonzero(mask))


def _index(where: tuple[Any, ...]) -> str:
    return str(tuple(int(i) for i in where)) if len(where) > 1 else str(int(where[0]))
