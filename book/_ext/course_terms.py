"""A link to a term of the glossary says under the pointer what the glossary says first of it."""

from __future__ import annotations

import html
import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
LINK = re.compile(r'<a class="reference internal" href="([^"#]*glossary\.html)?#(term-[^"]+)">')


def plain(node: nodes.Element) -> str:
    """The words of a node, without its citations and without TeX's marks."""
    copy = node.deepcopy()
    for reference in list(copy.findall(addnodes.pending_xref)):
        if reference["refdomain"] == "cite":
            reference.parent.remove(reference)
    words = [str(text) for text in copy.findall(nodes.Text)]
    text = re.sub(r"[\\{}]", "", " ".join("".join(words).split()))
    return re.sub(r"\s+(?=[.,;:])", "", text)


def meanings(doctree: nodes.document) -> dict[str, str]:
    """Return the first sentence of each term of a glossary, by the term's anchor."""
    found = {}
    for item in doctree.findall(nodes.definition_list_item):
        for definition in item.findall(nodes.definition):
            first = re.split(r"(?<=[.;])\s", plain(definition), maxsplit=1)[0].rstrip(";")
            for term in item.findall(nodes.term):
                found.update({anchor: first for anchor in term["ids"]})
    return found


def with_titles(body: str, known: dict[str, str]) -> str:
    """Give each link to a known term a title."""

    def titled(link: re.Match[str]) -> str:
        meaning = known.get(link[2])
        return f'{link[0][:-1]} title="{html.escape(meaning)}">' if meaning else link[0]

    return LINK.sub(titled, body)


def _add_titles(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    body = context.get("body") or ""
    if page != GLOSSARY and GLOSSARY in app.env.all_docs and "#term-" in body:
        context["body"] = with_titles(body, meanings(app.env.get_doctree(GLOSSARY)))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
