"""Mends what the theme and docutils write that a screen reader cannot use."""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup
from sphinx.application import Sphinx

EMPTY_HEAD = re.compile(r'<th class="head">\s*(?:<p>\s*</p>)?\s*</th>')


def mend_body(body: str) -> str:
    """Give an empty corner of a table a plain cell, and citations the role of a list's items."""
    body = EMPTY_HEAD.sub('<td class="head"></td>', body)
    return body.replace(' role="doc-biblioentry"', ' role="listitem"')


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
    app.add_js_file("access.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _mend, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
