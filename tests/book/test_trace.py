"""Equation, code and test point at each other, and each of them is there."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import course_source
import course_trace
import pytest
from bs4 import BeautifulSoup

from .conftest import ROOT
from .marked_tests import SIGN

EQUATIONS = course_trace.read_equations()
CODE = course_trace.read_code()
TESTS = course_trace.read_tests()


def pytest_of_the_package(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "tests/gatedrnn", "-q"]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, text=True, capture_output=True,
    )  # fmt: skip


# ---------------------------------------------------------------- what the sources name


def test_every_equation_that_a_docstring_names_is_in_the_book() -> None:
    wrong = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for place in ast.walk(tree):
            if isinstance(place, ast.Module | ast.ClassDef | ast.FunctionDef):
                labels = course_source.LABEL.findall(ast.get_docstring(place) or "")
                name = getattr(place, "name", "the module")
                wrong += [f"{path.name}, {name}: {one}" for one in labels if one not in EQUATIONS]
    assert not wrong, "\n".join(wrong)


def test_every_equation_that_a_mark_names_is_in_the_book() -> None:
    assert {label: tests for label, tests in TESTS.items() if label not in EQUATIONS} == {}


def test_every_equation_that_has_code_has_a_test() -> None:
    in_numpy = {
        label for label, all_of in CODE.items() if any(".equations." in c.name for c in all_of)
    }
    assert len(in_numpy) >= 18
    assert sorted(in_numpy - set(TESTS)) == []
    assert sorted(set(CODE) - set(TESTS)) == []


@pytest.mark.slow
def test_pytest_finds_in_each_mark_what_the_book_reads() -> None:
    # So a mark's `cases` are values that its test has, and no mark stands where we do not look.
    done = pytest_of_the_package("--collect-only", "-p", "tests.book.marked_tests")
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(one for one in done.stdout.splitlines() if one.startswith(SIGN))
    assert json.loads(line.removeprefix(SIGN)) == {k: sorted(v) for k, v in TESTS.items()}


# ---------------------------------------------------------------- the option of pytest


@pytest.mark.slow
def test_the_option_runs_the_cases_of_one_equation() -> None:
    done = pytest_of_the_package("--equation", "eq-lstm-cifg")
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout
    listed = pytest_of_the_package("--equation", "eq-lstm-cifg", "--collect-only").stdout
    assert "[LSTM, coupled gates" in listed
    assert "no_forget_gate" not in listed and "[GRU" not in listed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("eq-gru-hh", "The book has no equation 'eq-gru-hh'; near it are eq-gru-h,"),
        ("eq-chain", "No test that was collected is marked with eq-chain"),
    ],
)
def test_an_equation_that_cannot_be_run_is_refused_in_a_sentence(label, sentence) -> None:
    done = pytest_of_the_package("--equation", label)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert sentence in done.stderr and "Traceback" not in done.stderr + done.stdout


# ---------------------------------------------------------------- reading without importing


def test_names_are_read_and_private_ones_are_left_out(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "cell.py").write_text(
        'def later():\n    """Equation ``eq-one``."""\n\n'
        'def one():\n    """Equations ``eq-one`` and ``eq-two``, and ``eq-two``."""\n\n'
        'def _own():\n    """Equation ``eq-one``."""\n\n'
        'class Cell:\n    def step(self):\n        """Equation ``eq-two``."""\n'
    )
    found = course_trace.read_code(tmp_path)
    names = {label: [code.name for code in codes] for label, codes in found.items()}
    # The function that has the equation's name is named first.
    assert names == {
        "eq-one": ["package.cell.one", "package.cell.later"],
        "eq-two": ["package.cell.one", "package.cell.Cell.step"],
    }


def test_marks_are_read(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        '@pytest.mark.equation("eq-one", "eq-two", cases=("a",))\n'
        '@pytest.mark.equation("eq-one")\n@pytest.mark.slow\ndef test_a():\n    pass\n\n'
        'class TestB:\n    @pytest.mark.equation("eq-two")\n    def test_c(self):\n        pass\n'
    )
    assert course_trace.read_tests(tmp_path) == {
        "eq-one": ["test_it.py::test_a"],
        "eq-two": ["test_it.py::test_a", "test_it.py::TestB::test_c"],
    }


def test_only_pages_whose_lines_changed_are_written_anew() -> None:
    trace = course_trace.Trace(EQUATIONS, CODE, TESTS)
    app = SimpleNamespace(course_trace=trace)
    domain = SimpleNamespace(objects={})
    pages = {"book/gru", "book/lstm", "book/setup", course_trace.PAGE}
    env = SimpleNamespace(found_docs=pages, get_domain=lambda name: domain)
    links = course_trace.Links()
    assert set(links.to_write(app, env)) == pages - {"book/setup"}
    assert links.to_write(app, env) == []
    fewer = TESTS | {"eq-gru-h": TESTS["eq-gru-h"][:1]}
    app.course_trace = course_trace.Trace(EQUATIONS, CODE, fewer)
    assert set(links.to_write(app, env)) == {"book/gru", course_trace.PAGE}
    assert links.to_read(app, env, set(), set(), set()) == [course_trace.PAGE]
    assert links.to_read(app, env, set(), set(), set()) == []


# ---------------------------------------------------------------- the built pages


def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@pytest.mark.parametrize("page", sorted({one.page for one in EQUATIONS.values()}))
def test_each_equation_with_code_says_so_below_it(html: Path, page: str) -> None:
    here = soup(html / f"{page}.html")
    lines = here.select("p.trace")
    with_code = [one for one in EQUATIONS.values() if one.page == page and one.label in CODE]
    assert len(lines) == len(with_code)
    for equation, line in zip(with_code, lines, strict=True):
        block = line.find_previous_sibling()
        assert "math" in block["class"] and block["id"] == f"equation-{equation.label}"
        first = CODE[equation.label][0].name.rpartition(".")[2]
        assert line.code.get_text() == first
        assert line.find_all("a")[0]["href"].startswith("api.html#gatedrnn.")
        rows = {a["href"] for a in line.find_all("a") if "trace" in a["href"]}
        assert rows == {f"trace.html#{equation.row}"}
        assert line.get_text().endswith(f"tests: {len(TESTS[equation.label])}")


def test_no_notebook_page_has_such_lines(html: Path) -> None:
    pages = list((html / "notebooks").rglob("*.html"))
    assert pages
    assert [page.name for page in pages if soup(page).select("p.trace")] == []


def test_the_table_has_a_row_for_each_equation(html: Path) -> None:
    here = soup(html / f"{course_trace.PAGE}.html")
    rows = {row["id"]: row for row in here.select("table.trace-table tbody tr")}
    assert list(rows) == [equation.row for equation in EQUATIONS.values()]
    for label, equation in EQUATIONS.items():
        where, code, tests = rows[equation.row].find_all("td")
        assert where.a["href"] == f"{equation.page.rpartition('/')[2]}.html#equation-{label}"
        assert len(code.find_all("li")) == len(CODE.get(label, []))
        assert [one.get_text() for one in tests.find_all("li")] == TESTS.get(label, [])
        run = f"pytest tests/gatedrnn --equation {label}"
        assert (run in tests.get_text()) is (label in TESTS)
    linked = {a.get_text() for a in here.select(".trace-code a")}
    assert {"gatedrnn.equations.gru_step", "gatedrnn.GRU", "gatedrnn.LSTMCell"} <= linked


def test_a_listing_leads_to_the_tests_of_its_equations(html: Path) -> None:
    here = soup(html / "book" / "gru.html")
    listings = {
        box.select_one(".caption-text code").get_text(): box
        for box in here.select(".source-listing")
    }
    links = listings["gatedrnn.equations.gru_step"].select(".source-trace a")
    assert [link["href"] for link in links] == ["trace.html#trace-eq-gru-h"]
