"""The built book in a real browser, with every request to another host refused and counted."""

from pathlib import Path

import pytest

from .conftest import ROOT, offline_check, toc_pages

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = ROOT / "build" / "screenshots"
DESK, PHONE, NARROW = 1280, 390, 360
QUIZ_PAGES = [
    name
    for name in toc_pages()
    if (ROOT / f"{name}.md").is_file() and "```{quiz}" in (ROOT / f"{name}.md").read_text("utf-8")
]


def new_context(browser, width=DESK, scheme="light", **options):
    return browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, **options
    )


@pytest.fixture(scope="module")
def desk(browser):
    context = new_context(browser)
    yield context
    context.close()


@pytest.fixture(scope="module")
def phone(browser):
    context = new_context(browser, PHONE, "dark")
    yield context
    context.close()


def assert_clean(notes) -> None:
    assert notes.outside == [], "the page asked another host"
    assert notes.missing == [], "the page asked for something that is not there"
    assert notes.errors == [], "the page complained in the console"


@pytest.mark.parametrize("name", [*toc_pages(), "search", "genindex"])
def test_page_loads_offline(desk, site, name) -> None:
    with offline_check.visit(desk, site, f"{name}.html") as (page, notes):
        formulas = page.locator("span.math, div.math").count()
        drawn = page.locator(".math svg.tex:has(path) + .tex-read:is(:has(math), th *)").count()
        assert drawn == formulas, f"{formulas} formulas, {drawn} drawn and readable"
        assert page.locator("h1:visible").count() >= 1
        offline_check.take_shot(page, SHOTS, f"{name}-{DESK}-light")
    assert_clean(notes)


def luminance(page, selector: str, what: str) -> float:
    channels = page.evaluate(
        "([s, w]) => getComputedStyle(document.querySelector(s))[w].match(/[\\d.]+/g).map(Number)",
        [selector, what],
    )
    return sum(channels[:3]) / (3 * 255)


@pytest.mark.parametrize("name", toc_pages())
def test_page_in_the_dark_on_a_phone(phone, site, name) -> None:
    with offline_check.visit(phone, site, f"{name}.html") as (page, notes):
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert luminance(page, "body", "backgroundColor") < 0.2
        assert luminance(page, "article", "color") > 0.7
        offline_check.take_shot(page, SHOTS, f"{name}-{PHONE}-dark")
        page.set_viewport_size({"width": NARROW, "height": 800})
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"the page scrolls sideways by {too_wide} pixels"
    assert_clean(notes)


@pytest.mark.parametrize("name", ["book/claims", "book/notation"])
def test_page_from_a_file(desk, html: Path, name: str) -> None:
    with offline_check.visit(desk, html.resolve().as_uri(), f"{name}.html") as (page, notes):
        assert page.locator("svg.tex:visible").count() > 0
    assert_clean(notes)


def test_the_reader_can_switch_to_dark(browser, site) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, "book/notation.html") as (page, notes):
        blue = page.evaluate("getComputedStyle(document.querySelector('svg .state')).color")
        button = page.locator("button.theme-switch-button:visible").first
        for _ in range(3):
            button.click()
            if page.evaluate("document.documentElement.dataset.theme") == "dark":
                break
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("getComputedStyle(document.querySelector('svg .state')).color") != blue
    context.close()
    assert_clean(notes)


def test_search_finds_a_function_and_a_word(desk, site) -> None:
    for word, target in (("gru_step_reset_before", "book/api.html"), ("candidate", "notation")):
        with offline_check.visit(desk, site, f"search.html?q={word}") as (page, notes):
            page.wait_for_selector("#search-results li a")
            found = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
            assert any(target in address for address in found), found
        assert_clean(notes)


# ---------------------------------------------------------------- quizzes


def options_of(question, right: bool):
    return question.locator(f".quiz-option[data-right='{str(right).lower()}']")


def answer_rightly(question) -> None:
    if question.get_attribute("data-kind") == "number":
        value = question.locator(".quiz-because[data-right='true']").get_attribute("data-value")
        question.locator("input").fill(value)
        return
    for option in options_of(question, False).locator("input[type=checkbox]").all():
        option.uncheck()
    for option in options_of(question, True).locator("input").all():
        option.check()


def answer_wrongly(question) -> None:
    if question.get_attribute("data-kind") == "number":
        question.locator("input").fill("-987654321")
    elif options_of(question, False).count():
        options_of(question, False).first.locator("input").check()
    else:
        options_of(question, True).first.locator("input").check()


@pytest.mark.parametrize("name", QUIZ_PAGES)
def test_quiz_can_be_answered_and_is_remembered(browser, site, name) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, f"{name}.html") as (page, notes):
        questions = page.locator(".quiz-question").all()
        assert questions
        for question in questions:
            answer_wrongly(question)
            question.get_by_role("button", name="Check").click()
            assert "Right." not in question.locator("[role=status]").inner_text()
            assert question.get_attribute("data-state") == "wrong"
            answer_rightly(question)
            assert question.get_attribute("data-state") is None, "an old verdict stays on show"
            question.get_by_role("button", name="Check").click()
            assert question.locator("[role=status]").inner_text() == "Right."
            for explanation in question.locator(".quiz-option .quiz-because").all():
                assert explanation.is_visible()
        total = page.locator(".quiz-total").inner_text()
        assert total.startswith(f"{len(questions)} of {len(questions)} ")
        page.reload()
        states = page.locator(".quiz-question").evaluate_all("all => all.map(q => q.dataset.state)")
        assert states == ["right"] * len(questions), "the answers were not remembered"
        page.get_by_role("button", name="Forget my answers").click()
        assert (
            page.evaluate(
                "localStorage.getItem('gatedrnn.quiz.' + "
                "document.querySelector('form.quiz').dataset.quiz)"
            )
            is None
        )
        assert page.locator(".quiz-because:visible").count() == 0
    context.close()
    assert_clean(notes)


@pytest.mark.parametrize("name", QUIZ_PAGES)
def test_every_wrong_option_is_explained_where_it_stands(browser, site, name) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, f"{name}.html") as (page, _):
        for question in page.locator(".quiz-question:not([data-kind=number])").all():
            for option in options_of(question, False).all():
                box = option.locator("input")
                box.check()
                question.get_by_role("button", name="Check").click()
                assert option.locator(".quiz-because").is_visible()
                described = box.get_attribute("aria-describedby")
                assert described == option.locator(".quiz-because").get_attribute("id")
                if box.get_attribute("type") == "checkbox":
                    box.uncheck()
    context.close()


def test_quiz_by_keyboard_alone(browser, site) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, "book/notation.html") as (page, _):
        first = page.locator(".quiz-question").first
        first.locator("input").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert first.locator("[role=status]").inner_text() == "Right."
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # on the button
        assert first.get_attribute("data-state") == "wrong"
    context.close()


@pytest.mark.parametrize(
    ("written", "right"),
    [("15", True), (" 15 ", True), ("15.0", True), ("1 5", True), ("1,5", False), ("20", False)],
)
def test_numbers_are_read_as_people_write_them(browser, site, written, right) -> None:
    context = new_context(browser)
    with offline_check.visit(context, site, "book/notation.html") as (page, _):
        question = page.locator(".quiz-question[data-id=blocks]")
        question.locator("input").fill(written)
        question.get_by_role("button", name="Check").click()
        assert (question.get_attribute("data-state") == "right") is right
    context.close()


@pytest.mark.parametrize("name", QUIZ_PAGES)
def test_without_scripts_the_answers_are_there_to_open(browser, site, name) -> None:
    context = new_context(browser, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{name}.html")
    for question in page.locator(".quiz-question").all():
        question.locator("summary").click()
        for explanation in question.locator(".quiz-because").all():
            assert explanation.is_visible()
    context.close()
