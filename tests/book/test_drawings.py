"""Each drawing looks as it did when somebody last looked at it, in light and in dark.

The references are small pictures without words, since fonts are others on each machine. After a
drawing was changed on purpose, look at it and make its reference anew:

    pytest tests/book/test_drawings.py --renew-drawings
"""

import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from course_diagram import inline_svg
from PIL import Image

from .conftest import ROOT, offline_check
from .test_browser import SHOTS
from .test_live import FIGURES

pytestmark = pytest.mark.browser

DIAGRAMS = sorted((ROOT / "book" / "_diagrams").glob("*.svg"))
REFERENCES = Path(__file__).parent / "shots"
SCHEMES = ("light", "dark")
SHEETS = [ROOT / "book" / "_static" / name for name in ("custom.css", "live/live.css")]
STYLE = "\n".join(sheet.read_text("utf-8") for sheet in SHEETS)
# Drawn at this width, kept at half of it.
WIDTH = 480
# In steps of 256 to a channel: edges that are smoothed in another way differ by less, and an arrow
# that was moved or a colour that is another one by more. Two tests below show both.
MOST, ON_AVERAGE = 88, 0.6
STILL = """
html { --pst-color-text-base: #222832; background: white; }
html[data-theme="dark"] { --pst-color-text-base: #ced6dd; background: #121212; }
svg.diagram text { visibility: hidden; }
svg.diagram.is-taken {
  position: fixed; left: 0; top: 0; margin: 0; z-index: 9999; background: var(--c-ground);
  min-width: 0 !important; max-width: none !important;
  width: %dpx !important; height: %dpx !important;
}
"""


def height_of(svg: str) -> int:
    """The height that goes with WIDTH, an even number."""
    from xml.etree import ElementTree

    _, _, width, height = (float(n) for n in ElementTree.fromstring(svg).get("viewBox").split())
    return 2 * int(np.ceil(WIDTH * height / width / 2))


def taken(page: Any, selector: str, height: int, scheme: str) -> np.ndarray:
    """A drawing of an open page as a small picture: (height, width, 3), without its words."""
    page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
    page.add_style_tag(content=STILL % (WIDTH, height))
    page.locator(selector).evaluate("svg => svg.classList.add('is-taken')")
    shot = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    factor = picture.width // (WIDTH // 2)
    small = np.asarray(picture.reduce(factor))
    return small & 0xF8  # fewer shades, a smaller file


@pytest.fixture(scope="module")
def easel(browser: Any) -> Any:
    context = browser.new_context(viewport={"width": WIDTH, "height": 900})
    page = context.new_page()
    yield page
    context.close()


def drawn(page: Any, svg: str, scheme: str) -> np.ndarray:
    page.set_content(f"<html><style>{STYLE}</style><body>{inline_svg(svg, 'it', 'A drawing')}")
    return taken(page, "svg.diagram", height_of(svg), scheme)


def around(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The darkest and the lightest value among each pixel's nine neighbours, itself included."""
    height, width, _ = picture.shape
    wide = np.pad(picture.astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    moved = [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.min(moved, axis=0), np.max(moved, axis=0)


def apart(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """By how much each value lies outside those around its place in the other picture.

    So an edge may fall a little to this or that side of a pixel.
    """
    beyond = []
    for one, other in ((now, before), (before, now)):
        least, most = around(other)
        beyond.append(np.maximum(least - one.astype(int), one.astype(int) - most))
    return np.maximum(np.maximum(*beyond), 0)


def differences(now: np.ndarray, before: np.ndarray) -> tuple[int, float]:
    """The largest difference, and the mean."""
    found = apart(now, before)
    return int(found.max()), float(found.mean())


def same(now: np.ndarray, before: np.ndarray) -> bool:
    most, mean = differences(now, before)
    return most <= MOST and mean <= ON_AVERAGE


def reference(name: str, scheme: str) -> Path:
    return REFERENCES / f"{name}-{scheme}.png"


def kept(name: str, **pictures: np.ndarray) -> str:
    """Keep pictures with the other screenshots of the run, and name them."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    paths = []
    for word, picture in pictures.items():
        paths.append(SHOTS / f"drawing-{name}-{word}.png")
        Image.fromarray(picture.astype(np.uint8)).save(paths[-1])
    return ", ".join(os.path.relpath(path, ROOT) for path in paths)


def assert_as_before(now: np.ndarray, name: str, scheme: str) -> None:
    path = reference(name, scheme)
    renew = "look at it, and run `pytest tests/book/test_drawings.py --renew-drawings`"
    assert path.is_file(), f"{name} has no reference in {scheme}: {renew}"
    before = np.asarray(Image.open(path).convert("RGB"))
    word = f"{name}-{scheme}"
    if now.shape != before.shape:
        pictures = kept(word, now=now, before=before)
        pytest.fail(f"{word} was {before.shape}, and is {now.shape}: see {pictures}; {renew}")
    if not same(now, before):
        most, mean = differences(now, before)
        pictures = kept(word, now=now, before=before, difference=apart(now, before))
        pytest.fail(
            f"{word} differs by up to {most} of 255, {mean:.2f} on average: see {pictures}; "
            f"if it was meant, {renew}"
        )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_a_drawing_looks_as_before(easel: Any, request: Any, path: Path, scheme: str) -> None:
    now = drawn(easel, path.read_text("utf-8"), scheme)
    if request.config.getoption("renew_drawings"):
        REFERENCES.mkdir(exist_ok=True)
        Image.fromarray(now).save(reference(path.stem, scheme), optimize=True)
    assert_as_before(now, path.stem, scheme)


def drawing_of(page_name: str, script: str) -> str:
    """The drawing that a live figure starts from, as its page names it."""
    text = (ROOT / "book" / f"{page_name}.md").read_text("utf-8")
    return text.split(f"```{{live}} {script}\n")[1].split(":drawing: ")[1].split()[0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("page_name", "script"), FIGURES)
def test_a_live_figure_starts_as_its_drawing(browser, html, page_name, script, scheme) -> None:
    name = drawing_of(page_name, script)
    svg = (ROOT / "book" / "_diagrams" / f"{name}.svg").read_text("utf-8")
    page = browser.new_context(viewport={"width": 900, "height": 900}).new_page()
    page.goto((html / "book" / f"{page_name}.html").resolve().as_uri())
    page.add_style_tag(content=offline_check.ALL_SHOWN)
    page.locator(f".live-{script}").scroll_into_view_if_needed()
    page.wait_for_selector(f".live-{script}.is-live")
    now = taken(page, f".live-{script} svg.diagram", height_of(svg), scheme)
    page.context.close()
    assert_as_before(now, name, scheme)


def test_each_reference_has_its_drawing() -> None:
    names = {reference(path.stem, scheme).name for path in DIAGRAMS for scheme in SCHEMES}
    assert {path.name for path in REFERENCES.glob("*.png")} == names
    assert all(path.stat().st_size < 12_000 for path in REFERENCES.glob("*.png"))


# ---------------------------------------------------------------- what the bounds let pass


@pytest.fixture(scope="module")
def fine_easel(browser: Any) -> Any:
    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, device_scale_factor=2)
    page = context.new_page()
    yield page
    context.close()


def a_quarter_aside(svg: str) -> str:
    """The drawing a quarter of a screen's pixel further up and to the left."""
    x, y, width, height = (float(n) for n in re.search(r'viewBox="([^"]+)"', svg)[1].split())
    step = width / WIDTH / 4
    return re.sub(
        r'viewBox="[^"]+"', f'viewBox="{x + step} {y + step} {width} {height}"', svg, count=1
    )


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.stem)
def test_other_smoothing_of_edges_passes(easel: Any, fine_easel: Any, path: Path) -> None:
    svg = path.read_text("utf-8")
    now = drawn(easel, svg, "light")
    assert same(drawn(fine_easel, svg, "light"), now)
    assert same(drawn(easel, a_quarter_aside(svg), "light"), now)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("M176 98V60", "M179 98V60"),  # an arrow moved by three units
        ('<path d="M196 118H236"/>', ""),  # an arrow gone
        ('208" stroke-width="2" marker-end="url(#tip)"', '208" stroke-width="2"'),  # its head gone
        ('class="reset"', 'class="update"'),
        ('class="candidate"', 'class="state"'),
    ],
)
def test_a_change_is_noticed(easel: Any, before: str, after: str, scheme: str) -> None:
    svg = (ROOT / "book" / "_diagrams" / "gru-flow.svg").read_text("utf-8")
    assert before in svg
    changed = drawn(easel, svg.replace(before, after, 1), scheme)
    assert not same(changed, drawn(easel, svg, scheme))


def test_a_difference_names_the_pictures_that_were_kept(
    easel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SHOTS", tmp_path)
    svg = (ROOT / "book" / "_diagrams" / "gru-flow.svg").read_text("utf-8")
    changed = drawn(easel, svg.replace('class="reset"', 'class="update"'), "light")
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_as_before(changed, "gru-flow", "light")
    for word in ("now", "before", "difference"):
        assert (tmp_path / f"drawing-gru-flow-light-{word}.png").is_file()
        assert f"drawing-gru-flow-light-{word}.png" in str(failure.value)
    assert "--renew-drawings" in str(failure.value)
