"""The grades as files that other programs read: nbgrader's CSV, and what Canvas and Moodle import.

All scores are final, as in nbgrader's own export: manual scores and extra credit are in, late
penalties are off. Sources for the columns: nbgrader 0.9.6, `plugins/export.py`; Canvas,
`lib/gradebook_importer.rb` and the guide "How do I import grades in the Gradebook?"; Moodle,
`grade/import/csv` and the page "Grade import".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from grader import sheet
from grader.classroom import CONFIG, ClassFault, Classroom
from grader.files import sweep
from grader.grades import Grade, grades
from grader.sheet import Raw, Value

Table = tuple[list[str], list[list[Value]]]


def export(
    room: Classroom, to: Path | None = None, form: str = "csv", slugs: list[str] | None = None
) -> tuple[Path, list[str]]:
    """Write the grades of these units, or of all; the file, and what a person should know of it.

    Raises ClassFault when there is nothing to write.
    """
    chosen = room.released() if slugs is None else slugs
    with room.gradebook() as gradebook:
        found = {slug: list(grades(gradebook, slug)) for slug in chosen}
    if not any(grade.there for mine in found.values() for grade in mine):
        raise ClassFault(f"The gradebook holds no marks yet: `grader mark {room.root}`.")
    head, rows = _FORMS[form](found, _titles(room))
    name = "grades.csv" if form == "csv" else f"grades-{form}.csv"
    target = (to or room.root / name).absolute()
    sweep(target.parent)
    sheet.write(target, head, rows, encoding="utf-8")
    return target, list(_warnings(form, found))


def _titles(room: Classroom) -> dict[str, str]:
    """Unit -> the name of its column in the learning platform, where the class sets one."""
    config = room.config()
    titles = config.get("Grader", {}).get("lms_names", {})
    if not isinstance(titles, dict):
        raise ClassFault(f"{CONFIG} sets c.Grader.lms_names to {titles!r}; expected a dictionary.")
    if unknown := sorted(set(titles) - set(room.released())):
        raise ClassFault(
            f"{CONFIG} sets a name for {unknown[0]!r}, which is no unit released in this class."
        )
    return {slug: str(titles.get(slug, slug)) for slug in room.released()}


def _warnings(form: str, found: dict[str, list[Grade]]) -> Iterable[str]:
    everyone = {grade.student: grade for mine in found.values() for grade in mine}.values()
    if form == "csv":
        return
    waiting = sum(grade.waits for mine in found.values() for grade in mine)
    if waiting:
        yield f"Hand-ins that still wait for a person's look in the gradebook: {waiting}."
    if form == "canvas" and (nameless := sum(not g.lms_user_id for g in everyone)):
        yield (
            f"Students without an lms_user_id in the gradebook: {nameless}; Canvas looks for them "
            "by their login, then by their name."
        )
    quoted = [g.student for g in everyone if sheet.safe(g.student) != g.student]
    if quoted:
        yield (
            f"The ids of {', '.join(quoted)} begin as a formula does; an apostrophe stands before "
            "them, and the platform will not know them by it."
        )


# ---------------------------------------------------------------- the three forms

_KEYS = ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
         "raw_score", "late_submission_penalty", "score", "max_score"]  # fmt: skip


def _csv(found: dict[str, list[Grade]], titles: dict[str, str]) -> Table:
    """nbgrader's own columns, with cells quoted where nbgrader's exporter leaves them bare."""
    rows: list[list[Value]] = [
        [
            slug, str(g.due or ""), str(g.handed_in or ""), g.student, g.last_name, g.first_name,
            g.email, g.raw, g.penalty, g.score, g.worth,
        ]
        for slug, mine in found.items()
        for g in mine
    ]  # fmt: skip
    return _KEYS, rows


def _canvas(found: dict[str, list[Grade]], titles: dict[str, str]) -> Table:
    """Canvas' gradebook: a row of points possible, then a row a student; no mark is an empty cell.

    `lms_user_id` is Canvas' own ID when it is a number, and the SIS user ID otherwise.
    """
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    worth = [next((g.worth for g in mine), 0.0) for mine in found.values()]
    rows: list[list[Value]] = [[Raw("    Points Possible"), "", "", "", "", *worth]]
    for mine in _by_student(found):
        one = mine[0]
        number = one.lms_user_id.isascii() and one.lms_user_id.isdigit()
        name = ", ".join(part for part in (one.last_name, one.first_name) if part) or one.student
        ids = [one.lms_user_id, ""] if number else ["", one.lms_user_id]
        marks = [round(g.score, 2) if g.there else "" for g in mine]
        rows.append([name, *ids, one.student, "", *marks])
    return [*head, *(titles[slug] for slug in found)], rows


def _moodle(found: dict[str, list[Grade]], titles: dict[str, str]) -> Table:
    """Moodle's grade import: a person by username, ID number or e-mail; no mark is a dash."""
    head = ["Username", "ID number", "First name", "Last name", "Email address"]
    rows: list[list[Value]] = []
    for mine in _by_student(found):
        one = mine[0]
        marks = [round(g.score, 2) if g.there else Raw("-") for g in mine]
        rows.append(
            [one.student, one.lms_user_id, one.first_name, one.last_name, one.email, *marks]
        )
    return [*head, *(titles[slug] for slug in found)], rows


def _by_student(found: dict[str, list[Grade]]) -> Iterable[list[Grade]]:
    """Each student's grades, in the order of the units; nobody who has handed in nothing."""
    everyone = dict.fromkeys(g.student for mine in found.values() for g in mine)
    known = {slug: {g.student: g for g in mine} for slug, mine in found.items()}
    for student in everyone:
        mine = [known[slug][student] for slug in found if student in known[slug]]
        if any(grade.there for grade in mine):
            yield mine


_FORMS: dict[str, Callable[[dict[str, list[Grade]], dict[str, str]], Table]] = {
    "csv": _csv,
    "canvas": _canvas,
    "moodle": _moodle,
}
FORMATS = tuple(_FORMS)
