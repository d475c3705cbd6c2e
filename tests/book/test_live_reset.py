"""The live figure of the two places of the reset: its arithmetic, its words, its controls."""

import re

import numpy as np
import pytest

from gatedrnn.equations import gru_step, gru_step_reset_before

from .conftest import Moved, load

pytestmark = pytest.mark.browser

KEYS = ("r1", "r2", "h1", "h2", "w11", "w12", "w21", "w22", "b", "u")


@pytest.fixture(scope="module")
def script(scripts):
    load(scripts, "gru-reset")
    return lambda expression, values=None: scripts.evaluate(
        "values => { const { candidates, START } = gatedrnnLive.gruReset;"
        f" return {expression}; }}",
        values,
    )


def equations(v: dict) -> dict[str, np.ndarray]:
    """Both candidates by the package: z is shut, so the new state is the candidate."""
    with np.errstate(divide="ignore"):
        gates = [np.log(r) - np.log1p(-r) for r in (v["r1"], v["r2"])]
    params = {
        "W_ih": np.zeros((6, 1)),
        "W_hh": np.zeros((6, 2)),
        "b_ih": np.array([*np.clip(gates, -1e3, 1e3), -1e3, -1e3, v["u"], v["u"]]),
        "b_hh": np.array([0, 0, 0, 0, v["b"], v["b"]]),
    }
    params["W_hh"][4:] = [[v["w11"], v["w12"]], [v["w21"], v["w22"]]]
    x, h = np.zeros((1, 1)), np.array([[v["h1"], v["h2"]]])
    return {
        "after": gru_step(x, h, params)[0],
        "before": gru_step_reset_before(x, h, params)[0],
    }


def draws() -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {key: float(rng.uniform(0, 1) if key[0] == "r" else rng.normal()) for key in KEYS}
        for _ in range(100)
    ]


def test_the_script_computes_the_equations(script):
    values = draws()
    for v, both in zip(values, script("values.map(candidates)", values), strict=True):
        want = equations(v)
        for form, candidates in want.items():
            got = [unit[f"n_{form}"] for unit in both]
            np.testing.assert_allclose(got, candidates, rtol=0, atol=1e-12)
        # The two parts of the difference are those of equation eq-gru-reset-apart.
        apart = [unit["apart"]["hearing"] + unit["apart"]["bias"] for unit in both]
        inside = np.arctanh(want["after"]) - np.arctanh(want["before"])
        np.testing.assert_allclose(apart, inside, rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def live(browser, html):
    live = Moved(browser, html, "gru", ".live-gru-reset")
    yield live
    live.close()


def values_of(live) -> dict:
    return live.figure.evaluate(
        """figure => Object.fromEntries([...figure.querySelectorAll('input')].map((input) => [
          input.id.replace('live-reset-', ''), Number(input.value)]))"""
    )


def assert_agrees(live) -> None:
    values = values_of(live)
    assert set(values) == set(KEYS)
    for form, candidates in equations(values).items():
        for unit, candidate in enumerate(candidates, start=1):
            assert live.number(f"n-{form}-{unit}") == pytest.approx(candidate, abs=0.0051)
            place = live.figure.locator(f'[data-mark="{form}-{unit}"]').get_attribute("transform")
            assert float(re.search(r"\(([-\d.]+)", place)[1]) == pytest.approx(
                200 + 130 * candidate, abs=0.011
            )


def test_the_controls_move_the_figure(live):
    assert_agrees(live)
    live.figure.locator("summary").click()
    for key in KEYS:
        live.press(f"live-reset-{key}", "ArrowRight" if key != "r1" else "ArrowLeft", 3)
        assert_agrees(live)
    for key in ("r2", "w12"):
        before = values_of(live)[key]
        assert live.touch(f"live-reset-{key}", 0.85) != before
        assert_agrees(live)


AGREE = ("Both resets open", "One reset for both", "Each unit alone")


def test_every_example_shows_what_it_says(live):
    names = live.figure.locator(".live-presets button").all_text_contents()
    assert set(AGREE) < set(names) and len(names) == 5
    for name in names:
        live.figure.get_by_role("button", name=name, exact=True).click()
        assert_agrees(live)
        both = equations(values_of(live))
        agree = np.allclose(both["after"], both["before"], rtol=0, atol=1e-12)
        assert agree == (name in AGREE) == ("They agree." in live.words)


def test_every_control_has_a_name_and_the_words_are_spoken(live):
    live.assert_usable()
    live.assert_spoken()
