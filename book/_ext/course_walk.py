"""Below each page the links to its neighbours say why one would follow them.

The sentences are in ``book/_templates/why.yml``, by the page that a link leads to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from course_paths import BOOK
from sphinx.application import Sphinx

SENTENCES = BOOK / "_templates" / "why.yml"


def neighbours(app: Sphinx, page: str) -> tuple[str | None, str | None]:
    """Return the names of the pages before and after a page."""
    relations = app.builder.relations.get(page)  # type: ignore[attr-defined]
    return (relations[1], relations[2]) if relations else (None, None)


def read_sentences(path: Path = SENTENCES) -> dict[str, dict[str, str]]:
    return yaml.safe_load(path.read_text("utf-8"))


def _say_why(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    sentences = read_sentences()
    before, after = neighbours(app, page)
    context["why_back"] = sentences.get(before or "", {}).get("back", "")
    context["why_next"] = sentences.get(after or "", {}).get("next", "")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _say_why)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
