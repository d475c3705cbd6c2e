"""The first view of a page weighs at most 1.5 MB, compressed as a web server sends it."""

import sys

import pytest

from .conftest import ROOT, _load, toc_pages

sys.path.insert(0, str(ROOT / "tools"))
page_scores = _load(ROOT / "tools" / "page_scores.py")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("name", [*toc_pages(), "search", "genindex"])
def test_first_view_is_light(browser, site, name) -> None:
    context = browser.new_context(viewport={"width": 412, "height": 823})
    loaded = page_scores.weigh(context, site, f"{name}.html")
    context.close()
    assert loaded[f"{name}.html"] > 1000
    assert any(file.endswith(".css") or ".css?" in file for file in loaded)
    heaviest = sorted(loaded.items(), key=lambda item: -item[1])[:5]
    assert sum(loaded.values()) <= page_scores.LIMIT, heaviest
    if name != "search":
        assert not any("searchindex" in file or "fontawesome" in file for file in loaded)
