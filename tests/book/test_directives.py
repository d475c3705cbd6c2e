"""The book's own directives: what they find, and what they say when they find nothing."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import course_access
import course_diagram
import course_exercises
import course_math
import course_quiz
import course_record
import course_source
import course_terms
import course_typeset
import course_walk
import course_weight
import docutils.core
import docutils.nodes
import pytest

from gatedrnn import equations
from gatedrnn.cells import GRU
from gatedrnn.figures import style

from .conftest import ROOT, toc_pages

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


def test_exercise_links_lead_to_the_exercise_and_to_where_it_opens() -> None:
    notebook = course_exercises.notebook_path("gru")
    assert course_exercises.heading_of("param_count", notebook) == "4. Counting parameters"
    assert course_exercises.heading_of("lstm_cell", notebook) == ""
    (local,) = course_exercises.places("gru", "")
    assert "localhost:8888/lab/tree/gru/gru.ipynb" in local
    public = course_exercises.places("gru", "someone/gatedrnn")
    assert "/github/someone/gatedrnn/blob/main/notebooks/gru/gru.ipynb)" in public[1]
    assert 'install -q "gatedrnn[check] @ git+https://github.com/someone/gatedrnn"' in public[1]
    assert "/gh/someone/gatedrnn/main?urlpath=lab/tree/notebooks/gru/gru.ipynb)" in public[2]


# ---------------------------------------------------------------- formulas


@pytest.fixture(scope="module")
def typesetter() -> Iterator[course_typeset.Typesetter]:
    made = course_typeset.Typesetter()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("outline", "end"),
    [
        ("M10 20H30V-5L0 0Q5 5 6 7T8 9Z", (10, 20)),
        ("M1 2L3 4ZM10 10Q20 30 40 50", (40, 50)),
        ("M5 5ZM7 7L8 9", (8, 9)),
    ],
)
def test_a_path_in_steps_ends_where_it_ended(outline: str, end: tuple[int, int]) -> None:
    moved = course_typeset.relative(outline, 100, -200)
    x = y = left = top = 0.0
    for letter, rest in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", moved):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", rest)]
        if letter == "M":
            x, y = numbers
        elif letter == "z":
            x, y = left, top
        else:
            x += 0 if letter == "v" else numbers[-2] if len(numbers) > 1 else numbers[0]
            y += 0 if letter == "h" else numbers[-1]
        if letter in "Mm":
            left, top = x, y
    assert (x - 100, y + 200) == end


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.5, ".5"),
        (-0.25, "-.25"),
        (10.5, "10.5"),
        (-20.125, "-20.125"),
        (100.0, "100"),
        (-1e-9, "0"),
    ],
)
def test_a_short_number_is_the_number(number: float, written: str) -> None:
    assert course_typeset.short(number) == written
    assert float(written) == pytest.approx(number, abs=5e-4)


def test_a_formula_is_drawn_and_can_be_read(typesetter: course_typeset.Typesetter) -> None:
    formula = typesetter.formula(r"h_t = z_t \odot h_{t-1}", True)
    words = re.sub(r"<[^>]*>", "", formula.mathml)
    assert words == "ht=zt&#x2299;ht&#x2212;1"
    assert formula.inside.count("<path") == 2  # letters, and subscripts
    assert [s.name for s in formula.symbols] == ["h_t", "z_t", "h_t\u22121"]
    lefts = [s.x for s in formula.symbols]
    assert lefts == sorted(lefts)


def test_a_wrong_formula_is_refused_with_its_reason(typesetter: course_typeset.Typesetter) -> None:
    with pytest.raises(
        course_typeset.FormulaError, match=r"Undefined control sequence \\foo: \\foo"
    ):
        typesetter.formula(r"\foo", False)


def test_formulas_are_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "formulas.json"
    first = course_typeset.Typesetter(memory)
    drawn = first.formula("x_t", False)
    first.close()
    again = course_typeset.Typesetter(memory)
    again._typeset = None  # what is remembered is not set again
    assert again.formula("x_t", False) == drawn


def test_symbols_have_the_meanings_of_the_notation_page(
    typesetter: course_typeset.Typesetter,
) -> None:
    text = (ROOT / "book" / "notation.md").read_text("utf-8")
    known = course_math.definitions(text, typesetter)
    assert known["z_t"] == "update gate of the GRU"
    assert known["r_t"] == "reset gate of the GRU"
    assert "1/(1+e^-a)" in known["\u03c3"]
    assert known["T"] == "time steps in a sequence"
    assert course_math.meaning_of("h_t\u22121", known).startswith("state after step t \u2212 1")
    assert course_math.meaning_of("W_in", known).startswith("input weights of one block")
    assert course_math.meaning_of("q", known) == ""
    own = "| letter | meaning |\n|---|---|\n| $L$ | layers |\n"
    assert (known | course_math.definitions(own, typesetter))["L"] == "layers"
    assert known["L"] == "loss"
    drawn = course_math.drawing(typesetter.formula("z_t", False), "z_t", known)
    assert "<title>update gate of the GRU</title>" in drawn


# ---------------------------------------------------------------- icons


def test_only_the_icons_that_are_used_stay_in_the_styles() -> None:
    css = (
        '.a{color:red}.fa-sun:before{content:"\\f185"}.fa-moon:before{content:"\\f186"}'
        '.fa-bars:before,.fa-navicon:before{content:"\\f0c9"}.fa,.fas{x:y}.box .fa-moon{z:0}'
    )
    slim = course_weight.slim_styles(css, ["fa-navicon", "fa-sun"])
    assert slim == css.replace('.fa-moon:before{content:"\\f186"}', "")
    assert course_weight.code_points(slim + ":root{--icon:'\uf00c'}") == {0xF185, 0xF0C9, 0xF00C}


# ---------------------------------------------------------------- terms


def test_a_link_to_a_term_says_what_it_means() -> None:
    tree = docutils.core.publish_doctree(
        "gate\n  It *lets* pass; or not.\n\nbias\n  A vector. Of H."
    )
    for term in tree.findall(docutils.nodes.term):
        term["ids"] = [f"term-{term.astext()}"]
    known = course_terms.meanings(tree)
    assert known == {"term-gate": "It lets pass", "term-bias": "A vector."}
    link = '<a class="reference internal" href="glossary.html#term-{}">'
    said = course_terms.with_titles(link.format("bias") + link.format("unknown"), known)
    assert said == link.format("bias")[:-1] + ' title="A vector.">' + link.format("unknown")


# ---------------------------------------------------------------- the walk


def test_every_link_to_a_neighbour_says_why() -> None:
    sentences = course_walk.read_sentences()
    pages = toc_pages()
    assert set(sentences) <= set(pages)
    for page in pages[1:]:
        if page in sentences or not page.startswith("book/"):
            assert sentences[page]["next"].endswith(".") and sentences[page]["back"].endswith(".")


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
    formula = '<th class="head"><p><svg></svg><math><mi>z</mi><mi>t</mi></math></p></th>'
    assert course_access.mend_body(formula) == '<th class="head"><p><svg></svg>z t</p></th>'
    assert course_access.mend_body('<div role="doc-biblioentry">') == '<div role="listitem">'
    tree = '<li><a href="x.html">The <em>{}</em></a><details><summary></summary></details></li>'
    named = course_access.name_toggles(tree.format("GRU") + tree.format("LSTM"))
    assert re.findall('<summary aria-label="(.*?)">', named) == [
        "Pages of The GRU",
        "Pages of The LSTM",
    ]
