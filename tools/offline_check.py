"""Open every page of the built book in Chromium with the network cut; say what each asked for.

    python tools/offline_check.py [build/_build/html] [--from-file] [--shots build/screenshots]

It serves the book from a subfolder, as a course's web server may, or with --from-file opens the
files themselves. The tests of the book use the same functions.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SUBFOLDER = "/courses/gatedrnn"
# Chromium's own calls home would count as requests of the page.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A section far from the screen is not laid out (custom.css); who looks at all of a page wants it.
ALL_SHOWN = "section { content-visibility: visible !important; }"
WITHOUT_BROWSER = (
    "The tests in a browser need Chromium: install it with `apt install chromium`, or with "
    "`.venv/bin/playwright install chromium`."
)


@dataclass
class Visit:
    """What happened while a page was open."""

    outside: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.outside or self.missing or self.errors)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the book below a subfolder, and nothing at the root."""

    def translate_path(self, path: str) -> str:
        if not path.startswith(SUBFOLDER + "/"):
            return os.path.join(self.directory, "no such page")
        return super().translate_path(path.removeprefix(SUBFOLDER))

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serve(html: Path) -> Iterator[str]:
    """Serve the folder on a free local port and yield the address of the book."""
    handler = functools.partial(_Handler, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{SUBFOLDER}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser; raise FileNotFoundError with the sentence that says how to get one."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        except Error as error:
            raise FileNotFoundError(WITHOUT_BROWSER) from error
        yield browser
        browser.close()


@contextlib.contextmanager
def visit(context: Any, base: str, page_name: str) -> Iterator[tuple[Any, Visit]]:
    """Open a page, refuse and note what it asks of other hosts, and yield it with its notes."""
    notes = Visit()
    page = context.new_page()

    def decide(route: Any) -> None:
        url = route.request.url
        if url.startswith((base, "data:", "blob:")):
            route.continue_()
        else:
            notes.outside.append(url)
            route.abort()

    page.route("**/*", decide)
    page.on("pageerror", lambda error: notes.errors.append(str(error)))
    page.on(
        "console",
        lambda message: notes.errors.append(message.text) if message.type == "error" else None,
    )
    page.on("requestfailed", lambda request: notes.missing.append(f"failed {request.url}"))
    page.on(
        "response",
        lambda answer: (
            notes.missing.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
        ),
    )
    page.goto(f"{base}/{page_name}", wait_until="load")
    page.add_style_tag(content=ALL_SHOWN)
    try:
        yield page, notes
    finally:
        page.close()


def page_names(html: Path) -> list[str]:
    """Return every page of the book, as paths below the folder."""
    names = (path.relative_to(html).as_posix() for path in html.rglob("*.html"))
    return sorted(name for name in names if not name.startswith(("_static/", "_sphinx")))


def take_shot(page: Any, folder: Path, name: str) -> Path:
    """Keep a picture of the whole page; the name says page, width and scheme."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('/', '_').removesuffix('.html')}.png"
    page.screenshot(path=str(path), full_page=True)
    return path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("html", type=Path, nargs="?", default=ROOT / "build" / "_build" / "html")
    parser.add_argument("--from-file", action="store_true", help="open file:// addresses")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--only", default="", help="pages whose name contains this")
    parser.add_argument("--shots", type=Path, help="a folder for pictures of the pages")
    options = parser.parse_args(arguments)
    html = options.html.resolve()
    if not (html / "index.html").is_file():
        print(f"There is no book in {html}: build it with `make book`.", file=sys.stderr)
        return 2
    scheme = "dark" if options.dark else "light"
    served = contextlib.nullcontext(html.as_uri()) if options.from_file else serve(html)
    bad = 0
    try:
        with served as base, chromium() as browser:
            context = browser.new_context(
                viewport={"width": options.width, "height": 1000}, color_scheme=scheme
            )
            for name in page_names(html):
                if options.only not in name:
                    continue
                with visit(context, base, name) as (page, notes):
                    if options.shots:
                        take_shot(page, options.shots, f"{name}-{options.width}-{scheme}")
                bad += not notes.clean
                said = "clean" if notes.clean else f"{notes}"
                print(f"{name}: {said}")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{bad} pages asked another host, missed a file, or complained in the console")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
