"""Everything a page needs lies in the built site: no page asks another host for anything.

The scripts of ``sphinx_thebe`` are dropped: they only serve a public Binder, and are declared
twice. Formulas need no script at all: see ``course_math``.
"""

from __future__ import annotations

from sphinx.application import Sphinx

UNWANTED = ("THEBE_JS_URL", "sphinx-thebe")


def _wanted(asset: object) -> bool:
    body = getattr(asset, "attributes", {}).get("body") or ""
    name = str(getattr(asset, "filename", asset))
    return not any(mark in f"{body}{name}" for mark in UNWANTED)


def _drop_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, object], doctree: object
) -> None:
    for key in ("script_files", "css_files"):
        assets = context.get(key) or []
        context[key] = [asset for asset in assets if _wanted(asset)]  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
