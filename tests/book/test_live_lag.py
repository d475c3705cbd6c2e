"""The live figure of gradient against lag: networks, Jacobians, norms and rates as in Python."""

import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from gatedrnn.analysis.jacobians import fit_decay_rate
from gatedrnn.equations import (
    gru_step,
    gru_step_backward,
    lstm_step,
    lstm_step_backward,
    rnn_step,
    rnn_step_backward,
)

from .conftest import Moved, load

pytestmark = pytest.mark.browser

H, D, T = 24, 8, 100
BLOCKS = {"RNN": 1, "GRU": 3, "LSTM": 4}


def mulberry32(seed: int) -> Callable[[], float]:
    """The page's generator, in integers of 32 bits."""
    low = 0xFFFFFFFF
    state = seed & low

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & low
        t = ((state ^ (state >> 15)) * (state | 1)) & low
        t = ((t + ((t ^ (t >> 7)) * (t | 61))) & low) ^ t
        return (t ^ (t >> 14)) / 2**32

    return draw


def network(cell: str, v: dict) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The inputs (T, D), the first state and the parameters that the figure draws from a seed."""
    one = mulberry32(v["seed"])

    def draw(*shape: int) -> np.ndarray:
        return np.array([2 * one() - 1 for _ in range(np.prod(shape))]).reshape(shape)

    x, h0 = np.sqrt(3) * draw(T, D), 1e-3 * draw(1, H)
    W_ih = draw(BLOCKS[cell] * H, D) / np.sqrt(H)
    blocks = [draw(H, H) for _ in range(BLOCKS[cell])]
    radii = [np.abs(np.linalg.eigvals(block)).max() for block in blocks]
    b_ih = np.zeros(BLOCKS[cell] * H)
    b_ih[H : 2 * H] = v["bias"] if cell != "RNN" else 0
    params = {
        "W_ih": W_ih,
        "W_hh": np.concatenate([v["radius"] * b / r for b, r in zip(blocks, radii, strict=True)]),
        "b_ih": b_ih,
        "b_hh": np.zeros(BLOCKS[cell] * H),
    }
    return v["size"] * x, h0, params


def norms(cell: str, v: dict) -> np.ndarray:
    """Norms of d h_T / d h_{T-k} by the package's equations and numpy's singular values."""
    x, h, params = network(cell, v)
    c, states = np.zeros((1, H)), []
    for t in range(T):
        states.append((h, c))
        if cell == "LSTM":
            h, c = lstm_step(x[t : t + 1], (h, c), params)
        else:
            h = (gru_step if cell == "GRU" else rnn_step)(x[t : t + 1], h, params)
    rows = {"h": np.eye(H), "c": np.zeros((H, H))}
    found = [1.0]
    for t in reversed(range(T)):
        x_t, (h, c) = np.repeat(x[t : t + 1], H, 0), (np.repeat(s, H, 0) for s in states[t])
        if cell == "LSTM":
            rows = lstm_step_backward(rows["h"], rows["c"], x_t, (h, c), params)
        elif cell == "GRU":
            rows = gru_step_backward(rows["h"], x_t, h, params)
        else:
            rows = rnn_step_backward(rows["h"], x_t, h, params)
        found.append(np.linalg.norm(rows["h"], 2))
    return np.array(found)


@pytest.fixture(scope="module")
def script(scripts):
    load(scripts, "gradient-lag")
    return lambda expression, values=None: scripts.evaluate(
        "values => { const { network, norms, rate, power, START } = gatedrnnLive.gradientLag;"
        f" return {expression}; }}",
        values,
    )


SETTINGS = [
    {"bias": 0, "radius": 0.6, "size": 1, "seed": 1},
    {"bias": 4, "radius": 0.6, "size": 1, "seed": 2},
    {"bias": -4, "radius": 1.3, "size": 0.3, "seed": 3},
    {"bias": 1.3, "radius": 2, "size": 0, "seed": 4},
    {"bias": 8, "radius": 0.1, "size": 3, "seed": 5},
]


@pytest.mark.parametrize("cell", BLOCKS)
@pytest.mark.parametrize("v", SETTINGS, ids=json.dumps)
def test_the_script_computes_the_equations(script, cell, v):
    got = np.array(script("norms(...values)", [cell, v]))
    want = norms(cell, v)
    np.testing.assert_allclose(got, want, rtol=1e-8)
    assert script("rate(values)", got.tolist()) == pytest.approx(fit_decay_rate(want), rel=1e-8)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.00123, "0.0012"),
        (12.34, "12"),
        (3.21e-5, "3.2 × 10⁻⁵"),
        (9.96e12, "1.0 × 10¹³"),
        (0, "0"),
    ],
)
def test_powers_are_written_as_the_book_writes_them(script, value, words):
    assert script("power(values)", value) == words


def number(words: str) -> float:
    """Read a number as the figure writes it."""
    plain = words.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    return float(plain.replace(" × 10", "e"))


@pytest.fixture(scope="module")
def live(browser, html):
    live = Moved(browser, html, "gradients", ".live-gradient-lag")
    yield live
    live.close()


def values_of(live) -> dict:
    return live.figure.evaluate(
        """figure => Object.fromEntries([...figure.querySelectorAll('input[type=range]')].map(
          (input) => [input.id.replace('live-lag-', ''), Number(input.value)]))"""
    )


def assert_agrees(live, seed: int = 1) -> None:
    v = values_of(live) | {"seed": seed}
    lag = int(v["lag"])
    for cell in BLOCKS:
        if not live.figure.locator(f"input[value={cell}]").is_checked():
            continue
        want = norms(cell, v)
        shown = live.figure.locator(f'[data-text="{cell}"]').text_content()
        assert number(shown) == pytest.approx(want[lag], rel=0.051)
        # The curve itself: its point at the lag is where the mark stands, unless it has ended.
        mark = live.figure.locator(f'[data-mark="{cell}"]').get_attribute("transform")
        x, y = (float(n) for n in re.findall(r"[\d.]+", mark))
        log = np.clip(np.log10(want[lag]), -20, 5)
        assert (x, y) == pytest.approx((46 + 3 * lag, 244 - 210 * (log + 20) / 25), abs=0.11)
        path = live.figure.locator(f'[data-path="{cell}"]').get_attribute("d")
        points = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
        if lag < len(points):
            assert tuple(map(float, points[lag])) == pytest.approx((x, y), abs=0.01)
    copied = number(live.figure.locator('[data-text="copy"]').text_content())
    assert copied == pytest.approx((1 / (1 + np.exp(-v["bias"]))) ** lag, rel=0.051)


def test_the_controls_move_the_figure(live):
    assert_agrees(live)
    live.press("live-lag-bias", "ArrowRight", 15)
    assert values_of(live)["bias"] == 1.5
    assert_agrees(live)
    live.press("live-lag-lag", "PageUp")
    live.press("live-lag-radius", "ArrowLeft", 2)
    live.press("live-lag-size", "ArrowRight", 5)
    assert_agrees(live)
    assert live.touch("live-lag-bias", 0.75) > 3
    assert_agrees(live)
    live.figure.locator("input[value=RNN]").uncheck()
    assert "RNN" not in live.words and "GRU" in live.words
    assert not live.figure.locator('[data-path="RNN"]').is_visible()
    live.figure.locator("input[value=RNN]").check()


def test_every_example_shows_what_it_says(live):
    def rate_of(cell: str) -> float:
        said = re.search(rf"in the {cell} [^;]* a factor of ([\d.]+)", live.words)
        return float(said[1])

    def choose(name: str) -> None:
        live.figure.get_by_role("button", name=name, exact=True).click()

    choose("Much as PyTorch starts")
    assert_agrees(live)
    assert max(rate_of(cell) for cell in BLOCKS) < 0.8
    choose("A bias of 4")
    assert_agrees(live)
    assert rate_of("RNN") < 0.8 < 0.95 < rate_of("GRU") < 1
    choose("No inputs, radius 1")
    assert_agrees(live)
    assert rate_of("RNN") == pytest.approx(1, abs=0.02)
    choose("Exploding")
    assert_agrees(live)
    assert rate_of("RNN") > 1.02
    choose("Much as PyTorch starts")
    before = live.words
    choose("Other weights")
    assert live.words != before
    assert_agrees(live, seed=2)


def test_every_control_has_a_name_and_the_words_are_spoken(live):
    live.assert_usable()
    live.assert_spoken()
