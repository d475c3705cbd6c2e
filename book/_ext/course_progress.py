"""``{progress}``: each quiz of the book with its questions, which a script ticks off.

What the reader answered is in the browser's own memory, and goes nowhere else.
"""

from __future__ import annotations

import html

from course_paths import QUIZZES
from course_quiz import read_quiz
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def pages_with_quizzes(app: Sphinx) -> list[str]:
    """Return the names of the book's pages that have a quiz, in the order of the book."""
    known = {path.stem for path in QUIZZES.glob("*.yml")}
    order = [app.config.root_doc]
    includes = app.env.toctree_includes
    for page in order:  # grows while it is walked
        order.extend(child for child in includes.get(page, []) if child not in order)
    return [page for page in order if page.startswith("book/") and page.split("/")[-1] in known]


class progress(nodes.General, nodes.Element):
    """Stands for the table until all pages and their titles are known."""


class Progress(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [progress()]


def _row(app: Sphinx, page: str, fromdoc: str) -> str:
    slug = page.split("/")[-1]
    quiz = read_quiz(QUIZZES / f"{slug}.yml")
    ids = " ".join(question["id"] for question in quiz["questions"])
    title = html.escape(app.env.titles[page].astext())
    link = app.builder.get_relative_uri(fromdoc, page)
    total = len(quiz["questions"])
    return (
        f'<tr data-quiz="{slug}" data-questions="{html.escape(ids)}">'
        f'<td><a class="reference internal" href="{link}#quiz">{title}</a></td>'
        f'<td class="progress-right">\u2013</td><td>{total}</td></tr>'
    )


def _fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(progress)):
        rows = "".join(_row(app, page, docname) for page in pages_with_quizzes(app))
        text = (
            '<div class="course-progress"><div class="pst-scrollable-table-container">'
            '<table class="table"><thead><tr><th scope="col">Quiz</th>'
            '<th scope="col">Answered rightly</th><th scope="col">Questions</th></tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
            '<p class="progress-total" role="status">'
            "The counts need JavaScript, since only your browser knows your answers.</p></div>"
        )
        node.replace_self(nodes.raw("", text, format="html"))


def _add_script(
    app: Sphinx, page: str, template: str, context: dict[str, object], doctree: object
) -> None:
    if 'class="course-progress"' in str(context.get("body") or ""):
        app.add_js_file("progress.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(progress)
    app.add_directive("progress", Progress)
    app.connect("doctree-resolved", _fill)
    app.connect("html-page-context", _add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
