"""The live figure of the chapter on the GRU: its arithmetic, its drawing, and its controls."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from gatedrnn.equations import gru_gates, gru_step, gru_step_reset_before

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "book" / "_static" / "live" / "gru-step.js"
DRAWING = ROOT / "book" / "_diagrams" / "gru-live.svg"
WEIGHTS = ("w_ir", "w_hr", "b_r", "w_iz", "w_hz", "b_z", "w_in", "w_hn", "b_in", "b_hn")

node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node runs the page's script outside a browser; install it"
)


def run_script(expression: str, values: object) -> object:
    """Evaluate `expression` with the script's `step` and `START`, and the JSON `values`."""
    program = (
        f"const {{step, START}} = require({json.dumps(str(SCRIPT))});"
        f"const values = {json.dumps(values)};"
        f"console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def equations(v: dict) -> dict[str, float]:
    """The same unit by the package: one unit, one input, a sense of z turned by its signs."""
    sign = 1 if v["sense"] == "keeps" else -1
    params = {
        "W_ih": np.array([[v["w_ir"]], [sign * v["w_iz"]], [v["w_in"]]]),
        "W_hh": np.array([[v["w_hr"]], [sign * v["w_hz"]], [v["w_hn"]]]),
        "b_ih": np.array([v["b_r"], sign * v["b_z"], v["b_in"]]),
        "b_hh": np.array([0, 0, v["b_hn"]]),
    }
    x, h = np.array([[v["x"]]]), np.array([[v["h"]]])
    step = gru_step if v["reset"] == "after" else gru_step_reset_before
    r, keep, n = gru_gates(x, h, params)
    return {
        "r": r.item(),
        "keep": keep.item(),
        "z": keep.item() if sign > 0 else 1 - keep.item(),
        "n": n.item() if v["reset"] == "after" else None,
        "next": step(x, h, params).item(),
    }


def draws() -> list[dict]:
    rng = np.random.default_rng(0)
    kinds = [(reset, sense) for reset in ("after", "before") for sense in ("keeps", "writes")]
    return [
        {
            **{name: rng.normal(0, 2) for name in WEIGHTS},
            "x": rng.uniform(-2, 2),
            "h": rng.uniform(-1, 1),
            "reset": reset,
            "sense": sense,
        }
        for reset, sense in kinds * 50
    ]


@node
def test_the_script_computes_the_equations():
    values = draws()
    for v, got in zip(values, run_script("values.map(step)", values), strict=True):
        for name, want in equations(v).items():
            if want is not None:
                assert got[name] == pytest.approx(want, abs=1e-12), (name, v)


@node
def test_extreme_gates_do_not_overflow():
    start = run_script("START", None)
    for bias in (-1000, 1000):
        got = run_script("step(values)", {**start, "b_r": bias, "b_z": bias})
        assert all(np.isfinite(value) for value in got.values())


@node
def test_the_still_drawing_shows_the_start_values():
    start, svg = run_script("START", None), ElementTree.parse(DRAWING)
    want = equations(start) | {"x": start["x"], "h": start["h"]}
    texts = {e.get("data-text"): e.text for e in svg.iter() if e.get("data-text")}
    for name in ("x", "h", "r", "z", "n", "next"):
        assert float(texts[name].replace("\u2212", "-")) == pytest.approx(want[name], abs=0.005)
    for name in ("h", "n", "next"):
        mark = next(e for e in svg.iter() if e.get("data-mark") == name)
        place = float(re.search(r"translate\(([-\d.]+)", mark.get("transform"))[1])
        assert place == pytest.approx(180 + 140 * want[name], abs=0.01)


@pytest.fixture(scope="module")
def page(browser, html):
    """The chapter on a narrow phone, opened from its file, with the figure at work."""
    page = browser.new_page(viewport={"width": 360, "height": 800})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((html / "book" / "gru.html").as_uri())
    page.wait_for_selector(".live-gru-step.is-live")
    yield page
    page.close()
    assert errors == []


def shown(page, name: str) -> float:
    text = page.locator(f'.live-gru-step [data-text="{name}"]').text_content()
    return float(text.replace("\u2212", "-"))


def state_of(page) -> dict:
    """The values of all the controls, as a reader has set them."""
    return page.evaluate(
        """() => {
          const values = {};
          document.querySelectorAll('.live-gru-step input').forEach((input) => {
            const key = (input.id || input.name).replace('live-gru-', '');
            if (input.type === 'range') values[key] = Number(input.value);
            else if (input.checked) values[key] = input.value;
          });
          return values;
        }"""
    )


def assert_agrees(page) -> None:
    want = equations(state_of(page))
    for name in ("r", "z", "next"):
        assert shown(page, name) == pytest.approx(want[name], abs=0.0051), name


@pytest.mark.browser
def test_the_controls_move_the_figure(page):
    assert_agrees(page)
    before = shown(page, "next")
    for key in ("x", "h", "b_r", "b_z"):
        slider = page.locator(f"#live-gru-{key}")
        slider.focus()
        for _ in range(7):
            page.keyboard.press("ArrowRight")
        assert_agrees(page)
    assert shown(page, "next") != before
    for radio in page.locator(".live-gru-step input[type=radio]").all():
        radio.check()
        assert_agrees(page)


@pytest.mark.browser
def test_every_example_shows_what_it_says(page):
    buttons = page.locator(".live-gru-step .live-presets button")
    for name in buttons.all_text_contents():
        page.get_by_role("button", name="As at first", exact=True).click()
        page.get_by_role("button", name=name, exact=True).click()
        assert_agrees(page)
        v = state_of(page)
        if "eep" in name:
            assert shown(page, "next") == shown(page, "h")
        if name == "Write":
            assert shown(page, "next") == shown(page, "n")
        if name == "Start fresh":
            fresh = np.tanh(v["w_in"] * v["x"] + v["b_in"])
            assert shown(page, "next") == pytest.approx(fresh, abs=0.0051)


@pytest.mark.browser
def test_every_control_has_a_name_and_the_words_are_spoken(page):
    figure = page.locator(".live-gru-step")
    for control in figure.locator("input").all():
        labels = control.evaluate("input => [...input.labels].map(l => l.textContent.trim())")
        assert labels and all(labels)
    page.get_by_role("button", name="Write", exact=True).click()
    words = figure.get_by_role("status").text_content()
    assert "keeps 0 % of the old state" in words
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
