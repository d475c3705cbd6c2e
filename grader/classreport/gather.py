"""What the report on a class says, as plain data: from its records and from its gradebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader import units
from grader.classreport import attention
from grader.classreport.similar import ALIKE, Similar
from grader.classreport.statistics import FEWEST, discrimination, summary, tenths
from grader.classroom import Classroom
from grader.engine import CheckInfo, list_checks
from grader.grades import Grade, grades
from grader.report import book_links, place_in_words

SCHEMA = "gatedrnn-class-report/1"


def gather(
    room: Classroom, slugs: list[str], folder: Path, alike: Mapping[str, Similar]
) -> dict[str, Any]:
    """Everything that the report says about these units; links are from `folder`."""
    with room.gradebook() as gradebook:
        known = {slug: {g.student: g for g in grades(gradebook, slug)} for slug in slugs}
    return {
        "schema": SCHEMA,
        "class": room.root.name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "fewest": FEWEST,
        "units": [
            {**_unit(room, slug, known[slug], folder), "similar": _similar(alike[slug])}
            for slug in slugs
        ],
    }


def _unit(room: Classroom, slug: str, known: dict[str, Grade], folder: Path) -> dict[str, Any]:
    hand_ins = room.hand_ins([slug])
    rows, looks, marked = [], [], []
    met: dict[tuple[str, str], list[str]] = {}
    sealed = 0
    for hand_in in hand_ins:
        record = room.record_of(hand_in)
        grade = known.get(hand_in.student)
        found = list(attention.reasons(record, grade, _size(hand_in.path)))
        looks += [{"student": hand_in.student, "kind": k, "why": why} for k, why in found]
        rows.append(_row(hand_in.student, record, grade))
        if record is None or record["status"] != "marked":
            continue
        sealed += record["isolation"].startswith("sealed")
        marked.append(_earned(record))
        for item in record["misconceptions"]:
            met.setdefault((item["exercise"], item["name"]), []).append(hand_in.student)
    if marked and not sealed:  # said once, and not in every row
        looks = [item for item in looks if item["kind"] != "not sealed"]
    looks.sort(key=lambda item: (attention.urgency(item["kind"]), item["student"]))
    shares = [row["share"] for row in rows if row["share"] is not None]
    handed_in = {hand_in.student for hand_in in hand_ins}
    checks = list_checks(slug)
    return {
        "unit": slug,
        "worth": sum(check.worth for check in checks),
        "handed_in": len(hand_ins),
        "marked": len(marked),
        "sealed": sealed,
        "nothing_handed_in": sorted(set(known) - handed_in),
        "marks": summary(shares),
        "tenths": tenths(shares),
        "students": rows,
        "exercises": _exercises(slug, checks, marked, folder, room.book),
        "misconceptions": _misconceptions(slug, met, len(marked), folder, room.book),
        "look": looks,
        "look_counts": dict(
            sorted(Counter(i["kind"] for i in looks).items(), key=lambda x: attention.urgency(x[0]))
        ),
    }


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _row(student: str, record: dict[str, Any] | None, grade: Grade | None) -> dict[str, Any]:
    """One student's line: the grade as the gradebook has it, whoever gave it."""
    there = grade is not None and grade.there
    worth = grade.worth if grade is not None else 0.0
    score = grade.score if grade is not None and there else None
    return {
        "student": student,
        "name": grade.name if grade is not None else student,
        "status": record["status"] if record is not None else "not marked",
        "score": score,
        "worth": worth,
        # Extra credit can lift a score above the unit's worth.
        "share": min(1.0, score / worth) if score is not None and worth else None,
        "late_penalty": grade.penalty if grade is not None else 0.0,
        "late_hours": round(grade.seconds_late / 3600, 1) if grade is not None else 0.0,
        "misconceptions": len(record["misconceptions"]) if record is not None else 0,
    }


def _earned(record: dict[str, Any]) -> dict[str, float]:
    """Check -> points, as marked and before any person or penalty."""
    return {c["check"]: c["worth"] if c["status"] == "passed" else 0.0 for c in record["checks"]}


# ---------------------------------------------------------------- exercises and their properties


def _exercises(
    slug: str,
    checks: list[CheckInfo],
    marked: list[dict[str, float]],
    folder: Path,
    book: str,
) -> list[dict[str, Any]]:
    totals = [sum(points.values()) for points in marked]
    links = book_links([e.see for e in units.exercises(slug)], folder, book)
    made = []
    for exercise in units.exercises(slug):
        mine = [c for c in checks if c.exercise == exercise.name]
        names = [c.check for c in mine]
        points = [sum(m.get(name, 0.0) for name in names) for m in marked]
        made.append(
            {
                "exercise": exercise.name,
                "title": exercise.title,
                **_place(exercise.see, links),
                **_item(points, sum(c.worth for c in mine), totals),
                "properties": [
                    {"check": c.check, "sentence": c.sentence}
                    | _item([m.get(c.check, 0.0) for m in marked], c.worth, totals)
                    for c in mine
                ],
            }
        )
    return made


def _item(points: list[float], worth: float, totals: list[float]) -> dict[str, Any]:
    shares = [p / worth if worth else 0.0 for p in points]
    return {
        "worth": worth,
        "n": len(points),
        "mean": sum(shares) / len(shares) if shares else None,
        "full": sum(s >= 1 - 1e-9 for s in shares),
        "none": sum(s == 0 for s in shares),
        "discrimination": discrimination(points, totals),
    }


# ---------------------------------------------------------------- what to teach again


def _misconceptions(
    slug: str, met: dict[tuple[str, str], list[str]], marked: int, folder: Path, book: str
) -> list[dict[str, Any]]:
    says = {(m.exercise, m.name): m for m in units.misconceptions(slug)}
    made = []
    for (exercise, name), students in sorted(met.items(), key=lambda x: (-len(x[1]), x[0])):
        item = says.get((exercise, name))
        see = (item.see if item is not None else "") or units.exercise(slug, exercise).see
        made.append(
            {
                "exercise": exercise,
                "name": name,
                "says": item.says if item is not None else "",
                **_place(see, book_links([see], folder, book)),
                "count": len(students),
                "share": len(students) / marked,
                "students": students,
            }
        )
    return made


def _place(see: str, links: dict[str, str]) -> dict[str, str]:
    return {"see": see, "place": place_in_words(see), "link": links.get(see, "")}


# ---------------------------------------------------------------- who is alike


def _similar(found: Similar) -> dict[str, Any]:
    return {
        "compared": found.compared,
        "common_from": found.common_from,
        "alike_from": ALIKE,
        "closest_tenths": tenths(list(found.closest.values())),
        "pairs": [asdict(pair) for pair in found.pairs],
        "same_text": found.same_text,
    }
