"""The tables of the report as CSV, one file for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader import sheet


def write_tables(found: dict[str, Any], folder: Path) -> None:
    """Write one CSV each for students, exercises, properties, misconceptions, look and similar."""
    parts = [(u["unit"], u) for u in found["units"]]
    keys = ["student", "name", "status", "score", "worth", "share", "late_penalty", "late_hours"]
    keys.append("misconceptions")
    sheet.write(
        folder / "students.csv",
        ["unit", *keys],
        [[slug, *(row[k] for k in keys)] for slug, unit in parts for row in unit["students"]],
    )
    items = ["worth", "n", "mean", "full", "none"]
    sheet.write(
        folder / "exercises.csv",
        ["unit", "exercise", "title", *items, *_CORRELATION, "see"],
        [
            [slug, e["exercise"], e["title"], *(e[k] for k in items), *_correlation(e), e["see"]]
            for slug, unit in parts
            for e in unit["exercises"]
        ],
    )
    sheet.write(
        folder / "properties.csv",
        ["unit", "exercise", "check", "sentence", *items, *_CORRELATION],
        [
            [
                slug,
                e["exercise"],
                p["check"],
                p["sentence"],
                *(p[k] for k in items),
                *_correlation(p),
            ]
            for slug, unit in parts
            for e in unit["exercises"]
            for p in e["properties"]
        ],
    )
    words = ["exercise", "name", "count", "share", "says", "see"]
    sheet.write(
        folder / "misconceptions.csv",
        ["unit", *words, "students"],
        [
            [slug, *(m[k] for k in words), " ".join(m["students"])]
            for slug, unit in parts
            for m in unit["misconceptions"]
        ],
    )
    look = ["student", "kind", "why"]
    sheet.write(
        folder / "look.csv",
        ["unit", *look],
        [[slug, *(row[k] for k in look)] for slug, unit in parts for row in unit["look"]],
    )
    pair = ["left", "right", "share", "fingerprints"]
    sheet.write(
        folder / "similar.csv",
        ["unit", *pair],
        [
            [slug, *(row[k] for k in pair)]
            for slug, unit in parts
            for row in unit["similar"]["pairs"]
        ],
    )


_CORRELATION = ("discrimination", "discrimination_low", "discrimination_high")


def _correlation(item: dict[str, Any]) -> list[float | None]:
    found = item["discrimination"]
    return [None] * 3 if found is None else [found["value"], found["low"], found["high"]]
