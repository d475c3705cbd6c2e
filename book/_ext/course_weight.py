"""What a page does not need it does not load, and no script keeps it from being shown.

The theme brings two sets of two thousand icons: a script of 1.5 MB, which a template of ours leaves
out, and a font with a rule of CSS for each icon. The font is cut to the glyphs that the built
pages use, and the rules of the other icons are dropped. The style sheets of a page are asked for as
one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

STYLES = Path("_static/styles/pydata-sphinx-theme.css")
FONTS = Path("_static/vendor/fontawesome")
ICONS = FONTS / "webfonts" / "fa-solid-900"
UNUSED = ("_static/scripts/fontawesome.js", "_static/scripts/*.map", "_static/styles/*.map")
# The theme looks after each change of the page at what scrolls, reading and writing in turns, which
# lays the page out again for each box. access.js does it without.
SCRIPT = Path("_static/scripts/pydata-sphinx-theme.js")
LOOK = re.compile(r"(\w+)\.tabIndex=\1\.scrollWidth>[^?]*\?0:-1")
SHEET = "_static/course.css"
# On the page of the search the index comes with scripts that need the others at once.
AT_ONCE = ("documentation_options.js",)
SEARCH = "search"

ICON = r"\.fa[srb]?(?:-[\w-]+)?(?:[:.][^{},]*)?"
ICON_RULE = re.compile(rf"(?<=[}}/;])\s*({ICON}(?:,{ICON})*)\{{[^{{}}]*\}}")
BASE = {"fa", "fas", "far", "fa-solid", "fa-regular", "fa-lg"}


def slim_styles(css: str, used: Iterable[str]) -> str:
    """Drop the rules of the icon font whose classes no page uses."""
    wanted = BASE | set(used)

    def kept(rule: re.Match[str]) -> str:
        return rule[0] if wanted & set(re.findall(r"\.(fa[\w-]*)", rule[1])) else ""

    before = None
    while css != before:  # a rule is recognised by the end of the one before it
        before, css = css, ICON_RULE.sub(kept, css)
    return re.sub(r"/\*# sourceMappingURL=[^*]*\*/", "", css)


def icons_in(html: str) -> set[str]:
    """Return the classes of icons in a page."""
    return {
        name
        for classes in re.findall(r'class="([^"]*\bfa[\w-]*[^"]*)"', html)
        for name in classes.split()
        if name.startswith("fa-")
    }


def code_points(css: str) -> set[int]:
    """Return the code points of icons that a style sheet names, escaped or as they are."""
    escaped = re.findall(r"""content:\s*["']\\([0-9a-f]{2,5})["']""", css)
    private = (ord(sign) for sign in css if "\ue000" <= sign <= "\uf8ff")
    return {int(code, 16) for code in escaped} | set(private)


def cut_font(source: Path, target: Path, points: set[int]) -> None:
    """Write the glyphs of some code points as a font of their own."""
    from fontTools import subset

    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=points)
    cutter.subset(font)
    subset.save_font(font, str(target), options)


def _slim(app: Sphinx, exception: Exception | None) -> None:
    out = Path(app.outdir)
    if exception is not None or app.builder.format != "html" or not (out / STYLES).is_file():
        return
    pages = [path for path in out.rglob("*.html") if "_static" not in path.parts]
    used = set().union(*(icons_in(path.read_text("utf-8")) for path in pages))
    css = slim_styles((out / STYLES).read_text("utf-8"), used)
    source = (out / ICONS).with_suffix(".ttf")
    if source.is_file():
        others = (path for path in out.glob("_static/**/*.css") if path != out / STYLES)
        sheets = [css, *(path.read_text("utf-8") for path in others)]
        cut_font(source, out / "_static" / "icons.woff", code_points("".join(sheets)))
    faces = re.compile(r"src:url\([^)]*fa-solid-900\.woff2\)[^;}]*")
    css = faces.sub('src:url(../icons.woff) format("woff")', css)
    (out / STYLES).write_text(css, encoding="utf-8")
    script = LOOK.sub("0", (out / SCRIPT).read_text("utf-8"))
    if ".scrollWidth" in script:
        raise ExtensionError(
            "The theme's script is another one than course_weight knows: look there for what it "
            "does with scrollWidth, and mend LOOK."
        )
    (out / SCRIPT).write_text(script, encoding="utf-8")
    shutil.rmtree(out / FONTS, ignore_errors=True)
    for pattern in UNUSED:
        for path in out.glob(pattern):
            path.unlink()


def _one_sheet(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Ask for all plain style sheets as one, which is put together when all of them are there."""
    sheets = context.get("css_files") or []
    if page == SEARCH or not sheets or any("media" in sheet.attributes for sheet in sheets):
        return
    names = [str(sheet.filename).partition("?")[0] for sheet in sheets]
    app.course_sheets = names  # type: ignore[attr-defined]
    context["css_files"] = [type(sheets[-1])(SHEET)]


def _join_sheets(app: Sphinx, exception: Exception | None) -> None:
    names = getattr(app, "course_sheets", [])
    if exception is None and names:
        texts = ((Path(app.outdir) / name).read_text("utf-8") for name in names)
        (Path(app.outdir) / SHEET).write_text("\n".join(texts), encoding="utf-8")


def _load_later(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    for script in context.get("script_files") or []:
        name = str(getattr(script, "filename", None) or "")
        if page == SEARCH:  # the pages share their scripts, so what another one set is taken back
            getattr(script, "attributes", {}).pop("defer", None)
        elif name and not name.endswith(AT_ONCE):
            script.attributes.setdefault("defer", "defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", _load_later, priority=990)
    app.connect("html-page-context", _one_sheet, priority=990)
    app.connect("build-finished", _join_sheets, priority=900)
    app.connect("build-finished", _slim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
