"""The stages of a comparison: each slip is caught at its own stage, in words that name it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grader.compare import (
    CheckFailed,
    agrees,
    assert_like,
    assert_matches,
    assert_raises,
    assert_unchanged,
)
from grader.student import Outcome

WANT = np.array([[0.5, -0.25, 1.0], [0.0, 2.0, -3.0]])


def shifted(by: float) -> np.ndarray:
    other = WANT.copy()
    other[1, 2] += by
    return other


@pytest.mark.parametrize(
    ("got", "stage", "words"),
    [
        (None, "type", "return"),
        (WANT.tolist(), "type", "expected a NumPy array, got a list of 2 values"),
        (torch.from_numpy(WANT), "type", "got a torch.Tensor of shape (2, 3)"),
        (WANT.T, "shape", "expected shape (2, 3), got shape (3, 2)"),
        (WANT.astype(int), "dtype", "int64"),
        (WANT.astype(np.float32), "dtype", "expected elements of type float64"),
        (WANT + np.nan, "finite", "nan at index (0, 0)"),
        (
            shifted(0.125),
            "values",
            "1 of 6 entries differ from what was expected. The largest difference is 0.125 at",
        ),
        (shifted(1e-6), "values", "index (1, 2)"),
    ],
)
def test_each_slip_fails_at_its_stage(got: object, stage: str, words: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        assert_matches(got, WANT, "the state")
    assert caught.value.stage == stage
    assert words in str(caught.value)
    assert "he state" in str(caught.value)


@pytest.mark.parametrize("noise", [0.0, 1e-12])
def test_rounding_is_no_difference(noise: float) -> None:
    assert_matches(WANT + noise, WANT)
    assert_matches(torch.from_numpy(WANT + noise), torch.from_numpy(WANT))


def test_a_number_may_be_of_any_numeric_type_but_not_a_truth_value() -> None:
    for number in (2, 2.0, np.float64(2), np.int64(2)):
        assert_matches(number, 2.0)
    assert not agrees(True, 1.0)
    assert not agrees(np.array([2.0]), 2.0)


def test_dictionaries_and_tuples_name_the_part_that_differs() -> None:
    with pytest.raises(CheckFailed, match=r"Grads\['h0'\]"):
        assert_matches({"x": WANT, "h0": shifted(1.0)}, {"x": WANT, "h0": WANT}, "grads")
    with pytest.raises(CheckFailed, match="xpected the keys 'x', 'h0', got the keys 'x'"):
        assert_matches({"x": WANT}, {"x": WANT, "h0": WANT}, "grads")
    with pytest.raises(CheckFailed, match="expected 2 values, got 3 values"):
        assert_matches((WANT, WANT, WANT), (WANT, WANT), "the pair")
    assert_matches([WANT, None], (WANT, None))
    assert not agrees((WANT, WANT), (WANT, None))


def test_infinity_and_nan_match_themselves_only() -> None:
    want = np.array([np.inf, np.nan, 1.0])
    assert agrees(want.copy(), want)
    assert not agrees(np.array([-np.inf, np.nan, 1.0]), want)
    assert not agrees(np.array([np.inf, 0.0, 1.0]), want)


def test_like_looks_at_everything_but_values() -> None:
    assert_like(WANT + 7, WANT)
    assert_like(WANT + 7, np.zeros_like(WANT))
    for bad in (None, WANT.T, WANT * np.nan):
        with pytest.raises(CheckFailed):
            assert_like(bad, WANT)


def test_a_changed_argument_is_named() -> None:
    after = Outcome("value", arguments=(WANT, {"W_ih": shifted(1e-13)}))
    with pytest.raises(CheckFailed, match="`params` was changed"):
        assert_unchanged(after, (WANT, {"W_ih": WANT}), ("x", "params"))
    assert_unchanged(Outcome("value", arguments=(WANT,)), (WANT,), ("x",))


def test_an_expected_error_must_come() -> None:
    assert_raises(Outcome("raised", error="ValueError"), ("ValueError",), "It cannot be converted.")
    for outcome in (Outcome("value", 1), Outcome("raised", error="KeyError")):
        with pytest.raises(CheckFailed, match="It cannot be converted. Expected ValueError, got"):
            assert_raises(outcome, ("ValueError",), "It cannot be converted.")


def test_arrays_of_true_and_false_are_compared() -> None:
    want = np.array([True, False, True])
    assert agrees(want.copy(), want)
    with pytest.raises(CheckFailed, match="1 of 3 entries differ"):
        assert_matches(np.array([True, True, True]), want, "the mask")
    assert not agrees(want.astype(int), want)
