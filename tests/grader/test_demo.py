"""The demo class: real hand-ins, made anew as often as one likes, never over anything else."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from grader import demo, units
from grader.exercise import Misconception
from grader.student import LocalStudent
from tests.grader import classes as c

_ALL = [item for slug in demo.ASSIGNMENTS for item in units.misconceptions(slug)]


@pytest.mark.parametrize("item", _ALL, ids=[f"{m.exercise}: {m.name}" for m in _ALL])
def test_a_misconception_written_out_stands_on_its_own(item: Misconception) -> None:
    """A student's cell has no reference to import and no helper that is not in it."""
    text = demo.source_of(item)
    imported = [
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert not [name for name in imported if name.partition(".")[0] in ("gatedrnn", "grader")]
    names: dict = {}
    exec(text, names)
    assert callable(names[item.replaces])
    # Called with nothing it complains of its arguments, not of a name that is missing.
    outcome = LocalStudent(names).observe(item.replaces)
    assert outcome.error != "NameError"


@pytest.mark.slow
def test_the_demo_is_made_anew_and_leaves_nothing_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "ASSIGNMENTS", (c.SLUG,))
    few = {name: demo.STUDENTS[name] for name in ("ada", "carmen", "lena")}
    monkeypatch.setattr(demo, "STUDENTS", few)
    monkeypatch.setenv("COLUMNS", "160")  # the table is as wide as the terminal
    into = tmp_path / "demo"
    for _ in range(2):
        demo.demo(into, jobs=1)
        out = capsys.readouterr().out
        (worth,) = {f"{sum(c.worth().values()):g}"}
        assert f"{worth}/{worth}" in next(x for x in out.splitlines() if x.startswith("ada"))
        first = next(m for m in units.misconceptions(c.SLUG))
        assert first.name in next(x for x in out.splitlines() if x.startswith("carmen"))
        assert "not JSON" in next(x for x in out.splitlines() if x.startswith("lena"))
        assert [p.name for p in tmp_path.iterdir()] == ["demo"]
        assert len(list(into.glob("feedback/*/*/*.html"))) == 3
        assert (into / "grades.csv").read_text().count("\n") == 4
        (unit,) = json.loads((into / "report" / "report.json").read_text("utf-8"))["units"]
        assert (unit["handed_in"], unit["marked"]) == (3, 2)
