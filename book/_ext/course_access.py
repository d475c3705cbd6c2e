"""Mends what the theme and docutils write that a screen reader cannot use."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

HEAD = re.compile(r'<th class="head">(.*?)</th>', re.S)
MATHML = re.compile(r"<math>.*?</math>", re.S)
TAG = re.compile(r"<[^>]*>")


def mend_body(body: str) -> str:
    """Mend what the bodies of pages lack: names of table heads, roles of citations.

    An empty corner of a table is no head, and a head that is a formula alone is read as its
    letters, since MathML counts as no text. An item of the bibliography has the role that its
    list asks for.
    """
    body = HEAD.sub(_head, body)
    return body.replace(' role="doc-biblioentry"', ' role="listitem"')


def _head(found: re.Match[str]) -> str:
    if TAG.sub("", MATHML.sub("", found[1])).strip():
        return found[0]
    if not MATHML.search(found[1]):
        return '<td class="head"></td>'
    return MATHML.sub(lambda formula: " ".join(TAG.sub(" ", formula[0]).split()), found[0])


def name_toggles(tree: str) -> str:
    """Name each button of the side bar that opens the pages below another page."""
    soup = BeautifulSoup(tree, "html.parser")
    for summary in soup.select("details > summary"):
        link = summary.parent.find_previous_sibling("a")
        if link is not None:
            summary["aria-label"] = f"Pages of {link.get_text().strip()}"
    return str(soup)


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    context["body"] = mend_body(context.get("body") or "")
    if inner := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *a, **k: name_toggles(str(inner(*a, **k)))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_js_file("access.js", loading_method="defer")
    app.connect("html-page-context", _mend, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
