"""The runner of checks: draws that depend on nothing but seed and check, and faults told apart."""

from __future__ import annotations

import numpy as np
import pytest

from gatedrnn.equations import rnn_step
from grader import engine, recognise, units, wire
from grader.exercise import misconception
from grader.student import LocalStudent, Student


class Recorder(LocalStudent):
    def inputs(self) -> list[bytes]:
        return [wire.dumps(call.arguments) for call in self.calls if call.name == "rnn_step"]


def run(seed: int, only: list[str] | None = None) -> Recorder:
    student = Recorder({"rnn_step": rnn_step})
    engine.run_checks("rnn", student, seed, only)
    return student


def test_the_same_seed_draws_the_same_and_another_draws_otherwise() -> None:
    first, second, third = (run(seed, ["rnn_step"]).inputs() for seed in (1, 1, 2))
    assert first == second
    assert first != third


def test_leaving_exercises_out_does_not_change_what_the_others_draw() -> None:
    everything, alone = run(5), run(5, ["rnn_step"])
    assert everything.inputs() == alone.inputs() != []


def test_points_are_the_sum_over_the_checks() -> None:
    infos = engine.list_checks("rnn")
    assert engine.points_of("rnn")["rnn_step"] == sum(
        info.worth for info in infos if info.exercise == "rnn_step"
    )


def test_a_run_inside_pytest_is_not_given_the_outer_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert run(1).calls


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(units.UnknownName, match="There is no unit 'rnnn'; did you mean 'rnn'"):
        engine.run_checks("rnnn", LocalStudent({}), 1)


def _results(student: Student) -> list[engine.CheckResult]:
    return engine.run_checks("rnn", student, 1, ["rnn_step"])


def test_a_fault_of_the_check_is_not_a_fault_of_the_student(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import grader.checks.rnn as checks

    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("the course slipped")

    monkeypatch.setattr(checks, "rnn_step", broken)
    statuses = {r.status for r in _results(LocalStudent({"rnn_step": rnn_step}))}
    assert "grader fault" in statuses
    assert "failed" not in statuses


def test_an_interrupt_stops_the_run() -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _results(LocalStudent({"rnn_step": interrupted}))


def test_what_a_student_does_to_arguments_does_not_reach_the_check() -> None:
    def destroys(x: np.ndarray, h: np.ndarray, params: dict) -> np.ndarray:
        out = rnn_step(x, h, params)
        x[:], h[:] = 0, 0
        params.clear()
        return out

    statuses = {r.check: r.status for r in _results(LocalStudent({"rnn_step": destroys}))}
    unchanged = [name for name in statuses if "argument" in name or "alone" in name]
    assert unchanged and all(statuses.pop(name) == "failed" for name in unchanged)
    assert set(statuses.values()) == {"passed"}


def test_two_wrong_answers_that_cannot_be_told_apart_are_both_named() -> None:
    def off(x: np.ndarray, h: np.ndarray, params: dict) -> np.ndarray:
        return rnn_step(x, h, params) + 1

    twins = [misconception("rnn_step", name, says="Off by one.")(off) for name in ("a", "b")]
    other = misconception("rnn_step", "c", says="Off by two.")(lambda x, h, p: off(x, h, p) + 1)
    results = _results(LocalStudent({"rnn_step": off}))
    found = recognise.recognise(results, [*twins, other])
    assert [m.name for m in found["rnn_step"]] == ["a", "b"]


def test_a_right_answer_has_no_misconception() -> None:
    results = _results(LocalStudent({"rnn_step": rnn_step}))
    same = misconception("rnn_step", "right", says="Right.")(rnn_step)
    assert recognise.recognise(results, [same]) == {}
