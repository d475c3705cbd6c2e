"""A page read in other ways: enlarged, by keyboard alone, printed; and what its figures say."""

import colorsys
import re
from pathlib import Path

import pytest

from gatedrnn.figures import style

from .conftest import offline_check, toc_pages
from .test_browser import SHOTS, luminance, new_context

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: A window of 1280 pixels at 200 % shows 640 of them, each twice as large.
ENLARGED = 640


@pytest.fixture(scope="module")
def enlarged(browser):
    context = new_context(browser, ENLARGED, device_scale_factor=2)
    yield context
    context.close()


@pytest.mark.parametrize("name", toc_pages())
def test_twice_as_large_nothing_is_lost(enlarged, site, name) -> None:
    with offline_check.visit(enlarged, site, f"{name}.html") as (page, _):
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"the page scrolls sideways by {too_wide} pixels"
        texts = "article :is(p, li, h1, h2, h3, td, th, dt, dd):not(.live-spoken):visible"
        cut = page.locator(texts).evaluate_all(
            """all => all.filter((one) => {
              const style = getComputedStyle(one);
              return style.overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1;
            }).map((one) => one.textContent.slice(0, 80))"""
        )
        assert cut == [], "text is cut off"


FOCUS = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  // The theme rings and places what stands in or around some of them.
  const near = [one, one.firstElementChild, one.parentElement].filter(Boolean);
  const ring = (style) => style.outlineStyle !== "none" || style.boxShadow !== "none";
  const size = (box) => box.width > 0 && box.height > 0;
  return {
    what: one.outerHTML.slice(0, 120), inside: Boolean(one.closest("article")),
    seen: near.slice(0, 2).some((it) => size(it.getBoundingClientRect()))
      && getComputedStyle(one).visibility !== "hidden",
    ringed: near.some((it) => ring(getComputedStyle(it))),
  };
}"""


@pytest.mark.parametrize("name", ["book/gru", "book/progress", "notebooks/gru/gru"])
def test_a_page_can_be_walked_by_keyboard(browser, site, name) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, f"{name}.html") as (page, _):
        walked: list[dict] = []
        for _ in range(400):
            page.keyboard.press("Tab")
            found = page.evaluate(FOCUS)
            if found is None:  # the end of the page, and no trap before it
                break
            walked.append(found)
        else:
            pytest.fail("the keyboard does not come to the end of the page")
        assert "#main-content" in walked[0]["what"], "the first stop is not the link to the text"
        assert [one["what"] for one in walked if not one["seen"]] == []
        assert [one["what"] for one in walked if not one["ringed"]] == []
        links = page.locator("article a[href]:visible, article button:visible").count()
        stops = [one for one in walked if one["inside"]]
        assert len(stops) >= links > 0
    context.close()


@pytest.mark.parametrize("name", ["book/gru", "book/lstm"])
def test_a_page_prints_dark_on_light_with_everything_open(browser, site, name) -> None:
    context = new_context(browser, scheme="dark")
    with offline_check.visit(context, site, f"{name}.html") as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'light'")
        assert luminance(page, "body", "backgroundColor") > 0.9
        assert luminance(page, "article", "color") < 0.4
        for gone in (
            ".bd-sidebar-primary",
            ".bd-header-article",
            ".quiz-controls",
            ".prev-next-footer",
        ):
            assert page.locator(f"{gone}:visible").count() == 0, gone
        hidden = page.locator("article details:not(.live *) > :not(summary)").evaluate_all(
            "all => all.filter((one) => !one.checkVisibility()).length"
        )
        assert hidden == 0, "what is folded would not be printed"
        assert page.locator("svg.tex:visible").count() > 20
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.pdf(path=str(SHOTS / f"{name.replace('/', '_')}-printed.pdf"), format="A4")
        page.emulate_media(media="screen", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
        assert luminance(page, "body", "backgroundColor") < 0.2
        assert page.locator("article details:not([open])").count() > 0
    context.close()


# ---------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("name", [n for n in toc_pages() if n.startswith("book/")])
def test_every_figure_says_what_it_shows(browser, site, name) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, f"{name}.html") as (page, _):
        said = page.locator("article img").evaluate_all("all => all.map((one) => one.alt)")
        said += page.locator("article svg.diagram").evaluate_all(
            "all => all.map((one) => one.getAttribute('aria-label'))"
        )
        for words in said:
            assert words and len(words) >= 40 and words.rstrip().endswith("."), words
    context.close()


def hue(colour: str) -> float | None:
    """The hue of a colour in degrees, or None for a grey."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    degrees, _, saturation = colorsys.rgb_to_hls(*channels)
    return None if max(channels) - min(channels) < 0.03 or not saturation else 360 * degrees


def test_plots_are_drawn_in_the_colours_of_the_visual_language(html: Path) -> None:
    hexes = re.compile(r"#[0-9a-fA-F]{6}\b")
    known = [hue(value) for value in vars(style).values() if hexes.fullmatch(str(value))]
    plots = sorted((html / "_images").glob("*.svg"))
    assert plots and len([one for one in known if one is not None]) == 6
    for path in plots:
        # Shades of a colour, as on a map, are that colour.
        for colour in set(hexes.findall(path.read_text("utf-8"))):
            shade = hue(colour)
            near = any(one is not None and abs(one - shade) < 8 for one in known) if shade else True
            assert near, f"{path.name}: {colour} is in no colour of the visual language"
