"""Tables of a class in plain text: who has what, which exercises were hard, what to teach again."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from grader.files import brief, printable
from grader.record import notes
from grader.report import number

Records = Mapping[tuple[str, str], dict[str, Any]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as they need to be; the columns numbered in `right` are set to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = (
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join([line(head), "  ".join("-" * w for w in widths), *map(line, rows)])


def class_table(records: Records, slugs: Sequence[str]) -> str:
    """One line a student: points in each unit, and what a person should see."""
    room = max(30, shutil.get_terminal_size((120, 40)).columns - 24 - 11 * len(slugs))
    rows = []
    for student in sorted({student for student, _ in records}):
        mine = [records.get((student, slug)) for slug in slugs]
        said = [f"{r['unit']}: {x}" for r in mine if r for x in _short_notes(r)]
        points = [_points(r) for r in mine]
        words = textwrap.shorten(printable("; ".join(said)), room, placeholder=" …")
        rows.append([brief(student), *points, words])
    return table(["student", *slugs, "notes"], rows, right=range(1, len(slugs) + 1))


def _points(record: dict[str, Any] | None) -> str:
    return "–" if record is None else f"{number(record['earned'])}/{number(record['worth'])}"


def _short_notes(record: dict[str, Any]) -> list[str]:
    """Faults of the file first: they are what a person must look at."""
    said = notes(record)
    met = len(said) - len(record["flags"])
    flags = [f"! {flag.rstrip('.')}" for flag in said[met:]]
    return [*flags, *said[:met]] if record["status"] != "marked" else [*said[:met], *flags]


def exercise_table(records: Records, slugs: Sequence[str]) -> str:
    """Each exercise: how much of its points the class earned, and who earned all or none."""
    rows = []
    for slug in slugs:
        mine = [r for (_, unit), r in records.items() if unit == slug]
        names = dict.fromkeys(c["exercise"] for r in mine for c in r["checks"])
        for name in names:
            shares = [_share(r, name) for r in mine]
            mean = sum(shares) / len(shares)
            full, none = sum(s == 1 for s in shares), sum(s == 0 for s in shares)
            rows.append([slug, name, str(len(shares)), f"{mean:.0%}", str(full), str(none)])
    head = ["unit", "exercise", "handed in", "mean", "full points", "no points"]
    return table(head, rows, right=(2, 3, 4, 5))


def _share(record: dict[str, Any], exercise: str) -> float:
    checks = [c for c in record["checks"] if c["exercise"] == exercise]
    worth = sum(c["worth"] for c in checks)
    return sum(c["worth"] for c in checks if c["status"] == "passed") / worth if worth else 0.0


def misconception_table(records: Records) -> str:
    """What to teach again: the misconceptions met, the most frequent first."""
    met = Counter(
        (slug, item["exercise"], item["name"])
        for (_, slug), record in records.items()
        for item in record["misconceptions"]
    )
    if not met:
        return "No misconception was recognised."
    rows = [[*where, str(count)] for where, count in met.most_common()]
    return table(["unit", "exercise", "misconception", "students"], rows, right=(3,))
