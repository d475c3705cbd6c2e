"""What holds of every live figure: a still drawing, a description, no need of a script to read."""

import re

import pytest

from .conftest import LIVE, ROOT, offline_check

pytestmark = pytest.mark.browser

# The page of each figure, as the chapters themselves say.
FIGURES = [
    (page.stem, script)
    for page in sorted((ROOT / "book").glob("*.md"))
    for script in re.findall(r"^```\{live\} (\S+)$", page.read_text("utf-8"), flags=re.M)
]


def test_every_script_has_its_figure():
    scripts = {path.stem for path in LIVE.glob("*.js")} - {"common"}
    assert {script for _, script in FIGURES} == scripts
    assert len(FIGURES) == len(scripts) >= 3


def opened(browser, html, page_name: str, **options):
    page = browser.new_context(**options).new_page()
    page.goto((html / "book" / f"{page_name}.html").resolve().as_uri())
    return page


# The drawing's shapes and numbers, in the browser's own words.
DRAWN = "svg => svg.innerHTML.replace(/\\s+/g, ' ')"


@pytest.mark.parametrize(("page_name", "script"), FIGURES)
def test_the_still_drawing_is_what_the_script_draws_first(browser, html, page_name, script):
    still = opened(browser, html, page_name, java_script_enabled=False)
    drawing = still.locator(f".live-{script} svg")
    description = drawing.get_attribute("aria-label")
    assert len(description.split()) > 20
    assert still.locator(f".live-{script} .live-needs-script").is_visible()
    assert still.locator(f".live-{script} .live-panel").count() == 0
    moving = opened(browser, html, page_name)
    moving.add_style_tag(content=offline_check.ALL_SHOWN)
    moving.locator(f".live-{script}").scroll_into_view_if_needed()
    moving.wait_for_selector(f".live-{script}.is-live")
    assert not moving.locator(f".live-{script} .live-needs-script").is_visible()
    same = moving.locator(f".live-{script} svg")
    assert same.evaluate(DRAWN) == drawing.evaluate(DRAWN)
    assert same.get_attribute("aria-label") == description
    for page in (still, moving):
        page.context.close()
