"""The record of a mark: JSON with a versioned schema, written whole or not at all.

A record is named by what it depends on: the bytes handed in, the course's version, and the limits.
The same name is therefore the same mark, and is not made twice. A record is never changed and never
deleted: a resubmission, or a changed course, adds one.
"""

from __future__ import annotations

import functools
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader import course, units
from grader.engine import CheckResult
from grader.files import write_text
from grader.marking import CellRun, Marked
from grader.report import Report
from grader.worker.launch import Limits

SCHEMA = "gatedrnn-record/1"
SCHEMA_FILE = Path(__file__).with_name("record.schema.json")


def key(digest: str, course_version: str, limits: Limits, unsealed: bool) -> str:
    """The name of the record of a file with this SHA-256, marked by this course within `limits`.

    A class that allows marking without a seal has other names than one that refuses it, so that
    no record made without a seal is ever found by the latter.
    """
    rules = json.dumps({**limits.asdict(), "unsealed": unsealed}, sort_keys=True)
    parts = [SCHEMA, digest, course_version, rules]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def path_of(records: Path, slug: str, student: str, name: str) -> Path:
    return records / slug / student / f"{name}.json"


def from_marked(marked: Marked, student: str, name: str) -> dict[str, Any]:
    """The record of `marked`."""
    return {
        "schema": SCHEMA,
        "key": name,
        "unit": marked.slug,
        "student": student,
        "submission": marked.digest,
        "course": course.version(marked.slug),
        "seed": marked.seed,
        "status": marked.status,
        "reason": marked.reason,
        "flags": list(marked.flags),
        "earned": sum(r.earned for r in marked.results),
        "worth": sum(r.worth for r in marked.results),
        "checks": [_check(result) for result in marked.results],
        "misconceptions": [
            {"exercise": exercise, "name": item.name}
            for exercise, found in marked.recognised.items()
            for item in found
        ],
        "cells": [
            {"status": run.status, "shown": run.shown, "cut": run.cut} for run in marked.runs
        ],
        "limits": marked.limits.asdict(),
        "limits_hit": list(marked.limits_hit),
        "isolation": marked.isolation,
        "seconds": round(marked.seconds, 3),
        "marked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": course.versions(),
    }


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "check": result.check,
        "exercise": result.exercise,
        "sentence": result.sentence,
        "worth": result.worth,
        "status": result.status,
        "stage": result.stage,
        "message": result.message,
        "expected": result.expected,
        "got": result.got,
    }


# ---------------------------------------------------------------- files


def write(records: Path, record: dict[str, Any]) -> Path:
    """Write the record to its place, atomically."""
    path = path_of(records, record["unit"], record["student"], record["key"])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path


def read(path: Path) -> dict[str, Any] | None:
    """The record at `path`; None when there is none, or when it is not a whole one."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        return None
    whole = set(schema()["required"]) <= set(record) and record["key"] == path.stem
    return record if whole else None


def found(records: Path, slug: str, student: str, name: str) -> dict[str, Any] | None:
    """The record of this name, when it can stand: a fault of the grader is to be tried again."""
    record = read(path_of(records, slug, student, name))
    return record if record is not None and record["status"] != "grader fault" else None


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema that every record fulfils."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text("utf-8"))
    return loaded


# ---------------------------------------------------------------- what a record says


def results(record: dict[str, Any]) -> list[CheckResult]:
    """The checks of a record, as the engine gave them."""
    return [CheckResult(**item) for item in record["checks"]]


def runs(record: dict[str, Any]) -> list[CellRun]:
    """What became of each cell."""
    return [CellRun(item["status"], item["shown"], item["cut"]) for item in record["cells"]]


def scores(record: dict[str, Any]) -> dict[str, float]:
    """Exercise -> points earned."""
    totals: dict[str, float] = {}
    for result in results(record):
        totals[result.exercise] = totals.get(result.exercise, 0.0) + result.earned
    return totals


def reports(record: dict[str, Any], links: dict[str, str] | None = None) -> dict[str, Report]:
    """Exercise -> the report that a student reads. The seed stays in the record."""
    slug = record["unit"]
    named = {(item["exercise"], item["name"]) for item in record["misconceptions"]}
    known = units.misconceptions(slug)
    all_results = results(record)
    return {
        exercise.name: Report(
            exercise,
            [r for r in all_results if r.exercise == exercise.name],
            [m for m in known if m.exercise == exercise.name and (m.exercise, m.name) in named],
            links=links or {},
        )
        for exercise in units.exercises(slug)
    }


def notes(record: dict[str, Any]) -> list[str]:
    """What a person should see at a glance: misconceptions met, then flags."""
    by_exercise: dict[str, list[str]] = {}
    for item in record["misconceptions"]:
        by_exercise.setdefault(item["exercise"], []).append(item["name"])
    met = [f"{exercise}: {' or '.join(names)}" for exercise, names in by_exercise.items()]
    return [*met, *record["flags"]]
