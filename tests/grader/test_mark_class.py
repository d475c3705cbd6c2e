"""A class with every kind of hand-in: each gets its honest score, and no classmate pays for it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import nbformat
import pytest
from nbgrader.api import Gradebook

from grader import record, units
from grader.classroom import Classroom
from grader.markclass import mark_class
from grader.worker.launch import Limits
from tests.grader import classes as c

pytestmark = pytest.mark.slow


def hand_ins() -> dict:
    """Name -> hand-in, what it earns, and the status of its record."""
    full, none = c.worth(), c.nothing()
    broken = "unreadable"
    last = c.all_but(c.last_exercise())
    return {
        "a-full": (c.full().bytes(), full, "marked"),
        "b-blank": (c.Blank(c.SLUG).bytes(), none, "marked"),
        "c-not-json": (c.full().bytes()[:2000], none, broken),
        "d-folder": (lambda path: path.mkdir(), none, broken),
        "e-link": (c.link, none, broken),
        "f-pipe": (c.pipe, none, broken),
        "g-large": (c.large, none, broken),
        "h-missing": (lambda path: None, none, "missing"),
        "i-full": (c.full().bytes(), full, "marked"),
        "j-forged": (c.forged(), none, "marked"),
        "k-changed-checks": (c.changed_checks(), none, "marked"),
        "l-no-checks": (c.without_checks(), full, "marked"),
        "m-doubled": (c.doubled_checks(), full, "marked"),
        "n-in-check-cell": (
            c.answer_in_check_cell(),
            none | {next(iter(full)): next(iter(full.values()))},
            "marked",
        ),
        "o-no-metadata": (c.without_metadata(), full, "marked"),
        "p-no-setup": (c.without_setup(), full, "marked"),
        "q-old-format": (c.old_format(), full, "marked"),
        "r-utf-16": (c.full().bytes().decode().encode("utf-16"), full, "marked"),
        "s-exits": (c.with_cell("import os; os._exit(0)"), full, "marked"),
        "t-leaves": (c.with_cell("raise SystemExit(3)"), full, "marked"),
        "u-loops": (c.with_cell("while True: pass"), full, "marked"),
        "v-call-loops": (c.last_function("while True: pass"), last, "marked"),
        "w-call-exits": (c.last_function("import os; os._exit(0)"), last, "marked"),
        "x-hog": (c.last_function("return bytearray(2**36)"), last, "marked"),
        "y-noisy": (
            c.with_cell("print('x' * 10**6)\nimport warnings; warnings.warn('w')\nid = 3"),
            full,
            "marked",
        ),
        "z-full": (c.full().bytes(), full, "marked"),
    }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    made = {name: item[0] for name, item in hand_ins().items()}
    room = c.new_class(tmp_path_factory.mktemp("class") / "room", made)
    mark_class(room, jobs=2)
    return room


def stored(room: Classroom) -> dict[str, dict[str, float]]:
    """The scores as nbgrader's own interface reads them."""
    with Gradebook(f"sqlite:///{room.root}/gradebook.db") as book:
        return {
            item.student.id: {g.name: g.score for g in item.notebooks[0].grades}
            for item in book.assignment_submissions(c.SLUG)
        }


def test_every_hand_in_has_its_honest_score_in_the_gradebook(room: Classroom) -> None:
    expected = {name: item[1] for name, item in hand_ins().items()}
    assert stored(room) == expected


def test_records_fulfil_their_schema_and_say_what_happened(room: Classroom) -> None:
    statuses = {}
    for path in room.records.glob("*/*/*.json"):
        made = json.loads(path.read_text())
        jsonschema.validate(made, record.schema())
        statuses[made["student"]] = made["status"]
        assert made["isolation"] == room.factory.isolation
    assert statuses == {name: item[2] for name, item in hand_ins().items()}


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("c-not-json", "its text is not JSON"),
        ("d-folder", "a folder"),
        ("e-link", "a link"),
        ("f-pipe", "a pipe"),
        ("g-large", "50.0 MiB"),
        ("h-missing", "No file rnn.ipynb"),
        ("k-changed-checks", "was changed"),
        ("l-no-checks", "Missing cells"),
        ("m-doubled", "more than once"),
        ("s-exits", "ended the process"),
        ("u-loops", "ran longer than 5 s"),
        ("v-call-loops", "ran longer than 3 s"),
    ],
)
def test_what_a_person_should_see_is_flagged(room: Classroom, student: str, words: str) -> None:
    found = room.record_of(next(h for h in room.hand_ins() if h.student == student))
    assert found is not None
    assert words in " ".join(found["flags"])


def test_unreadable_hand_ins_wait_for_a_person(room: Classroom) -> None:
    with Gradebook(f"sqlite:///{room.root}/gradebook.db") as book:
        for name, (_, _, status) in hand_ins().items():
            notebook = book.find_submission_notebook(c.SLUG, c.SLUG, name)
            assert bool(notebook.needs_manual_grade) == (status != "marked"), name
            if name == "b-blank":
                assert {x.auto_comment for x in notebook.comments} == {"No response."}


def test_a_second_run_marks_nothing_and_changes_nothing(room: Classroom) -> None:
    before = {p: p.stat().st_mtime_ns for p in room.root.rglob("*") if p.suffix != ".db"}
    again = mark_class(room, jobs=1)
    assert (again.marked, again.entered) == (0, 0)
    assert again.kept == len(hand_ins())
    assert {p: p.stat().st_mtime_ns for p in room.root.rglob("*") if p.suffix != ".db"} == before


def test_the_marked_notebook_carries_the_report_and_no_foreign_html(room: Classroom) -> None:
    text = (room.autograded / "a-full" / c.SLUG / f"{c.SLUG}.ipynb").read_text()
    for cell in json.loads(text)["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("grade"):
            (output,) = cell["outputs"]
            assert float("".join(output["data"]["text/plain"])) == marks["points"]
            assert "gatedrnn-report" in "".join(output["data"]["text/html"])


def test_every_marked_notebook_is_a_notebook(room: Classroom) -> None:
    """nbformat's schema, whatever was handed in."""
    for name in hand_ins():
        text = (room.autograded / name / c.SLUG / f"{c.SLUG}.ipynb").read_text()
        nbformat.validate(json.loads(text))


# ---------------------------------------------------------------- again, by hand, late


def test_a_resubmission_replaces_the_mark_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {"ada": c.full().bytes()})
    mark_class(room, jobs=1)
    assert stored(room) == {"ada": c.worth()}
    c.hand_in(room, "ada", b"not json")
    assert mark_class(room, jobs=1).marked == 1
    assert stored(room) == {"ada": c.nothing()}
    c.hand_in(room, "ada", c.full().bytes())
    again = mark_class(room, jobs=1)  # the first record still stands
    assert (again.marked, again.entered) == (0, 1)
    assert stored(room) == {"ada": c.worth()}


def test_what_a_person_gave_survives_a_second_marking(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {"ada": c.Blank(c.SLUG).bytes()})
    mark_class(room, jobs=1)
    first, *_ = c.worth()
    with room.gradebook() as book:
        grade = book.find_grade(first, c.SLUG, c.SLUG, "ada")
        grade.manual_score, grade.extra_credit = 1.5, 0.5
        book.find_comment(f"{first}-answer", c.SLUG, c.SLUG, "ada").manual_comment = "See me."
        book.db.commit()
    c.hand_in(room, "ada", c.full().bytes())
    mark_class(room, jobs=1)
    with room.gradebook() as book:
        grade = book.find_grade(first, c.SLUG, c.SLUG, "ada")
        assert grade.auto_score == c.worth()[first]
        assert (grade.manual_score, grade.extra_credit, grade.score) == (1.5, 0.5, 2.0)
        assert grade.needs_manual_grade
        comment = book.find_comment(f"{first}-answer", c.SLUG, c.SLUG, "ada")
        assert comment.comment == "See me."


def test_a_late_hand_in_pays_what_the_class_says(tmp_path: Path) -> None:
    import datetime

    room = c.new_class(tmp_path / "room", {"ada": c.full().bytes(), "bo": c.full().bytes()})
    config = room.root / "nbgrader_config.py"
    config.write_text(config.read_text() + 'c.LateSubmissionPlugin.penalty_method = "zero"\n')
    c.hand_in(room, "bo", c.full().bytes(), when="2026-03-05 12:00:00 UTC")
    with room.gradebook() as book:
        due = datetime.datetime(2026, 3, 2, 12)
        book.update_or_create_assignment(c.SLUG, duedate=due)
    mark_class(room, jobs=1)
    with room.gradebook() as book:
        penalties = {
            name: book.find_submission(c.SLUG, name).late_submission_penalty
            for name in ("ada", "bo")
        }
    assert penalties == {"ada": 0.0, "bo": sum(c.worth().values())}


def test_the_seed_is_secret_fresh_and_repeatable(tmp_path: Path) -> None:
    room = c.new_class(tmp_path / "room", {"ada": c.full().bytes(), "bo": c.full().bytes()})
    outcome = mark_class(room, jobs=1)
    seeds = {made["seed"] for made in outcome.records.values()}
    assert len(seeds) == 2
    for path in [*room.autograded.rglob("*.ipynb")]:
        assert not any(str(seed) in path.read_text() for seed in seeds)
    hand_in = room.hand_ins()[0]
    again = room.judge(hand_in, seed=outcome.records["ada", c.SLUG]["seed"])
    assert again["checks"] == outcome.records["ada", c.SLUG]["checks"]


def test_misconceptions_are_named_in_the_record(tmp_path: Path) -> None:
    from grader.demo import source_of

    chosen = {}
    for item in units.misconceptions(c.SLUG):
        chosen.setdefault(item.exercise, item)
    made = {
        exercise.replace("_", "-"): c.full().write(exercise, source_of(item)).bytes()
        for exercise, item in chosen.items()
    }
    outcome = mark_class(c.new_class(tmp_path / "room", made), jobs=2)
    for exercise, item in chosen.items():
        found = outcome.records[exercise.replace("_", "-"), c.SLUG]
        assert {"exercise": exercise, "name": item.name} in found["misconceptions"]
        assert record.scores(found)[exercise] < c.worth()[exercise]


def test_a_record_made_without_a_seal_is_not_found_by_a_class_that_wants_one() -> None:
    names = {record.key("digest", "course", Limits(), unsealed) for unsealed in (False, True)}
    assert len(names) == 2
