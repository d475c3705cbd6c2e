"""What leads from one place of the book to another, and what the browser remembers."""

import pytest

from .conftest import offline_check, toc_pages
from .test_browser import SHOTS, answer_rightly, assert_clean, new_context

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def page(browser, site):
    context = new_context(browser)

    def opened(name: str):
        address = name if ".html" in name else f"{name}.html"
        return offline_check.visit(context, site, address)

    yield opened
    context.close()


def test_progress_counts_what_the_quizzes_remember(page) -> None:
    with page("book/notation") as (quiz, _):
        questions = quiz.locator(".quiz-question")
        for place in (0, 1):
            answer_rightly(questions.nth(place))
            questions.nth(place).get_by_role("button", name="Check").click()
        asked = questions.count()
    with page("book/progress") as (here, notes):
        row = here.locator("tr[data-quiz=notation]")
        assert row.locator("td").all_text_contents() == ["Notation", "2", str(asked)]
        total = here.locator(".progress-total")
        assert total.text_content().startswith("2 of ")
        offline_check.take_shot(here, SHOTS, "book_progress-1280-light-answered")
        here.get_by_role("button", name="Forget all my answers").click()
        assert total.text_content().startswith("0 of ")
        assert here.evaluate("localStorage.getItem('gatedrnn.quiz.notation')") is None
        row.get_by_role("link").click()
        assert here.url.endswith("notation.html#quiz")
    assert_clean(notes)


def test_progress_says_without_scripts_why_it_is_empty(browser, site) -> None:
    context = new_context(browser, java_script_enabled=False)
    here = context.new_page()
    here.goto(f"{site}/book/progress.html")
    assert here.get_by_text("The counts need JavaScript").is_visible()
    context.close()


def test_pages_follow_each_other_and_say_why(page) -> None:
    names = toc_pages()
    for before, after in zip(names[:8], names[1:9], strict=True):
        with page(before) as (here, _):
            onward = here.locator("a.right-next")
            assert onward.get_attribute("href").endswith(f"{after.split('/')[-1]}.html")
            assert len(onward.locator(".prev-next-why").text_content()) > 20


def test_an_exercise_is_one_click_away(page) -> None:
    with page("book/gru") as (here, notes):
        box = here.locator(".exercise-links", has_text="param_count")
        assert (
            box.get_by_role("link", name="your JupyterLab")
            .get_attribute("href")
            .endswith(":8888/lab/tree/gru/gru.ipynb")
        )
        download = box.get_by_role("link", name="download it").get_attribute("href")
        assert here.request.get(here.url.rpartition("/")[0] + "/" + download).ok
        box.get_by_role("link", name="Read it").click()
        assert here.url.endswith("notebooks/gru/gru.html#counting-parameters")
        here.wait_for_load_state("load")  # who leaves sooner breaks off what is being fetched
        here.locator("article a[href*='book/gru.html']").first.click()
        assert "/book/gru.html" in here.url
        here.wait_for_load_state("load")
    assert_clean(notes)


@pytest.mark.parametrize("width", [1280, 360])
def test_a_link_into_a_page_shows_what_it_names(browser, site, width: int) -> None:
    context = new_context(browser, width)
    here = context.new_page()
    for anchor in ("quiz", "equation-eq-gru-n-before", "fig-gru-reset-live"):
        here.goto("about:blank")
        here.goto(f"{site}/book/gru.html#{anchor}")
        here.wait_for_timeout(700)
        top = here.locator(f"[id='{anchor}']").bounding_box()["y"]
        assert -20 <= top < 450, f"{anchor} stands {top:.0f} pixels down the window"
    context.close()


def test_a_symbol_says_what_it_means_under_the_pointer(page) -> None:
    with page("book/gru") as (here, _):
        drawing = here.locator("svg.tex[data-tex='z_t']:visible").first
        drawing.scroll_into_view_if_needed()
        box = drawing.bounding_box()
        found = here.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).querySelector('title')?.textContent",
            [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
        )
        assert found == "update gate of the GRU"


def test_a_term_says_what_it_means_under_the_pointer(page) -> None:
    with page("book/gru") as (here, _):
        term = here.locator("a[href*='#term-reset-gate']").first
        assert len(term.get_attribute("title")) > 20


def test_a_formula_is_copied_as_tex(page) -> None:
    with page("book/gru") as (here, _):
        copied = here.evaluate(
            """() => {
              const line = [...document.querySelectorAll("article p")]
                .find((one) => one.querySelectorAll("svg.tex").length > 1);
              getSelection().selectAllChildren(line);
              const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(),
                bubbles: true, cancelable: true });
              line.dispatchEvent(event);
              return [event.clipboardData.getData("text/plain"),
                [...line.querySelectorAll("svg.tex")].map((one) => one.dataset.tex)];
            }"""
        )
        text, formulas = copied
        assert len(text) > 40
        for formula in formulas:
            assert f"${formula}$" in text
        assert text.count("$") == 2 * len(formulas)


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("z_t", "notation"), ("W_hh", "notation"), ("GRUCell", "api"), ("odot", "notation"),
        ("lstm_step_backward", "lstm"), ("Chung", "bibliography"),
    ],
)  # fmt: skip
def test_search_finds_symbols_and_names(page, word: str, target: str) -> None:
    with page(f"search.html?q={word}") as (here, notes):
        here.wait_for_selector("#search-results li a")
        found = here.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
        assert any(target in address for address in found), found
    assert_clean(notes)
