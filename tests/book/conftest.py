"""The built book, for tests that read its files and for tests that open it in a browser."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
LIVE = ROOT / "book" / "_static" / "live"
if str(EXTENSIONS) not in sys.path:
    sys.path.insert(0, str(EXTENSIONS))  # the directives import each other by name, as in Sphinx


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


offline_check = _load(ROOT / "tools" / "offline_check.py")


def built_html() -> Path:
    named = os.environ.get("GATEDRNN_BOOK_HTML")
    return Path(named) if named else ROOT / "build" / "_build" / "html"


def toc_pages() -> list[str]:
    """Return the pages of the book in reading order, as _toc.yml names them."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    names = [toc["root"]]

    def collect(entries: list[dict]) -> None:
        for entry in entries:
            names.append(entry["file"])
            collect(entry.get("sections", []))

    for part in toc["parts"]:
        collect(part["chapters"])
    return names


@pytest.fixture(scope="session")
def html() -> Path:
    folder = built_html()
    if not (folder / "index.html").is_file():
        pytest.skip("the book has not been built: run `make book` first")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    pytest.importorskip("playwright", reason=offline_check.WITHOUT_BROWSER)
    manager = offline_check.chromium()
    try:
        opened = manager.__enter__()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    yield opened
    manager.__exit__(None, None, None)


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    with offline_check.serve(html) as base:
        yield base


@pytest.fixture(scope="module")
def scripts(browser: Any) -> Iterator[Any]:
    """An empty page for the scripts of the live figures: `load(page, name)` puts one there."""
    page = browser.new_page()
    page.add_script_tag(path=LIVE / "common.js")
    yield page
    page.close()


def load(page: Any, name: str) -> None:
    """Run a live figure's script in a page without its figure, for its arithmetic."""
    page.add_script_tag(path=LIVE / f"{name}.js")


class Moved:
    """A live figure in the built book, on a narrow phone, opened from its file."""

    def __init__(self, browser: Any, html: Path, page_name: str, selector: str) -> None:
        self.page = browser.new_context(
            viewport={"width": 360, "height": 800}, has_touch=True
        ).new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto((html / "book" / f"{page_name}.html").resolve().as_uri())
        self.page.add_style_tag(content=offline_check.ALL_SHOWN)
        self.page.locator(selector).scroll_into_view_if_needed()
        self.page.wait_for_selector(f"{selector}.is-live")
        self.figure = self.page.locator(selector)

    def close(self) -> None:
        self.page.context.close()
        assert self.errors == []

    def press(self, control: str, key: str, times: int = 1) -> None:
        """Move a slider by keyboard."""
        self.figure.locator(f"#{control}").focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def touch(self, control: str, share: float) -> float:
        """Tap a slider at a share of its length, and return the value it took."""
        slider = self.figure.locator(f"#{control}")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        self.page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        return float(slider.input_value())

    def number(self, name: str) -> float:
        """A number as the drawing shows it."""
        text = self.figure.locator(f'[data-text="{name}"]').text_content()
        return float(text.replace("\u2212", "-"))

    @property
    def words(self) -> str:
        """The sentences below the drawing."""
        return self.figure.locator(".live-words").text_content()

    def assert_usable(self) -> None:
        """Every control has a name, the focus can be seen, the page does not scroll sideways."""
        for control in self.figure.locator("input, textarea").all():
            labels = control.evaluate("input => [...input.labels].map(l => l.textContent.trim())")
            assert labels and all(labels)
        for control in self.figure.locator(
            ".live-panel :is(input, textarea, button):visible"
        ).all():
            control.focus()
            self.page.keyboard.press("Shift")  # the focus of a keyboard, not of a script
            assert control.evaluate("c => getComputedStyle(c).outlineStyle") != "none"
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def assert_spoken(self) -> None:
        """A screen reader is told the words once they have stood for a moment."""
        self.page.wait_for_timeout(900)
        assert self.figure.get_by_role("status").text_content() == self.words
