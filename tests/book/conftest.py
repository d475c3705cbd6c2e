"""The built book, for tests that read its files and for tests that open it in a browser."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
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
