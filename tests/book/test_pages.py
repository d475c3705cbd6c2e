"""What must hold of every page of the built book, read from its files."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from .conftest import offline_check, toc_pages

LOADED = {  # attributes whose address the browser fetches by itself
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
LINKS_NOT_FETCHED = {"next", "prev", "index", "search", "canonical", "author", "license"}


@cache
def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@cache
def targets(path: Path) -> frozenset[str]:
    page = read(path)
    names = {tag["id"] for tag in page.find_all(id=True)}
    return frozenset(names | {tag["name"] for tag in page.find_all("a", attrs={"name": True})})


def outside(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def broken(page: Path, address: str) -> str:
    """Return what is wrong with an internal link, or an empty string."""
    parts = urlsplit(address)
    target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return f"{address} leads to no file"
    fragment = unquote(parts.fragment)
    if fragment and target.suffix == ".html" and fragment not in targets(target):
        return f"{address} leads to no place on {target.name}"
    return ""


def test_internal_links_lead_somewhere(html: Path) -> None:
    wrong = []
    for name in offline_check.page_names(html):
        page = html / name
        for tag in read(page).find_all(["a", "link", "script", "img"]):
            address = tag.get("href") or tag.get("src") or ""
            if not address or address == "#" or urlsplit(address).scheme or outside(address):
                continue
            if reason := broken(page, address):
                wrong.append(f"{name}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_links_lead_to_no_path_of_this_machine(html: Path) -> None:
    wrong = [
        f"{name}: {tag['href']}"
        for name in offline_check.page_names(html)
        for tag in read(html / name).find_all("a", href=True)
        if tag["href"].startswith(("/", "file:"))
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_fetched_from_another_host(html: Path) -> None:
    wrong = []
    for name in offline_check.page_names(html):
        page = read(html / name)
        for tag_name, attribute in LOADED.items():
            for tag in page.find_all(tag_name):
                if outside(tag.get(attribute, "")) or "//" in tag.get("srcset", ""):
                    wrong.append(f"{name}: {tag_name} {tag.get(attribute)}")
        for tag in page.find_all("link", href=True):
            if outside(tag["href"]) and not LINKS_NOT_FETCHED & set(tag.get("rel", [])):
                wrong.append(f"{name}: link {tag['href']}")
    for style in html.rglob("*.css"):
        text = style.read_text("utf-8")
        found = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", text)
        wrong += [f"{style.name}: {address}" for address in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", toc_pages())
def test_headings_are_in_order(html: Path, name: str) -> None:
    article = read(html / f"{name}.html").find("article") or read(html / f"{name}.html")
    levels = [int(tag.name[1]) for tag in article.find_all(re.compile(r"^h[1-6]$"))]
    assert levels.count(1) == 1 and levels[0] == 1, f"one h1, and first: {levels}"
    steps = [(a, b) for a, b in zip(levels, levels[1:], strict=False) if b > a + 1]
    assert not steps, f"a level is skipped: {levels}"
    assert 2 in levels, "a page needs a second-level heading"


@pytest.mark.parametrize("name", toc_pages())
def test_pictures_have_words(html: Path, name: str) -> None:
    article = read(html / f"{name}.html").find("article")
    for image in article.find_all("img"):
        alt = image.get("alt", "").strip()
        assert len(alt.split()) >= 3 and "_images" not in alt, f"{image.get('src')}: alt {alt!r}"
    for drawing in article.find_all("svg", class_="diagram"):
        assert drawing["role"] == "img" and len(drawing["aria-label"].split()) >= 5


@pytest.mark.parametrize("name", toc_pages())
def test_every_page_says_its_language_and_title(html: Path, name: str) -> None:
    page = read(html / f"{name}.html")
    assert page.html["lang"].startswith("en")
    assert page.title.get_text().strip()


@pytest.mark.parametrize("name", toc_pages())
def test_no_markup_is_left_unread(html: Path, name: str) -> None:
    article = BeautifulSoup((html / f"{name}.html").read_text("utf-8"), "html.parser").article
    for code in article.find_all(["pre", "code"]):
        code.decompose()
    left = re.findall(r"\{[a-z:-]+\}`[^`]*|\{%.*?%\}|\$.{,20}|\|\s?[-—:]+\s?\|", article.get_text())
    assert left == []


@pytest.mark.parametrize("name", toc_pages())
def test_no_id_is_used_twice(html: Path, name: str) -> None:
    ids = [tag["id"] for tag in read(html / f"{name}.html").find("article").find_all(id=True)]
    assert sorted({one for one in ids if ids.count(one) > 1}) == []


def test_figures_are_drawn_for_light_and_dark_pages_alike(html: Path) -> None:
    """No figure brings a white ground with it, and none has text that is black on dark."""
    for name in toc_pages():
        for picture in read(html / f"{name}.html").select("article img[src$='.svg']"):
            drawn = (html / name).parent / unquote(picture["src"])
            assert "fill: #ffffff" not in drawn.read_text("utf-8"), f"{name}: {picture.get('alt')}"
