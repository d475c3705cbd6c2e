"""The live figure of the character model: its arithmetic, its drawing, its controls."""

import json
import re

import numpy as np
import pytest

from gatedrnn.equations import gru_gates
from gatedrnn.experiments.live_reader import unpack

from .conftest import LIVE, ROOT, Moved, load

pytestmark = pytest.mark.browser

PAGE = json.loads((ROOT / "book" / "results" / "live_reader.json").read_text("utf-8"))["results"][
    "page"
]
TENSORS = unpack(PAGE["tensors"])
COLUMNS, SHADES, BAR = 28, 8, 200
OF = {"z": "update", "r": "reset", "h": "state"}


def read(text: str) -> dict[str, np.ndarray]:
    """By the package: r, z and h after each character, each (T, H), and the next one's p (T, V)."""
    h = np.zeros((1, TENSORS["W_hh"].shape[1]))
    found: dict[str, list[np.ndarray]] = {"r": [], "z": [], "h": [], "p": []}
    for character in text:
        place = PAGE["characters"].find(character)
        x = TENSORS["embedding"][[place if place >= 0 else len(PAGE["characters"])]]
        r, z, n = gru_gates(x, h, TENSORS)
        h = (1 - z) * n + z * h
        p = np.exp(h @ TENSORS["W_out"].T + TENSORS["b_out"])
        for name, value in (("r", r), ("z", z), ("h", h), ("p", p / p.sum())):
            found[name].append(value[0])
    return {name: np.array(values) for name, values in found.items()}


@pytest.fixture(scope="module")
def script(scripts):
    load(scripts, "char-reader")
    return lambda expression, *values: scripts.evaluate(
        f"([page, ...v]) => {{ const f = gatedrnnLive.charReader; const w = f.weights(page);"
        f" return {expression}; }}",
        [PAGE, *values],
    )


@pytest.mark.parametrize(
    "text", ["\n\nKEEP:\nThe word, my lord.", "x = {1: '\u00fc'} # 2026\n", "e" * 300]
)
def test_the_script_computes_the_equations(script, text):
    want = read(text)
    got = script("f.read(w, v[0])", text)
    for name in ("r", "z", "h"):
        np.testing.assert_allclose([step[name] for step in got], want[name], rtol=0, atol=1e-10)
    likely = dict(script("f.next(w, v[0])", got[-1]["h"]))
    signs = [*PAGE["characters"], "\ufffd"]
    np.testing.assert_allclose([likely[s] for s in signs], want["p"][-1], rtol=0, atol=1e-10)
    assert list(likely.values()) == sorted(likely.values(), reverse=True)


@pytest.fixture(scope="module")
def live(browser, html):
    live = Moved(browser, html, "gru", ".live-char-reader")
    yield live
    live.close()


def cells(figure) -> np.ndarray:
    """The shade of each cell as drawn, (28, H), from the paths of the drawing."""
    found = np.zeros((COLUMNS, TENSORS["W_hh"].shape[1]))
    for shade in range(1, SHADES + 1):
        path = figure.locator(f'[data-shade="{shade}"]').get_attribute("d") or ""
        for x, y in re.findall(r"M(\d+) (\d+)h", path):
            found[(int(x) - 46) // 11, (int(y) - 34) // 4] = shade
    return found


def assert_drawn(live, text: str, at: int, what: str, unit: int) -> None:
    want = read(text)
    shown = want[what][max(0, at - COLUMNS) : at]
    share = (shown + 1) / 2 if what == "h" else shown
    drawn = cells(live.figure)
    np.testing.assert_array_less(np.abs(drawn[: len(shown)] / SHADES - share), 0.5 / SHADES + 1e-9)
    assert not drawn[len(shown) :].any()
    assert live.figure.locator("[data-cells]").get_attribute("class") == OF[what]
    for name in ("r", "z", "h"):
        assert live.number(name) == pytest.approx(want[name][at - 1, unit], abs=0.0051)
    best = np.sort(want["p"][at - 1])[::-1][:5]
    for place, p in enumerate(best):
        bar = live.figure.locator(f'[data-bar="{place}"]')
        assert float(bar.get_attribute("width")) == pytest.approx(BAR * p, abs=0.051)
        said = live.figure.locator(f'[data-text="share-{place}"]').text_content()
        assert float(said.rstrip(" %")) == pytest.approx(100 * p, abs=0.51)


def start_of(live) -> dict:
    return live.page.evaluate("gatedrnnLive.charReader.START")


def test_the_drawing_without_javascript_is_the_start(browser, html, live):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((html / "book" / "gru.html").resolve().as_uri())
    still = page.locator(".live-char-reader")
    np.testing.assert_array_equal(cells(still), cells(live.figure))
    for name in ("unit", "r", "z", "h", "next-0", "share-0", "letter-27"):
        at = f'[data-text="{name}"]'
        assert still.locator(at).text_content() == live.figure.locator(at).text_content()
    assert page.get_by_text("Typing your own text needs JavaScript").is_visible()
    context.close()


def test_the_figure_reads_what_is_typed(live):
    start = start_of(live)
    assert_drawn(live, start["text"], start["at"], "z", start["unit"])
    box = live.figure.locator("textarea")
    box.fill("To be")
    box.press("End")
    live.page.keyboard.type(", \u00fc or\n")
    text = "To be, \u00fc or\n"
    assert_drawn(live, text, len(text), "z", start["unit"])
    live.press("live-reader-at", "ArrowLeft", 4)
    assert_drawn(live, text, len(text) - 4, "z", start["unit"])
    unit = int(live.touch("live-reader-unit", 0.5))
    live.figure.get_by_label("state h").check()
    assert_drawn(live, text, len(text) - 4, "h", unit)
    box.fill("")
    assert "Nothing is read" in live.words
    assert not cells(live.figure).any()


def test_every_example_and_every_named_unit_can_be_shown(live):
    texts = live.page.evaluate("gatedrnnLive.charReader.TEXTS")
    for example in texts:
        live.figure.get_by_role("button", name=example["name"], exact=True).click()
        what = live.figure.locator("input[type=radio]:checked").input_value()
        unit = int(live.figure.locator("#live-reader-unit").input_value())
        assert_drawn(live, example["text"], len(example["text"]), what, unit)
    live.figure.locator("summary").click()
    for named in PAGE["names"]:
        words = f"{named['of']} of unit {named['unit']}: {named['feature']}"
        live.figure.get_by_role("button", name=words, exact=True).click()
        text = texts[-1]["text"]
        assert_drawn(live, text, len(text), named["of"], named["unit"])
        assert f"{abs(named['correlation']):.2f}" in live.words


def test_it_reads_by_itself_and_stops(live):
    # Long enough that a busy machine presses the button before the end.
    live.figure.get_by_role("textbox").fill("to be or not to be, " * 20)
    slider = live.figure.locator("#live-reader-at")
    length = int(slider.get_attribute("max"))
    live.figure.get_by_role("button", name="Read it").click()
    # It begins again, since all of a new text has been read.
    live.page.wait_for_function(
        "length => { const at = Number(document.querySelector('#live-reader-at').value);"
        " return at >= 3 && at < length; }",
        arg=length,
    )
    live.figure.get_by_role("button", name="Stop").click()
    at = int(slider.input_value())
    live.page.wait_for_timeout(500)
    assert int(slider.input_value()) == at < length
    live.figure.get_by_role("button", name="Read it").wait_for()


def test_every_control_has_a_name_and_the_words_are_spoken(live):
    live.assert_usable()
    live.assert_spoken()


def test_the_texts_are_short_enough_to_type(script):
    limit = int(re.search(r"LONGEST = (\d+)", (LIVE / "char-reader.js").read_text("utf-8"))[1])
    assert all(len(example["text"]) <= limit for example in script("f.TEXTS"))
