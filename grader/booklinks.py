"""Links from a notebook into the book: right where the book is, words where it is not.

In the course's repository a notebook lies two folders from the chapters. A student has the notebook
alone: there a link leads to the book's address, or its words say which chapter is meant. Only the
standard library is used, so that a task can run this before anything is installed.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\[([^][]+)\]\(\.\./\.\./book/(\w+)\.md(#[\w-]+)?\)")


def lead_out(text: str, address: str = "") -> str:
    """`text` with its links into the book leading to `address`; without one, they become words.

    The text is a cell's, or a whole notebook's as JSON. `address` is what stands before /gru.html.
    """

    def elsewhere(match: re.Match[str]) -> str:
        words, page, anchor = match[1], match[2], match[3] or ""
        if address:
            return f"[{words}]({address.rstrip('/')}/{page}.html{anchor})"
        return f"*{words}* in the chapter *{_title(page)}*" if anchor else f"*{words}*"

    return _LINK.sub(elsewhere, text)


@functools.cache
def _title(page: str) -> str:
    """A chapter's own title."""
    text = (_ROOT / "book" / f"{page}.md").read_text("utf-8")
    found = re.search(r"^# (.+)$", text, re.M)
    return found[1].strip() if found else page
