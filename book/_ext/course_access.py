"""Mends what the theme and docutils write that a screen reader cannot use."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

EMPTY_HEAD = re.compile(r'<th class="head">\s*(?:<p>\s*</p>)?\s*</th>')
TOGGLE = re.compile(r"(<a\b[^>]*>)(.*?)(</a><details[^>]*><summary)>", re.S)


def mend_body(body: str) -> str:
    """Give an empty corner of a table a plain cell, and citations the role of a list's items."""
    body = EMPTY_HEAD.sub('<td class="head"></td>', body)
    return body.replace(' role="doc-biblioentry"', ' role="listitem"')


def name_toggles(tree: str) -> str:
    """Name each button of the side bar that opens the pages below another page."""

    def named(found: re.Match[str]) -> str:
        title = re.sub(r"<[^>]*>", "", found[2]).strip().replace('"', "&quot;")
        return f'{found[1]}{found[2]}{found[3]} aria-label="Pages of {title}">'

    return TOGGLE.sub(named, tree)


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    context["body"] = mend_body(context.get("body") or "")
    if inner := context.get("generate_toctree_html"):
        context["generate_toctree_html"] = lambda *a, **k: name_toggles(str(inner(*a, **k)))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _mend, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
