"""`check` and `hint` as a student meets them: answers right, odd, broken or not there."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from gatedrnn import equations
from grader import check, desk, hint
from grader.report import Report


def step(x: Any, h: Any, params: Any) -> Any:
    return equations.rnn_step(x, h, params)


def report(function: Any, seed: int = 7) -> Report:
    result = check("rnn_step", seed=seed, namespace={"rnn_step": function})
    assert isinstance(result, Report)
    return result


def noisy(x: Any, h: Any, params: Any) -> Any:
    print("computing")
    sys.stderr.write("still computing\n")
    warnings.warn("odd but right", stacklevel=1)
    return step(x, h, params)


class Callable_:
    """An object that can be called is as good as a function."""

    def __call__(self, x: Any, h: Any, params: Any) -> Any:
        return step(x, h, params)


@pytest.mark.filterwarnings("ignore:odd but right")
@pytest.mark.parametrize("odd", [noisy, Callable_(), lambda *a: step(*a)])
def test_honest_oddities_cost_nothing(odd: Callable, capfd: pytest.CaptureFixture[str]) -> None:
    assert report(odd).earned == report(odd).worth > 0
    out, err = capfd.readouterr()
    assert err == "", "nbgrader takes anything on stderr for an error"
    assert out == ""


def test_the_plain_text_is_the_points_as_nbgrader_reads_them() -> None:
    whole, part = report(step), report(lambda x, h, p: step(x, h, p) + 1.0)
    assert float(repr(whole)) == whole.worth
    assert float(repr(part)) == part.earned < part.worth


def raises(x: Any, h: Any, params: Any) -> Any:
    return params["W_xh"]


def exits(x: Any, h: Any, params: Any) -> Any:
    sys.exit(0)


def skips(x: Any, h: Any, params: Any) -> Any:
    pytest.skip("not today")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def unprintable(x: Any, h: Any, params: Any) -> Any:
    raise Unprintable


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises, "raised KeyError: 'W_xh'"),
        (exits, "raised SystemExit"),
        (skips, "raised Skipped"),
        (unprintable, "raised Unprintable"),
        (lambda x, h, p: object(), "an object of type 'object'"),
        (lambda x, h, p: (n for n in x), "'generator'"),
        (lambda x, h: x, "raised TypeError"),
        (np.zeros(3), "is a ndarray, not a function"),
    ],
)
def test_broken_answers_earn_nothing_and_are_told_why(function: Any, words: str) -> None:
    result = report(function)
    assert result.earned == 0
    assert words in str(result)
    assert "raceback" not in str(result) + result._repr_html_()


def test_the_students_own_line_is_shown() -> None:
    assert '`return params["W_xh"]`' in str(report(raises))


def test_an_answer_that_fails_is_repeated_by_its_seed() -> None:
    wrong = report(lambda x, h, p: 0.5 * step(x, h, p), seed=11)
    again = report(lambda x, h, p: 0.5 * step(x, h, p), seed=11)
    other = report(lambda x, h, p: 0.5 * step(x, h, p), seed=12)
    assert [r.message for r in wrong.results] == [r.message for r in again.results]
    assert [r.message for r in wrong.results] != [r.message for r in other.results]
    assert "check('rnn_step', seed=11)" in str(wrong)


def test_what_a_student_wrote_is_shown_as_text_not_as_html() -> None:
    def sneaky(x: Any, h: Any, params: Any) -> Any:
        raise ValueError("<script>alert(1)</script>")

    page = report(sneaky)._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_misspelt_exercise_is_one_sentence() -> None:
    assert repr(check("rnn_stepp")) == "There is no exercise 'rnn_stepp'; did you mean 'rnn_step'?"
    assert "did you mean" in repr(hint("rnn_stepp"))


def test_hints_come_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "_hints_given", {})
    counts = [repr(hint("rnn_step")).count("Hint ") for _ in range(4)]
    assert counts == [1, 2, 3, 3]


def test_the_notebooks_own_names_are_used(shell: InteractiveShell) -> None:
    shell.user_ns["rnn_step"] = step
    assert check("rnn_step").earned > 0  # type: ignore[union-attr]
    shell.user_ns.pop("rnn_step")
    assert "is not defined" in str(check("rnn_step"))
