"""The live figure of the chapter on the GRU: its arithmetic, its drawing, and its controls."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gatedrnn.equations import gru_gates, gru_step, gru_step_reset_before

from .conftest import ROOT, Moved, load

DRAWING = ROOT / "book" / "_diagrams" / "gru-live.svg"
WEIGHTS = ("w_ir", "w_hr", "b_r", "w_iz", "w_hz", "b_z", "w_in", "w_hn", "b_in", "b_hn")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def script(scripts):
    load(scripts, "gru-step")
    return lambda expression, values=None: scripts.evaluate(
        f"values => {{ const {{ step, START }} = gatedrnnLive.gruStep; return {expression}; }}",
        values,
    )


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


def test_the_script_computes_the_equations(script):
    values = draws()
    for v, got in zip(values, script("values.map(step)", values), strict=True):
        for name, want in equations(v).items():
            if want is not None:
                assert got[name] == pytest.approx(want, abs=1e-12), (name, v)


def test_extreme_gates_do_not_overflow(script):
    start = script("START")
    for bias in (-1000, 1000):
        got = script("step(values)", {**start, "b_r": bias, "b_z": bias})
        assert all(np.isfinite(value) for value in got.values())


def test_the_still_drawing_shows_the_start_values(script):
    start, svg = script("START"), ElementTree.parse(DRAWING)
    want = equations(start) | {"x": start["x"], "h": start["h"]}
    texts = {e.get("data-text"): e.text for e in svg.iter() if e.get("data-text")}
    for name in ("x", "h", "r", "z", "n", "next"):
        assert float(texts[name].replace("\u2212", "-")) == pytest.approx(want[name], abs=0.005)
    for name in ("h", "n", "next"):
        mark = next(e for e in svg.iter() if e.get("data-mark") == name)
        place = float(re.search(r"translate\(([-\d.]+)", mark.get("transform"))[1])
        assert place == pytest.approx(180 + 140 * want[name], abs=0.01)


@pytest.fixture(scope="module")
def live(browser, html):
    live = Moved(browser, html, "gru", ".live-gru-step")
    yield live
    live.close()


def state_of(live) -> dict:
    """The values of all the controls, as a reader has set them."""
    return live.figure.evaluate(
        """figure => {
          const values = {};
          figure.querySelectorAll('input').forEach((input) => {
            const key = (input.id || input.name).replace('live-gru-', '');
            if (input.type === 'range') values[key] = Number(input.value);
            else if (input.checked) values[key] = input.value;
          });
          return values;
        }"""
    )


def assert_agrees(live) -> None:
    want = equations(state_of(live))
    for name in ("r", "z", "next"):
        assert live.number(name) == pytest.approx(want[name], abs=0.0051), name


def test_the_controls_move_the_figure(live):
    assert_agrees(live)
    before = live.number("next")
    for key in ("x", "h", "b_r", "b_z"):
        live.press(f"live-gru-{key}", "ArrowRight", 7)
        assert_agrees(live)
    assert live.number("next") != before
    for radio in live.figure.locator("input[type=radio]").all():
        radio.check()
        assert_agrees(live)
    for share in (0.25, 0.8):
        moved = live.touch("live-gru-x", share)
        assert moved == state_of(live)["x"] == pytest.approx(4 * share - 2, abs=0.3)
        assert_agrees(live)


def test_every_example_shows_what_it_says(live):
    for name in live.figure.locator(".live-presets button").all_text_contents():
        live.figure.get_by_role("button", name="As at first", exact=True).click()
        live.figure.get_by_role("button", name=name, exact=True).click()
        assert_agrees(live)
        v = state_of(live)
        if "eep" in name:
            assert live.number("next") == live.number("h")
        if name == "Write":
            assert live.number("next") == live.number("n")
        if name == "Start fresh":
            fresh = np.tanh(v["w_in"] * v["x"] + v["b_in"])
            assert live.number("next") == pytest.approx(fresh, abs=0.0051)


def test_every_control_has_a_name_and_the_words_are_spoken(live):
    live.assert_usable()
    live.figure.get_by_role("button", name="Write", exact=True).click()
    assert "keeps 0 % of the old state" in live.words
    live.assert_spoken()
    # The description of the drawing is that of the values that stand.
    assert live.figure.locator("svg").get_attribute("aria-label") == live.words
