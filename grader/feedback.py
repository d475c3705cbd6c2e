"""The page that a student gets back: one file, no scripts, nothing fetched from anywhere."""

from __future__ import annotations

from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter
from traitlets import Bool, default

from grader.report import number

_TAGS = frozenset(
    ["a", "abbr", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2"]
    + ["h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "span", "strong"]
    + ["sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "tt", "ul", "b", "u"]
)
_ATTRIBUTES = {
    "a": ["href", "title"],
    "*": ["class", "style"],
    "th": ["scope"],
    "ol": ["start"],
}
_CSS = CSSSanitizer(allowed_css_properties=["text-align"])


def clean(html: str) -> str:
    """HTML made from a student's prose: text, tables and links, and nothing that runs or loads."""
    return str(
        bleach.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            protocols=["http", "https", "mailto"],
            css_sanitizer=_CSS,
            strip=True,
        )
    )


class FeedbackExporter(HTMLExporter):
    """nbgrader's feedback, in a page of our own."""

    export_from_notebook = "grader feedback"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "grader_feedback"

    # Prompts number the cells of a run that the reader did not see.
    exclude_input_prompt = Bool(True).tag(config=True)
    exclude_output_prompt = Bool(True).tag(config=True)
    exclude_anchor_links = Bool(True).tag(config=True)

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        return clean(super().markdown2html(context, source))

    def default_filters(self) -> Any:
        yield from super().default_filters()
        yield "points", lambda value: number(round(float(value or 0), 2))

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        resources = self._init_resources(resources)
        resources["highlighting"] = HtmlFormatter(style="default").get_style_defs(".highlight")
        return super().from_notebook_node(nb, resources, **kwargs)
