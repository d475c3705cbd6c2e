"""The live figure of the chapter on what gates can compute: arithmetic, drawing, controls."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gatedrnn.analysis.automata import gru_states, scalar_cell

from .conftest import ROOT, Moved, load

DRAWING = ROOT / "book" / "_diagrams" / "automata-live.svg"
WEIGHTS = ("w_z", "b_z", "w_n", "b_n", "w_h")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def script(scripts):
    load(scripts, "automata-unit")
    return lambda expression, values=None: scripts.evaluate(
        "values => { const { run, shapes, firstWrong, START } = gatedrnnLive.automataUnit;"
        f" return {expression}; }}",
        values,
    )


def equations(v: dict) -> np.ndarray:
    """The states by the package, the start included: a GRU whose reset gate has a sum of 10."""
    k = v["k"]
    params = scalar_cell(
        ([0.0], 0.0, 10.0, 0.0),
        ([k * v["w_z"]], 0.0, k * v["b_z"], 0.0),
        ([k * v["w_n"]], k * v["w_h"], k * v["b_n"], 0.0),
    )
    bits = np.array([[float(bit)] for bit in v["bits"]])[None]
    return np.concatenate([[v["h0"]], gru_states(bits, np.array([v["h0"]]), params)[0]])


def draws() -> list[dict]:
    rng = np.random.default_rng(0)
    return [
        {
            **{name: rng.uniform(-4, 4) for name in WEIGHTS},
            "k": rng.uniform(0.1, 10),
            "h0": rng.uniform(-1, 1),
            "bits": "".join(rng.choice(["0", "1"], size=rng.integers(1, 25))),
        }
        for _ in range(100)
    ]


def test_the_script_computes_the_equations(script):
    values = draws()
    for v, got in zip(values, script("values.map(run)", values), strict=True):
        np.testing.assert_allclose(got, equations(v), rtol=0, atol=1e-12)


def test_the_first_wrong_bit_is_found(script):
    # With a factor of 20 and these weights the unit copies the last bit it read.
    copy = {"k": 20, "w_z": 0, "b_z": -1, "w_n": 2, "b_n": -1, "w_h": 0, "h0": -1}
    cases = [("0001", "latch", 0), ("0010", "latch", 4), ("0010", "toggle", 4)]
    for bits, machine, want in [*cases, ("001", "toggle", 0)]:
        got = script("firstWrong(values[0], values[1])", [copy | {"bits": bits}, machine])
        assert got == want, (bits, machine)


def test_the_still_drawing_shows_the_start_values(script):
    start, shapes = script("START"), script("shapes(START)")
    svg = ElementTree.parse(DRAWING)
    paths = {e.get("data-path"): e.get("d") for e in svg.iter() if e.get("data-path")}
    assert paths == {name: shapes[name] for name in ("zero", "one", "trace")}
    points = np.array(re.findall(r"([\d.]+) ([\d.]+)", paths["trace"]), dtype=float)
    np.testing.assert_allclose(points[:, 1], 258 - 40 * equations(start), atol=0.051)
    # The portrait at both ends and in the middle: new state over old state.
    for name, bit in (("zero", "0"), ("one", "1")):
        curve = np.array(re.findall(r"([\d.]+) ([\d.]+)", paths[name]), dtype=float)
        for index, h in ((0, -1.0), (30, 0.0), (60, 1.0)):
            new = equations(start | {"bits": bit, "h0": h})[1]
            assert curve[index] == pytest.approx([115 + 75 * h, 93 - 75 * new], abs=0.051)
    bits = next(e for e in svg.iter() if e.get("data-bits"))
    assert "".join(text.text for text in bits) == start["bits"]


@pytest.fixture(scope="module")
def live(browser, html):
    live = Moved(browser, html, "automata", ".live-automata-unit")
    yield live
    live.close()


def values_of(live) -> dict:
    """The values of all the controls, as a reader has set them."""
    return live.figure.evaluate(
        """figure => Object.fromEntries([...figure.querySelectorAll('input')].map((input) => [
          input.id.replace('live-automata-', ''),
          input.type === 'range' ? Number(input.value) : input.value]))"""
    )


def assert_agrees(live) -> None:
    """The last state in words is that of the package, for the reader's weights and string."""
    v = values_of(live)
    said = re.search(rf"After {len(v['bits'])} bits the state is (\S+):", live.words)[1]
    assert float(said.replace("\u2212", "-")) == pytest.approx(equations(v)[-1], abs=0.0051)


def test_the_controls_move_the_figure(live):
    trace = live.figure.locator('[data-path="trace"]')
    assert "As a latch that a 1 sets it is right after every bit." in live.words
    assert "As a toggle it is wrong after bit 7." in live.words
    bits = live.figure.locator("#live-automata-bits")
    bits.fill("0x110")  # what is no bit is dropped
    assert bits.input_value() == "0110"
    assert "As a toggle it is wrong after bit 3." in live.words
    assert_agrees(live)
    before = trace.get_attribute("d")
    for key in ("k", "h0", *WEIGHTS):
        live.press(f"live-automata-{key}", "ArrowLeft", 3)
        assert_agrees(live)
    assert trace.get_attribute("d") != before
    assert live.touch("live-automata-w_h", 0.2) < -1.5
    assert_agrees(live)


def test_every_example_shows_what_it_says(live):
    says = {
        "Once a 1": "As a latch that a 1 sets it is right after every bit.",
        "The same, leaking": "wrong after bit",
        "Hard threshold": "neither side",
        "Plain unit": "As a toggle it is wrong",
        "A toggle": "As a toggle it is right after every bit.",
    }
    buttons = live.figure.locator(".live-presets button")
    assert buttons.all_text_contents() == list(says)
    for name, words in says.items():
        live.figure.get_by_role("button", name=name, exact=True).click()
        assert words in live.words
        assert_agrees(live)


def test_every_control_has_a_name_and_the_words_are_spoken(live):
    live.assert_usable()
    live.assert_spoken()
