"""The instructor's guide: each command it shows exists, and each thing it names is there."""

from __future__ import annotations

import re
import shlex

import pytest

from grader import classroom, cli, doctor, export, names, units

_GUIDE = (units.ROOT / "book" / "instructor.md").read_text("utf-8")
_THREATS = (units.ROOT / "book" / "threats.md").read_text("utf-8")


def commands() -> list[str]:
    """Each command of `grader` on the page, in blocks and in the running text."""
    blocks = re.findall(r"```sh\n(.*?)```", _GUIDE, re.S)
    found = re.findall(r"^\.venv/bin/grader (.*)$", "\n".join(blocks), re.M)
    found += [x for x in re.findall(r"`grader ([^`]*)`", _GUIDE) if "../" in x]
    assert len(found) > 8
    return found


@pytest.mark.parametrize("command", commands())
def test_each_command_is_one(command: str) -> None:
    arguments = cli._parser().parse_args(shlex.split(command))
    assert callable(arguments.run)
    for slug in getattr(arguments, "units", None) or []:
        units.exercises(slug)


def test_each_command_of_grader_is_in_the_guide() -> None:
    (sub,) = (a for a in cli._parser()._actions if hasattr(a, "choices") and a.choices)
    for name in set(sub.choices) - {"notebooks", "demo"}:
        assert f"grader {name}" in _GUIDE, name


def test_the_forms_and_the_settings_are_those_of_the_program() -> None:
    for form in export.FORMATS:
        assert f"`{form}`" in _GUIDE
    for form in ("Full Name_123_assignsubmission_file_", "doejane_LATE_123_456_rnn-1.ipynb"):
        assert form in _GUIDE and form in (names.__doc__ or "").replace("anything", "rnn")
    assert "c.Grader.lms_names" in classroom._CONFIG_TEXT and "c.Grader.limits" in _GUIDE


def test_what_doctor_says_at_the_end_is_what_the_guide_waits_for() -> None:
    import inspect

    assert "Sealed marking works here: tried out just now." in inspect.getsource(doctor)
    assert "Sealed marking works here: tried out just now." in _GUIDE


def test_the_limits_in_the_threat_model_are_the_programs() -> None:
    from grader.submission import MAX_BYTES
    from grader.worker import seal
    from grader.worker.launch import ALLOWED, Limits

    usual = Limits()
    assert f"{usual.memory // 2**30} GiB of address space" in _THREATS
    assert f"{min(usual.file, seal._DISK) // 2**20} MiB a file" in _THREATS
    assert f"{seal._DISK // 2**20} MiB in memory" in _THREATS
    times = (usual.cell, usual.call, usual.notebook)
    assert "{:g} s a cell, {:g} s a call, {:g} s in all".format(*times) in _THREATS
    assert f"at most {MAX_BYTES // 2**20} MiB, whatever their encoding" in _THREATS
    assert set(ALLOWED) == {"gatedrnn.data", "gatedrnn.figures"}
