"""Copies are found under other names, honest answers are not, and nothing given counts."""

from __future__ import annotations

import builtins
import csv
import io
import keyword
import time
import tokenize
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from grader import units
from grader.classreport import similar, write_report
from grader.demo import Blank
from tests.grader import classes as c
from tests.grader.independent_answers import ANSWERS

_ASKED = {name for e in units.exercises(c.SLUG) for name in e.asked}


@pytest.fixture(scope="module")
def given() -> list[str]:
    return similar.given(Path("nowhere"), c.SLUG)


def renamed(text: str) -> str:
    """The text as a copier hands it in: every name of one's own is another, comments are gone."""
    names: dict[str, str] = {}
    parts: list[tuple[int, str]] = []
    kept = _ASKED | {"np", *keyword.kwlist, *dir(builtins)}
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        word = token.string
        if token.type == tokenize.NAME and word not in kept and before != ".":
            word = names.setdefault(word, f"q{len(names)}")
        if token.type != tokenize.COMMENT:
            parts.append((token.type, word))
        before = token.string
    assert len(names) > 8
    return tokenize.untokenize(parts)


def test_honest_answers_are_not_alike(given: list[str]) -> None:
    found = similar.compare(ANSWERS, given)
    assert found.compared == len(ANSWERS) and not found.pairs and not found.same_text
    assert max(found.closest.values()) < 0.1


@pytest.mark.parametrize("victim", ANSWERS)
def test_a_copy_with_other_names_is_found_and_nobody_else_is(given: list[str], victim: str) -> None:
    found = similar.compare({**ANSWERS, "copy": renamed(ANSWERS[victim])}, given)
    (pair,) = found.pairs
    assert {pair.left, pair.right} == {victim, "copy"}
    assert pair.share > 0.75 and not found.same_text
    others = [share for name, share in found.closest.items() if name not in (victim, "copy")]
    assert max(others) < 0.1


def test_a_copy_of_half_and_a_copy_among_code_of_ones_own(given: list[str]) -> None:
    half = "\n\n\n".join(ANSWERS["boris"].split("\n\n\n")[2:4])  # the two longest functions
    mixed = "\n\n\n".join([*ANSWERS["chidi"].split("\n\n\n")[:2], half])
    found = similar.compare({**ANSWERS, "copy": mixed}, given)
    assert [{p.left, p.right} for p in found.pairs] == [{"boris", "copy"}]


def test_the_same_text_is_said_even_when_many_have_it(given: list[str]) -> None:
    """Beyond a tenth of the class a text counts as common; a ring that shares it all does not."""
    ring = {f"r{i}": ANSWERS["delia"].replace("\n", "\n" + " " * 0) + "\n" * i for i in range(6)}
    rest = {name: text for name, text in ANSWERS.items() if name != "delia"}
    found = similar.compare(ring | rest, given)
    assert found.same_text == [sorted(ring)]
    assert not found.pairs


def test_what_the_course_gives_or_shows_counts_for_nothing() -> None:
    solved = c.full()
    texts = {
        "ada": "\n".join(x.source for x in solved.notebook.cells if x.cell_type == "code"),
        "bo": "\n".join(x.source for x in Blank(c.SLUG).notebook.cells if x.cell_type == "code"),
    }
    found = similar.compare(texts, similar.given(Path("nowhere"), c.SLUG))
    assert found.compared == 0 and not found.pairs


def test_only_cells_that_a_student_wrote_are_read() -> None:
    from grader.course import unit_source
    from grader.plan import lay_out
    from grader.submission import parse

    blank = c.Blank(c.SLUG)
    unit = unit_source(c.SLUG)
    released = {cell.source.strip() for cell in unit.cells}

    def own() -> str:
        return similar.own_code(lay_out(unit, parse(blank.bytes())), released)

    assert own() == ""
    blank.solve(blank.exercises[0])
    blank.add("mine = 1", at=2)
    text = own()
    assert text.startswith("mine = 1") and "np.tanh" in text
    assert "check(" not in text and "NotImplementedError" not in text


@pytest.mark.parametrize("text", ["", "x", "def (((", "%time x\n!ls\n" * 30, "\0" * 99, "é" * 99])
def test_odd_code_is_compared_too(given: list[str], text: str) -> None:
    found = similar.compare({"odd": text, "other": text, **ANSWERS}, given)
    assert found.compared >= len(ANSWERS)


def test_time_grows_with_the_class_and_not_with_its_square(given: list[str]) -> None:
    """A hundred times the pairs must not be a hundred times the work."""

    def seconds(n: int) -> float:
        texts = {f"s{i}": list(ANSWERS.values())[i % 5] + f"\nx{i} = {i}" for i in range(n)}
        started = time.process_time()
        similar.compare(texts, [])
        return time.process_time() - started

    seconds(5)
    assert seconds(200) < 40 * seconds(20)


def test_the_report_shows_a_pair_and_escapes_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = c.Blank(c.SLUG).exercises[0]
    evil = '\nnote = "<script>alert(1)</script>"\n'

    def hand_in(text: str) -> bytes:
        blank = c.Blank(c.SLUG)
        cell = next(x for x in blank.notebook.cells if x.id == f"{first}-answer")
        cell.source = text
        return blank.bytes()

    made = {name: hand_in(text) for name, text in ANSWERS.items()}
    made["copy"] = hand_in(renamed(ANSWERS["boris"]) + evil)
    made["lena"] = b"not json"
    room = c.new_class(tmp_path / "room", made)
    report = write_report(room, [c.SLUG], room.root / "report")
    (unit,) = report["units"]
    (pair,) = unit["similar"]["pairs"]
    assert {pair["left"], pair["right"]} == {"boris", "copy"}
    assert sum(unit["similar"]["closest_tenths"]) == unit["similar"]["compared"] == 6
    text = (room.root / "report" / "report.html").read_text("utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert not page.find_all("script")
    beside = next(d for d in page.find_all("details") if "side by side" in d.summary.text)
    assert "boris" in beside.summary.text and "copy" in beside.summary.text
    marked = "".join(m.text for m in beside.find_all("mark"))
    assert "np.einsum" in marked
    with (room.root / "report" / "similar.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["share"]) == pytest.approx(pair["share"], abs=1e-6)
