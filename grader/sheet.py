"""CSV that a spreadsheet opens as what it is: text stays text, and nothing in it is run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from grader.files import write_bytes

#: A cell that begins so is a formula to Excel, LibreOffice and Google Sheets.
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Value = str | int | float | None


class Raw(str):
    """Text of our own that goes into a cell as it is."""


def safe(text: str) -> str:
    """`text`, with an apostrophe before it when a spreadsheet would run it as a formula."""
    # LibreOffice drops spaces before it looks at the first sign.
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS) else text


def cell(value: Value) -> str:
    """A value as the text of a cell; numbers as people write them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{round(value, 6):.10g}"
    return value if isinstance(value, Raw) else safe(value)


def text(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """A table as CSV (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def write(
    path: Path, head: Sequence[str], rows: Iterable[Sequence[Value]], encoding: str = "utf-8-sig"
) -> None:
    """Write a table to `path`, atomically.

    The mark of UTF-8 at the start lets Excel read names in any script.
    """
    write_bytes(path, text(head, rows).encode(encoding))
