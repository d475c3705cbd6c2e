"""Formulas stand in the page as drawings with MathML, so that a page needs no script for them.

The drawing is for the eyes: it scales, prints, follows dark mode, and says the meaning of a symbol
under the pointer, from the tables of the notation page; a tap, or the button beside an equation,
lists the meanings of them all (``symbols.js``). The MathML beside it is for a screen
reader. A formula that MathJax refuses is a warning, and so stops the build.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from course_paths import BOOK
from course_typeset import Formula, FormulaError, Typesetter
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
NOTATION = BOOK / "notation.md"
DOTS = ("\u22c5", "\u00b7")
# What touches a formula stays on its line: a full stop after it, a bracket before it, "-th".
LONGEST = 12
AFTER = re.compile(rf"\S{{1,{LONGEST}}}(?!\S)|[.,;:!?)\]\u2019\u201d]+")
BEFORE = re.compile(rf"(?:(?<!\S)\S{{1,{LONGEST}}}|[(\[\u2018\u201c]+)$")


def definitions(text: str, typesetter: Typesetter) -> dict[str, str]:
    """Read the meanings of symbols out of the tables of the notation page, by `Symbol.name`."""
    found: dict[str, str] = {}
    column = 0
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] in ("letter", "symbol") and "meaning" in cells:
            column = cells.index("meaning")
        elif not line.startswith("|"):
            column = 0
        elif column:
            meaning = re.sub(r"[$`{}]|\\\w+", "", cells[column]).strip()
            for tex in re.findall(r"\$([^$]+)\$", cells[0]):
                symbols = typesetter.formula(tex.removesuffix("(a)"), False).symbols
                if len(symbols) == 1 and not re.search(r"[/ ]", tex):
                    found[symbols[0].name] = meaning
    return found


def meaning_of(name: str, known: dict[str, str]) -> str:
    """Return what a symbol means, also at another step or for another block; or nothing."""
    if name in known:
        return known[name]
    letter, _, below = name.partition("_")
    step = re.fullmatch(r"t([\u2212+])(\w+)", below)
    if step and f"{letter}_t" in known:
        return known[f"{letter}_t"].replace("step t", f"step t {step[1]} {step[2]}")
    if len(below) == 2:
        return next((known[k] for dot in DOTS if (k := f"{letter}_{below[0]}{dot}") in known), "")
    return ""


def drawing(formula: Formula, tex: str, known: dict[str, str]) -> str:
    """The formula as HTML: the drawing, with meanings under the pointer, and the MathML."""
    hovers = "".join(
        f'<rect data-of="{html.escape(s.name)}" x="{s.x}" y="{s.y}" width="{s.width}" '
        f'height="{s.height}">'
        f"<title>{html.escape(meaning)}</title></rect>"
        for s in formula.symbols
        if (meaning := meaning_of(s.name, known))
    )
    return (
        f'<svg class="tex" width="{formula.width}" height="{formula.height}" '
        f'viewBox="{formula.view_box}" style="vertical-align:{formula.drop}" aria-hidden="true" '
        f'data-tex="{html.escape(tex)}">{formula.inside}{hovers}</svg>'
        f'<span class="tex-read">{formula.mathml}</span>'
    )


def hold_together(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Keep each formula on one line with what touches it; a browser may break beside a drawing."""
    for formula in list(doctree.findall(nodes.math)):
        if isinstance(formula.parent, nodes.TextElement):
            _hold(formula)


def _hold(formula: nodes.math) -> None:
    parent = formula.parent
    place = parent.index(formula)
    before = parent[place - 1] if place else None
    after = parent[place + 1] if place + 1 < len(parent) else None
    held = nodes.inline("", classes=["held"])
    if isinstance(before, nodes.Text) and (found := BEFORE.search(before)):
        held += nodes.Text(found[0])
        parent[place - 1] = nodes.Text(before[: found.start()])
    parent[place] = held
    held += formula
    if isinstance(after, nodes.Text) and (found := AFTER.match(after)):
        held += nodes.Text(found[0])
        parent[place + 1] = nodes.Text(after[found.end() :])
    if len(held) == 1:
        parent[place] = formula


class Mathematics:
    """What Sphinx calls for each formula of a page."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self._typesetter: Typesetter | None = None
        self._known: dict[str, dict[str, str]] = {}

    def inline(self, writer: HTML5Translator, node: nodes.math) -> None:
        writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
        writer.body.append(self._drawn(writer, node, False) + "</span>")
        raise nodes.SkipNode

    def block(self, writer: HTML5Translator, node: nodes.math_block) -> None:
        writer.body.append(writer.starttag(node, "div", CLASS="math notranslate nohighlight"))
        if node["number"]:
            number = get_node_equation_number(writer, node)
            writer.body.append(f'<span class="eqno">({number})')
            writer.add_permalink_ref(node, "Link to this equation")
            writer.body.append("</span>")
        drawn = self._drawn(writer, node, True)
        # symbols.js shows it; without scripts there is nothing that it could do.
        which = f"equation {get_node_equation_number(writer, node)}" if node["number"] else ""
        button = (
            '<button type="button" class="symbols-button" hidden '
            f'aria-label="symbols of {which or "this formula"}">symbols</button>'
            if "<title>" in drawn
            else ""
        )
        writer.body.append(f'<span class="tex-box">{drawn}</span>{button}</div>\n')
        raise nodes.SkipNode

    def finish(self, app: Sphinx, exception: Exception | None) -> None:
        if self._typesetter is not None:
            self._typesetter.close()

    def to_write(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """All pages, when the tables of symbols are others than they were."""
        rows = [line for line in NOTATION.read_text("utf-8").splitlines() if line.startswith("|")]
        before, env.course_symbols = getattr(env, "course_symbols", None), rows  # type: ignore[attr-defined]
        return [] if rows == before else sorted(env.found_docs)

    def _drawn(self, writer: HTML5Translator, node: nodes.Element, display: bool) -> str:
        if self._typesetter is None:
            self._typesetter = Typesetter(Path(self.app.outdir).parent / ".formulas.json")
        tex = node.astext()
        try:
            formula = self._typesetter.formula(tex, display)
        except FormulaError as error:
            LOGGER.warning("formula: %s", error, location=node, type="course")
            return f"<code>{html.escape(tex)}</code>"
        return drawing(formula, tex, self._meanings(writer.builder.current_docname))

    def _meanings(self, page: str) -> dict[str, str]:
        """The symbols of the notation page, and before them those of the page's own tables."""
        if page not in self._known:
            assert self._typesetter is not None
            known = definitions(NOTATION.read_text("utf-8"), self._typesetter)
            source = Path(self.app.env.doc2path(page))
            if source.suffix == ".md":
                known |= definitions(source.read_text("utf-8"), self._typesetter)
            self._known[page] = known
        return self._known[page]


def setup(app: Sphinx) -> dict[str, Any]:
    mathematics = Mathematics(app)
    app.add_js_file("symbols.js", loading_method="defer")
    app.add_html_math_renderer(
        "drawn",
        (mathematics.inline, None),
        (mathematics.block, None),  # type: ignore[arg-type]
    )
    app.connect("doctree-resolved", hold_together)
    app.connect("env-updated", mathematics.to_write)
    app.connect("build-finished", mathematics.finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
