"""Weigh every page of the built book, and give the heaviest ones their scores by Lighthouse.

    python tools/page_scores.py [build/_build/html] [--pages 5] [--no-scores]

A page's weight is what a first visit loads, each file compressed with gzip as a web server sends
it. The scores need Node.js: `npm install --prefix build/lighthouse lighthouse` once, or npx.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from offline_check import FLAGS, ROOT, SUBFOLDER, _Handler, chromium, page_names, serve, visit

LIMIT = 1_500_000  # bytes at a page's first view
LEAST = {"performance": 90, "accessibility": 95, "best-practices": 95}
TEXT = ("text/", "javascript", "json", "svg", "xml")


def compressed(kind: str, body: bytes) -> bytes:
    """The body as a server sends it: text compressed, what is compressed already as it is."""
    return gzip.compress(body, 6) if any(mark in kind for mark in TEXT) else body


def weigh(context: Any, base: str, name: str) -> dict[str, int]:
    """Return the bytes that a first visit to a page loads, by file."""
    loaded: dict[str, int] = {}

    def note(answer: Any) -> None:
        kind = answer.headers.get("content-type", "")
        loaded[answer.url.removeprefix(f"{base}/")] = len(compressed(kind, answer.body()))

    context.on("response", note)
    try:
        with visit(context, base, name) as (page, _):
            page.wait_for_load_state("networkidle")
    finally:
        context.remove_listener("response", note)
    return loaded


class _Compressing(_Handler):
    """Serves text compressed, to a browser that says that it takes it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        kind, body = self.guess_type(str(path)), path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            smaller = compressed(kind, body)
            if smaller is not body:
                self.send_header("Content-Encoding", "gzip")
            body = smaller
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def scores(html: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return Lighthouse's scores of pages, with its mobile profile; needs Node.js and Chromium."""
    own = ROOT / "build" / "lighthouse" / "node_modules" / ".bin" / "lighthouse"
    program = [str(own)] if own.is_file() else ["npx", "--yes", "lighthouse"]
    handler = functools.partial(_Compressing, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = {}
    try:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                report = Path(folder) / "report.json"
                address = f"http://127.0.0.1:{server.server_port}{SUBFOLDER}/{name}"
                flags = " ".join(["--headless=new", *FLAGS])
                command = [*program, address, "--quiet", "--output=json", f"--chrome-flags={flags}"]
                command += [f"--output-path={report}", f"--only-categories={','.join(LEAST)}"]
                chrome = shutil.which("chromium") or shutil.which("google-chrome") or ""
                subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": chrome})
                found[name] = json.loads(report.read_text("utf-8"))
    finally:
        server.shutdown()
        server.server_close()
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("html", type=Path, nargs="?", default=ROOT / "build" / "_build" / "html")
    parser.add_argument("--pages", type=int, default=5, help="how many pages get scores")
    parser.add_argument("--no-scores", action="store_true", help="weigh only")
    options = parser.parse_args(arguments)
    html = options.html.resolve()
    if not (html / "index.html").is_file():
        print(f"There is no book in {html}: build it with `make book`.", file=sys.stderr)
        return 2
    weights = {}
    with serve(html) as base, chromium() as browser:
        for name in page_names(html):
            if name == "index.html":  # sends the browser on to another page
                continue
            context = browser.new_context(viewport={"width": 412, "height": 823})
            weights[name] = sum(weigh(context, base, name).values())
            context.close()
    heaviest = sorted(weights, key=lambda name: -weights[name])
    for name in heaviest:
        print(f"{weights[name] / 1000:8.1f} kB  {name}")
    bad = weights[heaviest[0]] > LIMIT
    if not options.no_scores:
        for name, report in scores(html, heaviest[: options.pages]).items():
            categories, audits = report["categories"], report["audits"]
            marks = {key: round(100 * categories[key]["score"]) for key in LEAST}
            bad |= any(marks[key] < least for key, least in LEAST.items())
            times = " ".join(
                f"{short} {audits[audit]['displayValue']}"
                for short, audit in (
                    ("FCP", "first-contentful-paint"),
                    ("LCP", "largest-contentful-paint"),
                    ("TBT", "total-blocking-time"),
                    ("CLS", "cumulative-layout-shift"),
                )
            )
            print(f"{name}: {', '.join(f'{k} {v}' for k, v in marks.items())}; {times}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
