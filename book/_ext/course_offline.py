"""Everything a page needs lies in the built site: no page asks another host for anything.

MathJax is one SVG-output file (glyphs are paths, so no font is fetched), copied out of the
package ``sphinx-mathjax-offline`` at build time; that package's own extension would copy 24 MB
and use web fonts. The scripts of ``sphinx_thebe`` are dropped: they only serve a public Binder,
and are declared twice.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX = "tex-svg-full.js"
UNWANTED = ("THEBE_JS_URL", "sphinx-thebe")


def mathjax_source() -> Path:
    """Return the installed MathJax file, or raise with the sentence that says how to get it."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ExtensionError(
            "MathJax is missing: run `pip install -c constraints.txt sphinx-mathjax-offline`."
        )
    return Path(spec.origin).parent / "static" / "mathjax" / MATHJAX


def _copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "mathjax" / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(mathjax_source(), target)


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
    app.config.mathjax_path = f"mathjax/{MATHJAX}"
    app.connect("html-page-context", _drop_thebe, priority=900)
    app.connect("build-finished", _copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
