"""No page of the book breaks a rule of axe-core, in light and dark, on a desk and on a phone."""

from pathlib import Path
from typing import Any

import pytest

from .conftest import offline_check, toc_pages

axe_package = pytest.importorskip(
    "axe_playwright_python",
    reason="axe-core is missing: run `make course`, which installs the tools of the tests.",
)
AXE = (Path(axe_package.__file__).parent / "axe.min.js").read_text("utf-8")

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = [*toc_pages(), "search", "genindex", "py-modindex"]
DESK, PHONE = 1280, 360
OF_THE_SCREEN = (
    "color-contrast",
    "link-in-text-block",
    "scrollable-region-focusable",
    "region",
    "button-name",
)
SETTLED = """async () => {
  document.querySelectorAll("article details").forEach((box) => { box.open = true; });
  await document.fonts.ready;
  // The theme looks at what scrolls 300 ms after a change of width.
  await new Promise((done) => setTimeout(done, 350));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
RUN = """async (rules) => {
  const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
  const found = await axe.run(document, { resultTypes: ["violations"], ...only });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.html.slice(0, 200)} | ${node.failureSummary}`));
}"""


def violations(page: Any, theme: str, width: int, *rules: str) -> list[str]:
    """What axe finds on an open page, all its rules or those named, with every <details> open."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    page.evaluate(SETTLED)
    return [f"{theme}, {width} wide, {one}" for one in page.evaluate(RUN, list(rules))]


@pytest.fixture(scope="module")
def still(browser: Any) -> Any:
    """Pages without transitions: a colour on its way from light to dark is neither."""
    context = browser.new_context(
        viewport={"width": DESK, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    yield context
    context.close()


def found_on(still: Any, site: str, name: str) -> list[str]:
    """What axe finds on a page: by all rules once, then by those that the screen decides."""
    with offline_check.visit(still, site, f"{name}.html") as (page, _):
        page.evaluate(AXE)
        found = violations(page, "light", DESK)
        return found + violations(page, "dark", PHONE, *OF_THE_SCREEN)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(still: Any, site: str, name: str) -> None:
    found = found_on(still, site, name)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_in_what_all_pages_share(still: Any, site: str) -> None:
    with offline_check.visit(still, site, "book/gru.html") as (page, _):
        page.evaluate(AXE)
        found = violations(page, "dark", DESK) + violations(page, "light", PHONE)
    assert not found, "\n".join(found)


def test_axe_finds_nothing_on_pages_of_source(still: Any, site: str, html: Path) -> None:
    names = [path.relative_to(html).with_suffix("") for path in html.glob("_modules/**/*.html")]
    assert names
    found = {str(name): found_on(still, site, name.as_posix()) for name in names}
    assert not any(found.values()), "\n".join(sum(found.values(), []))


def test_axe_would_find_something(still: Any) -> None:
    page = still.new_page()
    page.set_content(
        "<main><h1>A</h1><img src='x.png'><p style='color: #bbb'>pale</p><button></button></main>"
    )
    page.evaluate(AXE)
    rules = {found.split(": ")[0].split(", ")[-1] for found in violations(page, "light", DESK)}
    assert {"image-alt", "color-contrast", "button-name"} <= rules
    page.close()
