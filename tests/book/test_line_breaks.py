"""On a phone no line begins with a full stop, a comma or a closing bracket, and none ends with an
opening one: a browser may break a line on either side of a drawing, and formulas are drawings.
"""

from typing import Any

import pytest

from .conftest import offline_check, toc_pages

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (360, 400)
# What is drawn is followed in the order of the text. A character or formula that follows another
# without a space is compared with it: further down, and not to the right, it is on a new line.
PARTED = r"""() => {
  const CLOSING = /[.,;:!?)\]%\u2019\u201d]/, OPENING = /[(\[\u2018\u201c]/;
  const BLOCK = "p, li, td, th, dt, dd, figcaption, caption, h1, h2, h3, h4, label, summary, div";
  const LEFT_OUT = "pre, code, script, style, noscript, .tex-read, svg:not(.tex), div.math, .sig";
  const article = document.querySelector("article");
  const both = NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT;
  const walker = document.createTreeWalker(article, both, {
    acceptNode: (node) => {
      if (node.nodeType === Node.TEXT_NODE) return NodeFilter.FILTER_ACCEPT;
      if (node.matches("svg.tex")) return NodeFilter.FILTER_ACCEPT;
      if (!node.matches(LEFT_OUT)) return NodeFilter.FILTER_SKIP;
      const box = [...node.getClientRects()].pop();
      const block = node.parentElement.closest(BLOCK);
      if (!node.matches(".tex-read")) last = box ? { box, block, opening: false } : null;
      return NodeFilter.FILTER_REJECT;
    },
  });
  const range = document.createRange();
  const place = (text, i) => {
    range.setStart(text, i);
    range.setEnd(text, i + 1);
    return range.getBoundingClientRect();
  };
  const found = [];
  let looked = 0;
  let last = null;  // what came last: its box, its block, and whether it is a formula or a bracket
  const meet = (box, block, closing, opening, formula, words) => {
    const touches = last && last.block === block;
    if (touches && (closing || (last.opening && formula))) {
      looked += 1;
      if (box.width && box.left < last.box.right - 2 && box.top > last.box.top) found.push(words);
    }
    last = { box, block, opening };
  };
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const block = node.parentElement.closest(BLOCK);
    if (node.nodeType !== Node.TEXT_NODE) {
      meet(node.getBoundingClientRect(), block, false, false, true, node.dataset.tex);
      continue;
    }
    for (let i = 0; i < node.data.length; i += 1) {
      const sign = node.data[i];
      if (/\s/.test(sign)) { last = null; continue; }
      const ends = CLOSING.test(sign);
      const opens = OPENING.test(sign);
      const next = node.data[i + 1];
      if (!ends && !opens && next !== undefined && !CLOSING.test(next)) continue;
      const words = node.data.slice(Math.max(0, i - 20), i + 20);
      meet(place(node, i), block, ends, opens, false, words);
    }
  }
  return { found, looked, wide: document.documentElement.scrollWidth - innerWidth };
}"""


def parted(page: Any) -> dict[str, Any]:
    page.evaluate("document.querySelectorAll('article details').forEach((d) => { d.open = true; })")
    return page.evaluate(PARTED)


@pytest.fixture(scope="module")
def phone(browser: Any) -> Any:
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 800})
    yield context
    context.close()


@pytest.mark.parametrize("name", toc_pages())
def test_no_line_begins_with_punctuation(phone: Any, site: str, name: str) -> None:
    with offline_check.visit(phone, site, f"{name}.html") as (page, _):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            seen = parted(page)
            assert seen["found"] == [], f"{width} wide"
            # Also a long formula stays within the page, with what it is held to.
            assert seen["wide"] <= 0, f"at {width} the page scrolls sideways by {seen['wide']}"
    assert seen["looked"] > 0


def test_a_parted_full_stop_and_bracket_would_be_found(phone: Any) -> None:
    svg = '<svg class="tex" width="60" height="20" data-tex="x"></svg>'
    page = phone.new_page()
    for text, count in [
        (f'<p style="width: 60px; font-size: 20px">{svg}. And so on</p>', 1),
        (f'<p style="width: 65px; font-size: 20px">({svg} on</p>', 1),
        (f'<p style="width: 60px; font-size: 20px"><span class="held">{svg}.</span> And</p>', 0),
        (f'<p style="width: 65px; font-size: 20px">{svg} . And so on</p>', 0),
    ]:
        page.set_content(f"<style>.held {{ white-space: nowrap }}</style><article>{text}")
        assert len(parted(page)["found"]) == count, text
    page.close()
