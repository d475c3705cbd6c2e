"""The meanings of a formula's symbols, by touch and by keyboard."""

from typing import Any

import pytest

from .conftest import offline_check, toc_pages
from .test_access import AXE, violations
from .test_browser import SHOTS, assert_clean, new_context

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTE = ".symbols-note"


@pytest.fixture
def phone(browser: Any, site: str) -> Any:
    context = new_context(browser, 360, has_touch=True)

    def opened(name: str) -> Any:
        return offline_check.visit(context, site, f"{name}.html")

    yield opened
    context.close()


def listed(page: Any) -> dict[str, str]:
    names = page.locator(f"{NOTE} dt").all_text_contents()
    return dict(zip(names, page.locator(f"{NOTE} dd").all_text_contents(), strict=True))


def test_a_tap_on_a_formula_lists_its_symbols(phone: Any) -> None:
    with phone("book/gru") as (page, notes):
        formula = page.locator("p svg.tex[data-tex*='tanh']:has(rect) >> visible=true").first
        formula.scroll_into_view_if_needed()
        formula.tap()
        assert page.locator(NOTE).is_visible()
        known = formula.locator("title").all_text_contents()
        assert set(listed(page).values()) == set(known)
        box = page.locator(NOTE).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("Escape")
        assert not page.locator(NOTE).is_visible()
        formula.tap()
        assert page.locator(NOTE).is_visible()
        formula.tap()
        assert not page.locator(NOTE).is_visible(), "a second tap on it closes it"
        formula.tap()
        page.locator("h2:visible").first.tap()
        assert not page.locator(NOTE).is_visible(), "a tap elsewhere closes it"
    assert_clean(notes)


def test_the_note_says_each_symbol_once(phone: Any) -> None:
    with phone("book/gru") as (page, _):
        block = page.locator("[id='equation-eq-gru-h']")
        block.scroll_into_view_if_needed()
        block.locator("svg.tex").tap()
        assert listed(page) == {
            "ht": "state after step t, which is also the output of the cell",
            "zt": "update gate of the GRU",
            "nt": 'candidate ("new") state of the GRU',
            "ht\u22121": "state after step t \u2212 1, which is also the output of the cell",
        }


def test_the_keyboard_opens_and_closes_it(browser: Any, site: str) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, "book/gru.html") as (page, notes):
        button = page.locator("[id='equation-eq-gru-h'] .symbols-button")
        number = page.locator("[id='equation-eq-gru-h'] .eqno").text_content().strip("()#\u00b6")
        assert button.get_attribute("aria-label") == f"symbols of equation {number}"
        button.focus()
        page.keyboard.press("Enter")
        assert page.locator(NOTE).is_visible() and len(listed(page)) == 4
        assert page.evaluate("document.activeElement.id") == "symbols-note"
        assert button.get_attribute("aria-expanded") == "true"
        page.keyboard.press("Escape")
        assert not page.locator(NOTE).is_visible()
        assert button.evaluate("b => b === document.activeElement"), "the focus comes back"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert not page.locator(NOTE).is_visible()
        after = page.evaluate("document.activeElement.textContent")
        assert after == "gru_step", "Tab goes on from the button"
        page.wait_for_function("b => b.ariaExpanded === 'false'", arg=button.element_handle())
    context.close()
    assert_clean(notes)


@pytest.mark.parametrize("name", toc_pages())
def test_each_displayed_formula_with_meanings_has_one_button(phone: Any, name: str) -> None:
    with phone(name) as (page, _):
        explained = page.locator("div.math:has(svg rect title)").count()
        assert page.locator("div.math > .symbols-button").count() == explained
        assert page.locator(".symbols-button").count() == explained < 40
        # It shares its line with the links below the equation, and neither lies on the other.
        covered = page.evaluate(
            """[...document.querySelectorAll("div.math + p.trace")].filter((line) => {
              if (!line.previousElementSibling.querySelector("button")) return false;
              const range = document.createRange();
              range.selectNodeContents(line);
              const button = line.previousElementSibling.querySelector("button");
              const mine = button.getBoundingClientRect();
              return [...range.getClientRects()].some((box) => box.left < mine.right
                && box.top < mine.bottom && mine.top < box.bottom);
            }).length"""
        )
        assert covered == 0


def test_a_formula_in_an_answer_still_chooses_the_answer(phone: Any) -> None:
    with phone("book/gru") as (page, _):
        label = page.locator(".quiz-option label:has(svg.tex)").first
        label.scroll_into_view_if_needed()
        label.locator("svg.tex").first.tap()
        assert label.evaluate("l => l.control.checked")
        assert not page.locator(NOTE).is_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_in_an_open_note(browser: Any, site: str, theme: str, width: int) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    with offline_check.visit(context, site, "book/gru.html") as (page, _):
        page.evaluate(AXE)
        button = page.locator("[id='equation-eq-gru-h'] .symbols-button")
        button.scroll_into_view_if_needed()
        button.click()
        assert page.locator(NOTE).is_visible()
        offline_check.take_shot(page, SHOTS, f"book_gru-{width}-{theme}-symbols")
        assert violations(page, theme, width) == []
        assert page.locator(NOTE).is_visible(), "axe saw it open"
    context.close()


def test_without_scripts_no_button_is_left_that_does_nothing(browser: Any, site: str) -> None:
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/book/gru.html")
    assert page.locator(".symbols-button").count() > 5
    assert page.locator(".symbols-button:visible").count() == 0
    context.close()
