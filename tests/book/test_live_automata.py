"""The live figure of the chapter on what gates can compute: arithmetic, drawing, controls."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from gatedrnn.analysis.automata import gru_states, scalar_cell

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "book" / "_static" / "live" / "automata-unit.js"
DRAWING = ROOT / "book" / "_diagrams" / "automata-live.svg"
WEIGHTS = ("w_z", "b_z", "w_n", "b_n", "w_h")

node = pytest.mark.skipif(
    shutil.which("node") is None, reason="node runs the page's script outside a browser; install it"
)


def run_script(expression: str, values: object) -> object:
    """Evaluate `expression` with what the script exports, and the JSON `values`."""
    program = (
        f"const {{run, shapes, firstWrong, START}} = require({json.dumps(str(SCRIPT))});"
        f"const values = {json.dumps(values)};"
        f"console.log(JSON.stringify({expression}));"
    )
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


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


@node
def test_the_script_computes_the_equations():
    values = draws()
    for v, got in zip(values, run_script("values.map(run)", values), strict=True):
        np.testing.assert_allclose(got, equations(v), rtol=0, atol=1e-12)


@node
def test_the_first_wrong_bit_is_found():
    # With a factor of 20 and these weights the unit copies the last bit it read.
    copy = {"k": 20, "w_z": 0, "b_z": -1, "w_n": 2, "b_n": -1, "w_h": 0, "h0": -1}
    cases = [("0001", "latch", 0), ("0010", "latch", 4), ("0010", "toggle", 4)]
    for bits, machine, want in [*cases, ("001", "toggle", 0)]:
        got = run_script("firstWrong(values[0], values[1])", [copy | {"bits": bits}, machine])
        assert got == want, (bits, machine)


@node
def test_the_still_drawing_shows_the_start_values():
    start, shapes = run_script("START", None), run_script("shapes(START)", None)
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
def page(browser, html):
    """The chapter on a narrow phone, opened from its file, with the figure at work."""
    page = browser.new_page(viewport={"width": 360, "height": 800})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((html / "book" / "automata.html").as_uri())
    page.wait_for_selector(".live-automata-unit.is-live")
    yield page
    page.close()
    assert errors == []


@pytest.mark.browser
def test_the_controls_move_the_figure(page):
    trace = page.locator('.live-automata-unit [data-path="trace"]')
    words = page.locator(".live-automata-unit").get_by_role("status")
    assert "As a latch that a 1 sets it is right after every bit." in words.text_content()
    assert "As a toggle it is wrong after bit 7." in words.text_content()
    page.locator("#live-automata-bits").fill("0x110")  # what is no bit is dropped
    assert page.locator("#live-automata-bits").input_value() == "0110"
    assert "After 4 bits" in words.text_content()
    assert "As a toggle it is wrong after bit 3." in words.text_content()
    before = trace.get_attribute("d")
    for key in ("k", "h0", *WEIGHTS):
        slider = page.locator(f"#live-automata-{key}")
        slider.focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
    assert trace.get_attribute("d") != before
    page.get_by_role("button", name="Hard threshold", exact=True).click()
    assert "neither side" in words.text_content()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_every_control_has_a_name(page):
    for control in page.locator(".live-automata-unit input").all():
        labels = control.evaluate("input => [...input.labels].map(l => l.textContent.trim())")
        assert labels and all(labels)
