"""The book's own directives: what they find, and what they say when they find nothing."""

import inspect
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import course_access
import course_diagram
import course_exercises
import course_quiz
import course_record
import course_source
import pytest

from gatedrnn import equations
from gatedrnn.cells import GRU
from gatedrnn.figures import style

from .conftest import ROOT

# ---------------------------------------------------------------- source


@pytest.mark.parametrize("name", ["gru_step", "gru_step_reset_before", "lstm_step", "rnn_backward"])
def test_source_is_what_python_says_it_is(name: str) -> None:
    files, found = course_source.locate(f"gatedrnn.equations.{name}")
    assert course_source.source_text(files[-1], found) == inspect.getsource(
        getattr(equations, name)
    ).rstrip("\n")


def test_source_finds_a_method() -> None:
    files, found = course_source.locate("gatedrnn.cells.layers.GRU.__init__")
    text = course_source.source_text(files[-1], found)
    assert text == inspect.cleandoc(inspect.getsource(GRU.__init__))


def test_source_depends_on_every_file_on_the_way() -> None:
    files, _ = course_source.locate("gatedrnn.equations.gru_step")
    assert [path.name for path in files] == ["__init__.py", "gru.py"]


def test_source_without_docstring_computes_the_same() -> None:
    files, found = course_source.locate("gatedrnn.equations.gru_step")
    text = course_source.source_text(files[-1], found, with_docstring=False)
    assert '"""' not in text
    assert text.splitlines()[-1] == "    return (1 - z) * n + z * h"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gatedrnn.equations.gru_stop", "no function or class named gru_stop"),
        ("nowhere.at.all", "no module of the package"),
    ],
)
def test_source_says_what_is_missing(name: str, words: str) -> None:
    with pytest.raises(LookupError, match=words):
        course_source.locate(name)


# ---------------------------------------------------------------- record


@pytest.fixture
def results(tmp_path: Path) -> Path:
    record = {"cells": {"GRU": {"test_bpc": [1.5, -2.0]}, "GRU, z +4": 8.13e-21}, "command": "run"}
    (tmp_path / "demo.json").write_text(json.dumps(record))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("demo:cells.GRU.test_bpc.0|.3f", "1.500"),
        ("demo:cells.GRU.test_bpc.-1", "-2.0"),
        ("demo:cells.[GRU, z +4]|power", r"8.1 \times 10^{-21}"),
        ("demo:cells.GRU.test_bpc.0|power", "1.5"),
        ("demo:command|code", "run"),
    ],
)
def test_record_is_read_and_written(results: Path, text: str, shown: str) -> None:
    assert course_record.read_value(text, results)[1] == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("other:cells", "no record other.json"),
        ("demo:cells.LSTM", "no 'LSTM'.*there is: GRU"),
        ("demo:cells.GRU.test_bpc.2", "no '2'"),
        ("demo:cells.GRU", "not a single value"),
        ("demo:command|.3f", "cannot be written as"),
        ("demo", "write name:path"),
    ],
)
def test_record_says_what_is_missing(results: Path, text: str, words: str) -> None:
    with pytest.raises(LookupError, match=words):
        course_record.read_value(text, results)


# ---------------------------------------------------------------- diagram


def test_diagram_gets_a_name_and_ids_of_its_own() -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="400" viewBox="0 0 4 3" role="none">'
        '<defs><marker id="tip"/></defs><path marker-end="url(#tip)"/></svg>'
    )
    root = ElementTree.fromstring(course_diagram.inline_svg(svg, "flow", 'says "this" & that'))
    assert (root.get("role"), root.get("aria-label")) == ("img", 'says "this" & that')
    assert root.get("style") == "min-width:300px"
    text = ElementTree.tostring(root, encoding="unicode")
    assert 'id="flow-tip"' in text and "url(#flow-tip)" in text and '"tip"' not in text


@pytest.mark.parametrize("path", sorted((ROOT / "book" / "_diagrams").glob("*.svg")), ids=str)
def test_drawings_follow_the_visual_language(path: Path) -> None:
    root = ElementTree.fromstring(path.read_text("utf-8"))
    assert root.get("viewBox") and root.get("width"), "a drawing needs a viewBox and a width"
    for element in root.iter():
        assert "style" not in element.attrib, "colours come from classes, not from style"
        for key in ("fill", "stroke"):
            colour = element.get(key, "none")
            assert colour in {"none", "currentColor"} or colour.startswith(("url(", "var(--")), (
                f"{key}={colour!r} does not follow dark mode"
            )


def test_page_and_figures_speak_one_language() -> None:
    css = (ROOT / "book" / "_static" / "custom.css").read_text("utf-8")
    light = css[: css.index('data-theme="dark"')]
    for name in ("STATE", "UPDATE", "RESET", "CANDIDATE", "INPUT", "GRADIENT"):
        assert f"--c-{name.lower()}: {getattr(style, name).lower()};" in light


# ---------------------------------------------------------------- exercise links


def test_points_are_those_of_the_notebook(tmp_path: Path) -> None:
    def cell(source: str, points: float) -> dict:
        return {"source": [source], "metadata": {"nbgrader": {"points": points}}}

    notebook = tmp_path / "demo.ipynb"
    cells = [cell('check("gru_cell")', 8), cell('check("gru_cell_backward")', 5)]
    notebook.write_text(json.dumps({"cells": [*cells, {"source": "text", "metadata": {}}]}))
    assert course_exercises.points_of("gru_cell", notebook) == 8
    assert course_exercises.points_of("lstm_cell", notebook) == 0


# ---------------------------------------------------------------- quizzes

QUIZZES = sorted((ROOT / "book" / "_quizzes").glob("*.yml"))


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_quizzes_are_complete(path: Path) -> None:
    assert course_quiz.problems(course_quiz.read_quiz(path)) == []


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_quizzes_are_on_the_page_of_their_name(path: Path) -> None:
    page = ROOT / "book" / f"{path.stem}.md"
    assert f"{{quiz}} {path.stem}\n" in page.read_text("utf-8")


def sound_quiz() -> dict:
    option = {"text": "a", "because": "b"}
    one = {"kind": "one", "question": "q", "options": [option | {"right": True}, option]}
    number = {"kind": "number", "question": "q", "answer": 2, "because": "b", "otherwise": "o"}
    return {"questions": [one | {"id": "a"}, one | {"id": "b"}, number | {"id": "c"}]}


def test_a_sound_quiz_has_no_problems() -> None:
    assert course_quiz.problems(sound_quiz()) == []


def _change(path: tuple, value: object) -> dict:
    quiz = sound_quiz()
    place = quiz["questions"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return quiz


@pytest.mark.parametrize(
    ("quiz", "words"),
    [
        ({"questions": sound_quiz()["questions"][:2]}, "3 to 6 questions"),
        (_change((0, "options", 1), {"text": "a"}), "has no explanation"),
        (_change((0, "options", 1), {"because": "a"}), "has no text"),
        (_change((0, "options", 1), {"text": "a", "because": "b", "right": True}), "2 are"),
        (_change((1, "id"), "a"), "is taken"),
        (_change((1, "kind"), "essay"), "kind must be"),
        (_change((2, "answer"), "two"), "must be a number"),
        (_change((2, "otherwise"), ""), "`otherwise` is missing"),
        (_change((2, "wrong"), [{"value": 3}]), "needs a number `value` and a `because`"),
        (_change((2, "wrong"), [{"value": 2, "because": "b"}]), "within the tolerance"),
    ],
)
def test_a_faulty_quiz_is_refused_with_a_sentence(quiz: dict, words: str) -> None:
    assert any(words in problem for problem in course_quiz.problems(quiz))


def test_a_file_that_is_no_quiz_is_refused(tmp_path: Path) -> None:
    for text in ("questions: none", "[", "- a"):
        path = tmp_path / "bad.yml"
        path.write_text(text)
        with pytest.raises(ValueError, match=r"bad\.yml"):
            course_quiz.read_quiz(path)


def test_what_a_screen_reader_cannot_use_is_mended() -> None:
    table = '<th class="head"></th><th class="head">size</th><th class="head"><p></p></th>'
    mended = course_access.mend_body(table)
    assert mended.count('<td class="head"></td>') == 2 and '<th class="head">size</th>' in mended
    assert course_access.mend_body('<div role="doc-biblioentry">') == '<div role="listitem">'
    tree = '<li><a href="x.html">The <em>{}</em></a><details><summary></summary></details></li>'
    named = course_access.name_toggles(tree.format("GRU") + tree.format("LSTM"))
    assert re.findall('<summary aria-label="(.*?)">', named) == [
        "Pages of The GRU",
        "Pages of The LSTM",
    ]
