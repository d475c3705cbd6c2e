"""Equation, code and test point at each other.

A docstring names the equations that its function computes, as ``eq-gru-h`` in double backquotes. A
test names in its mark, ``@pytest.mark.equation("eq-gru-h")``, the equations that it holds the code
against. Both are read here without importing anything. Below each equation that has code stands a
line with links to the API page and to a row of the page of ``{equation-table}``, and the caption of
each ``{source}`` leads to the rows of the equations that its docstring names.

The lines are put in when a page is written, and are no part of what is read from it: a page is
written anew when its lines have changed, and read anew only when its own text has.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from course_paths import ROOT, SRC, relative
from course_source import Definition, labels_in, locate
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

PAGE = "book/trace"
TESTS = ROOT / "tests" / "gatedrnn"
LABELLED = re.compile(r"^\$\$ \((eq-[\w-]+)\)$")


@dataclass(frozen=True)
class Equation:
    """Where a labelled equation stands: its page, and the heading above it."""

    label: str
    page: str
    heading: str

    @property
    def row(self) -> str:
        """The anchor of its row in the table."""
        return f"trace-{self.label}"


@dataclass(frozen=True)
class Code:
    """A public function or class by the module that defines it, and that module's file."""

    name: str
    path: Path


@dataclass
class Trace:
    """What points at what, by label; the equations in reading order."""

    equations: dict[str, Equation] = field(default_factory=dict)
    code: dict[str, list[Code]] = field(default_factory=dict)
    tests: dict[str, list[str]] = field(default_factory=dict)

    def of_page(self, page: str) -> list[Equation]:
        return [one for one in self.equations.values() if one.page == page]


def pages_in_order(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """Return the pages of the book in reading order."""
    contents = yaml.safe_load(toc.read_text("utf-8"))
    return [contents["root"], *_files(contents.get("parts", []))]


def _files(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if "file" in entry:
            yield entry["file"]
        yield from _files(entry.get("chapters", []) + entry.get("sections", []))


def read_equations(root: Path = ROOT) -> dict[str, Equation]:
    """Return the labelled equations of the pages in Markdown, in reading order."""
    found: dict[str, Equation] = {}
    for page in pages_in_order(root / "_toc.yml"):
        path = root / f"{page}.md"
        heading = ""
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            if title := re.match(r"##+ (.+)", line):
                heading = title[1]
            elif label := LABELLED.match(line):
                found[label[1]] = Equation(label[1], page, heading)
    return found


def definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield functions, classes and methods with their dotted names, as they follow each other."""
    for statement in body:
        if isinstance(statement, Definition):
            name = f"{prefix}{statement.name}"
            yield name, statement
            if isinstance(statement, ast.ClassDef):
                yield from definitions(statement.body, f"{name}.")


def read_code(src: Path = SRC) -> dict[str, list[Code]]:
    """Return the public functions and classes whose docstrings name an equation, by its label.

    The equations' own module comes first, and before all others the name that is the label's.
    """
    found: dict[str, list[Code]] = {}
    for path, text in _files_that_say("eq-", src):
        parts = path.relative_to(src).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        for name, definition in definitions(ast.parse(text).body):
            if any(part.startswith("_") for part in name.split(".")):
                continue
            for label in labels_in(definition):
                found.setdefault(label, []).append(Code(f"{module}.{name}", path))
    for label, codes in found.items():
        own = label.removeprefix("eq-").replace("-", "_")
        codes.sort(key=lambda c: (not c.name.endswith(f".{own}"), ".equations." not in c.name))
    return found


def read_tests(folder: Path = TESTS) -> dict[str, list[str]]:
    """Return the tests whose marks name an equation, as ``file::name``, by its label."""
    found: dict[str, list[str]] = {}
    for path, text in _files_that_say("mark.equation", folder):
        for name, definition in definitions(ast.parse(text).body):
            test = f"{path.name}::{name.replace('.', '::')}"
            for label in dict.fromkeys(marked(definition)):
                found.setdefault(label, []).append(test)
    return found


def marked(definition: Definition) -> Iterator[str]:
    """Yield the labels in the marks ``pytest.mark.equation(...)`` of a test."""
    for mark in reversed(definition.decorator_list):
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.equation":
            yield from (str(ast.literal_eval(argument)) for argument in mark.args)


def _files_that_say(word: str, folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*.py")):
        if word in (text := path.read_text("utf-8")):
            yield path, text


def public_name(code: Code, documented: Any) -> str:
    """Return the name under which the API page has it, or nothing.

    The page names what a package offers: ``gatedrnn.equations.gru_step``, and not the module
    within the package.
    """
    module = ".".join(code.path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    name = code.name.removeprefix(f"{module}.")
    while module:
        candidate = f"{module}.{name}"
        entry = documented.get(candidate)
        # The API page also knows where a class is defined, as an alias.
        if entry and not getattr(entry, "aliased", False) and _same(candidate, code):
            return candidate
        module = module.rpartition(".")[0]
    return ""


@cache
def _same(candidate: str, code: Code) -> bool:
    """Whether a documented name is this code, and not another of the same name below it."""
    try:
        return locate(candidate)[0][-1] == code.path
    except LookupError:
        return False


def breakable(text: str) -> nodes.literal:
    """Code that may go on in a new line after a point, a colon or an underscore."""
    pieces = re.findall(r"[^._:]*[._:]*", text)[:-1]
    inside: list[nodes.Node] = []
    for piece in pieces:
        inside += [nodes.raw("", "<wbr>", format="html")] if inside else []
        inside.append(nodes.Text(piece))
    return nodes.literal("", "", *inside)


class EquationTable(SphinxDirective):
    """``{equation-table}``: for each page a table of its equations, with their code and tests."""

    def run(self) -> list[nodes.Node]:
        trace: Trace = self.env.app.course_trace  # type: ignore[attr-defined]
        self.env.note_dependency(__file__)
        pages = dict.fromkeys(equation.page for equation in trace.equations.values())
        return [self._section(page, trace) for page in pages]

    def _section(self, page: str, trace: Trace) -> nodes.Node:
        name = page.rpartition("/")[2]
        section = nodes.section("", ids=[f"trace-{name}"], names=[])
        path = Path(self.env.doc2path(page))
        found = re.search(r"^# (.+)$", path.read_text("utf-8"), re.M)
        title = nodes.title("", "", *self._words(found[1] if found else name))
        table = nodes.table("", classes=["trace-table", "colwidths-given"])
        group = nodes.tgroup("", cols=3)
        group += [nodes.colspec("", colwidth=width) for width in (22, 34, 44)]
        heads = [self._entry(nodes.paragraph("", word)) for word in ("equation", "code", "tests")]
        group += nodes.thead("", nodes.row("", *heads))
        group += nodes.tbody("", *(self._row(one, trace) for one in trace.of_page(page)))
        table += group
        section += [title, table]
        return section

    def _row(self, equation: Equation, trace: Trace) -> nodes.Node:
        where = nodes.paragraph("", "", self._number(equation.label), nodes.Text(" "))
        where += [nodes.literal("", equation.label), nodes.Text(", in "), nodes.Text("\u201c")]
        where += [*self._words(equation.heading), nodes.Text("\u201d")]
        codes = nodes.bullet_list("", classes=["trace-code"])
        for code in trace.code.get(equation.label, []):
            line = nodes.paragraph("", "", nodes.literal("", code.name, trace_code=code))
            codes += nodes.list_item("", line)
        tests = nodes.bullet_list("")
        for test in trace.tests.get(equation.label, []):
            tests += nodes.list_item("", nodes.paragraph("", "", breakable(test)))
        none = nodes.paragraph("", "none", classes=["trace-none"])
        run = f"pytest {relative(TESTS)} --equation {equation.label}"
        command = nodes.paragraph("", "", nodes.literal(run, run), classes=["trace-command"])
        return nodes.row(
            "",
            self._entry(where),
            self._entry(codes if len(codes) else none.deepcopy()),
            self._entry(*([tests, command] if len(tests) else [none])),
            ids=[equation.row],
        )

    def _entry(self, *inside: nodes.Node) -> nodes.entry:
        return nodes.entry("", *inside)

    def _number(self, label: str) -> nodes.Node:
        return addnodes.pending_xref(
            "", nodes.literal("", label), refdomain="math", reftype="eq", reftarget=label,
            refexplicit=False, refwarn=True, refdoc=self.env.docname,
        )  # fmt: skip

    def _words(self, text: str) -> list[nodes.Node]:
        """A line of Markdown as the nodes within its paragraph."""
        holder = nodes.Element()
        self.state.nested_parse(StringList([text], source=""), self.content_offset, holder)
        return list(holder.children[0].children) if holder.children else [nodes.Text(text)]


class Links:
    """What is done at each stage of a build."""

    def start(self, app: Sphinx) -> None:
        app.course_trace = Trace(  # type: ignore[attr-defined]
            read_equations(), read_code(), read_tests()
        )

    def to_read(
        self, app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set
    ) -> list[str]:
        """The table is read anew when anything in it is another than it was."""
        now = repr(app.course_trace)  # type: ignore[attr-defined]
        before, env.course_trace_read = getattr(env, "course_trace_read", ""), now  # type: ignore[attr-defined]
        return [PAGE] if now != before and PAGE in env.found_docs else []

    def to_write(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """The pages whose lines are others than they were."""
        now = {page: repr(self._lines(app, env, page)) for page in sorted(env.found_docs)}
        before, env.course_trace_written = getattr(env, "course_trace_written", {}), now  # type: ignore[attr-defined]
        return [page for page, lines in now.items() if lines != before.get(page, "[]")]

    def put(self, app: Sphinx, doctree: nodes.document, page: str) -> None:
        env = app.env
        lines = {line[0]: line for line in self._lines(app, env, page)}
        if page != PAGE:
            for block in list(doctree.findall(nodes.math_block)):
                if line := lines.get(block.get("label") or ""):
                    parent = block.parent
                    parent.insert(parent.index(block) + 1, self._line(app, page, *line))
        for place in list(doctree.findall(nodes.literal)):
            if code := place.get("trace_code"):
                place.replace_self(self._api(app, page, code, code.name))
        for place in list(doctree.findall(nodes.inline)):
            if labels := place.get("trace_labels"):
                place.replace_self(self._rows(app, page, labels))

    def _lines(
        self, app: Sphinx, env: BuildEnvironment, page: str
    ) -> list[tuple[str, list[Code], int, list[str]]]:
        """For each equation of a page that has code: label, code, tests, and names of the API."""
        trace: Trace = app.course_trace  # type: ignore[attr-defined]
        documented = env.get_domain("py").objects
        found = []
        for one in trace.equations.values() if page == PAGE else trace.of_page(page):
            if codes := trace.code.get(one.label):
                names = [public_name(code, documented) for code in codes]
                found.append((one.label, codes, len(trace.tests.get(one.label, [])), names))
        return found

    def _line(
        self, app: Sphinx, page: str, label: str, codes: list[Code], tests: int, names: list[str]
    ) -> nodes.Node:
        line = nodes.paragraph("", "code: ", classes=["trace"])
        shown = 2 if len(codes) == 2 else 1
        for place, code in enumerate(codes[:shown]):
            line += nodes.Text(", ") if place else nodes.Text("")
            line += self._api(app, page, code, code.name.rpartition(".")[2])
        if more := len(codes) - shown:
            line += [nodes.Text(" and "), self._row(app, page, label, f"{more} more")]
        line += nodes.Text(" \u00b7 ")
        line += self._row(app, page, label, f"tests: {tests}") if tests else nodes.Text("tests: 0")
        return line

    def _api(self, app: Sphinx, page: str, code: Code, text: str) -> nodes.Node:
        documented = app.env.get_domain("py").objects
        name = public_name(code, documented)
        shown = breakable(name if name and text == code.name else text)
        if not name:
            return shown
        entry = documented[name]
        return make_refnode(app.builder, page, entry.docname, entry.node_id, shown, name)

    def _row(self, app: Sphinx, page: str, label: str, text: str) -> nodes.Node:
        row = app.course_trace.equations[label].row  # type: ignore[attr-defined]
        title = f"code and tests of {label}"
        return make_refnode(app.builder, page, PAGE, row, nodes.inline("", text), title)

    def _rows(self, app: Sphinx, page: str, labels: list[str]) -> nodes.Node:
        known = app.course_trace.equations  # type: ignore[attr-defined]
        place = nodes.inline("", "", classes=["source-trace"])
        for label in labels:
            if label in known:
                place += nodes.Text(", " if len(place) else " \u00b7 tests of ")
                place += self._row(app, page, label, label)
        return place


def setup(app: Sphinx) -> dict[str, bool]:
    links = Links()
    app.add_directive("equation-table", EquationTable)
    app.connect("builder-inited", links.start)
    app.connect("env-get-outdated", links.to_read)
    app.connect("env-updated", links.to_write)
    app.connect("doctree-resolved", links.put)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
