"""``{diagram} name``: a hand-written SVG, ``book/_diagrams/name.svg``, set into the page itself.

Inlined, so that its colours are the page's CSS variables and follow dark mode and print; an
``<img>`` could not. ``:alt:`` is required and becomes the accessible name. A body, when given, is
the same diagram as Mermaid text, offered below the drawing for copying and for readers who prefer
text.
"""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from course_paths import DIAGRAMS, relative
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


def inline_svg(svg: str, name: str, alt: str) -> str:
    """Return the SVG element with a role, an accessible name, and ids of its own."""
    ElementTree.fromstring(svg)  # raises ParseError on malformed XML
    body = re.sub(r"<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE.*?>", "", svg, flags=re.S).strip()
    opening, rest = re.match(r"<svg\b([^>]*)>(.*)", body, flags=re.S).groups()  # type: ignore[union-attr]
    ids = re.findall(r'\bid="([^"]+)"', body)
    for one in ids:
        rest = rest.replace(f'id="{one}"', f'id="{name}-{one}"')
        rest = rest.replace(f"url(#{one})", f"url(#{name}-{one})")
        rest = rest.replace(f'href="#{one}"', f'href="#{name}-{one}"')
    opening = re.sub(r'\s(role|aria-label|class|id|style)="[^"]*"', "", opening)
    # Below three quarters of its natural size a drawing's words are too small: it scrolls instead.
    width = re.search(r'\bwidth="(\d+)', opening)
    least = f' style="min-width:{int(width[1]) * 3 // 4}px"' if width else ""
    return f'<svg class="diagram" role="img" aria-label="{html.escape(alt)}"{least}{opening}>{rest}'


class Diagram(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {
        "alt": directives.unchanged_required,
        "caption": directives.unchanged,
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        path = DIAGRAMS / f"{name}.svg"
        if not path.is_file():
            return self._complain(f"there is no drawing {relative(path)}")
        if not self.options.get("alt", "").strip():
            return self._complain(
                f"the drawing {name} needs :alt:, a sentence saying what it shows"
            )
        self.env.note_dependency(str(path))
        alt = " ".join(self.options["alt"].split())
        try:
            drawing = inline_svg(path.read_text("utf-8"), name, alt)
        except ElementTree.ParseError as error:
            return self._complain(f"{relative(path)} is not well-formed SVG: {error}")
        figure = nodes.figure("", align="default", classes=["diagram-figure"])
        # Keyboard readers can scroll a drawing that is wider than a phone.
        opening = '<div class="diagram-box" tabindex="0" role="group" aria-label="Diagram">'
        figure += nodes.raw("", f"{opening}{drawing}</div>", format="html")
        if caption := self.options.get("caption"):
            parsed, messages = (
                self.parse_inline(caption)
                if hasattr(self, "parse_inline")
                else (self.state.inline_text(caption, self.lineno))
            )
            figure += nodes.caption(caption, "", *parsed, *messages)
        self.add_name(figure)
        self.set_source_info(figure)
        return [figure, *self._as_text()]

    def _as_text(self) -> list[nodes.Node]:
        if not self.content:
            return []
        opening = '<details class="diagram-text"><summary>The diagram as text (Mermaid)</summary>'
        code = nodes.literal_block(
            "\n".join(self.content), "\n".join(self.content), language="text"
        )
        return [
            nodes.raw("", opening, format="html"),
            code,
            nodes.raw("", "</details>", format="html"),
        ]

    def _complain(self, sentence: str) -> list[nodes.Node]:
        LOGGER.warning("diagram: %s.", sentence, location=self.get_location(), type="course")
        return []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("diagram", Diagram)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
