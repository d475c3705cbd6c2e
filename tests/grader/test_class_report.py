"""The report on a class: its numbers by others' formulas, its page by a reader's needs."""

from __future__ import annotations

import csv
import json
import math
import re
import statistics
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from bs4 import BeautifulSoup

from grader.classreport import attention, write_report
from grader.classreport import statistics as items
from grader.classroom import Classroom
from grader.demo import source_of
from grader.grades import Grade, grades
from grader.markclass import mark_class
from grader.units import misconceptions
from tests.grader import classes as c

# ---------------------------------------------------------------- statistics


def test_discrimination_is_the_textbooks_correlation() -> None:
    """Against the standard library's correlation, and the point-biserial formula by hand."""
    rng = np.random.default_rng(3)
    item = rng.integers(0, 2, 40).astype(float)
    total = item + rng.normal(size=40) + 0.5 * item
    found = items.discrimination(item, total)
    assert found is not None
    rest = total - item
    assert found["value"] == pytest.approx(statistics.correlation(item, rest), abs=1e-12)
    p = item.mean()
    by_hand = (
        (rest[item == 1].mean() - rest[item == 0].mean()) / rest.std() * math.sqrt(p * (1 - p))
    )
    assert found["value"] == pytest.approx(by_hand, abs=1e-12)
    # Not the correlation with the whole, which holds the item itself.
    assert found["value"] < statistics.correlation(item, total) - 0.05


def test_the_interval_is_fishers() -> None:
    """r = 0.5, n = 28: the published worked value is z = 0.549 +- 1.96 / 5."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=28)
    noise = rng.normal(size=28)
    noise -= noise.mean() + x * np.cov(x, noise)[0, 1] / x.var(ddof=1)  # uncorrelated with x
    rest = x / x.std() * 0.5 + noise / noise.std() * math.sqrt(0.75)
    found = items.discrimination(x, rest + x)
    assert found is not None and found["value"] == pytest.approx(0.5, abs=1e-9)
    assert found["low"] == pytest.approx(math.tanh(0.5493 - 0.392), abs=1e-4)
    assert found["high"] == pytest.approx(math.tanh(0.5493 + 0.392), abs=1e-4)


def test_no_discrimination_where_there_is_nothing_to_tell() -> None:
    few = list(range(items.FEWEST - 1))
    assert items.discrimination(few, [2 * x for x in few]) is None
    many = list(range(20))
    assert items.discrimination([3] * 20, many) is None
    assert items.discrimination(many, many) is None  # the item is all there is


def test_tenths_put_the_edges_where_people_do() -> None:
    assert items.tenths([0, 0.1, 0.3, 0.7, 0.999, 1.0]) == [1, 1, 0, 1, 0, 0, 0, 1, 0, 2]
    assert items.tenths([]) == [0] * 10


def test_summary_of_none_and_of_some() -> None:
    assert items.summary([]) == {
        "n": 0, "mean": None, "sd": None, "low": None, "quarter": None, "median": None,
        "three_quarters": None, "high": None,
    }  # fmt: skip
    values = [0.1, 0.4, 0.4, 0.9]
    found = items.summary(values)
    assert found["sd"] == pytest.approx(statistics.stdev(values))
    assert found["median"] == statistics.median(values)


# ---------------------------------------------------------------- reasons to look


def _record(**changes: object) -> dict:
    return {
        "status": "marked", "reason": "", "flags": [], "limits_hit": [],
        "isolation": "sealed: bubblewrap + seccomp",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (_record(status="unreadable", reason="no JSON.", flags=["no JSON."]), "unreadable"),
        (_record(status="missing", reason="gone.", flags=["gone."]), "no notebook"),
        (_record(status="grader fault", reason="ours.", flags=["ours."]), "marking failed"),
        (_record(flags=["Cell 3 ran long."], limits_hit=["cell 3 ran long"]), "stopped"),
        (
            _record(flags=["The notebook tried to import gatedrnn, which is not open to it."]),
            "tried to import",
        ),
        (_record(flags=["The text of the locked cell 'x' was changed."]), "altered"),
        (_record(flags=["Missing cells: x."]), "altered"),
        (_record(flags=["Something new."]), "remark"),
        (_record(isolation="plain subprocess"), "not sealed"),
        (None, "not marked"),
    ],
)
def test_each_trouble_is_one_reason(record: dict | None, kind: str) -> None:
    assert [k for k, _ in attention.reasons(record, None, 10)] == [kind]


def test_size_lateness_and_what_waits_are_reasons() -> None:
    from datetime import datetime, timedelta

    due = datetime(2026, 3, 1)
    late = Grade("a", "", "", "", "", "rnn", 10, 5, 2, due + timedelta(hours=30), due, True, True)
    found = dict(attention.reasons(_record(), late, 6 * 2**20))
    assert found["late"] == "1 day late, 2 points taken off."
    assert found["large"] == "6.0 MiB."
    assert "waits for a person" in found
    assert not list(attention.reasons(_record(), None, 10))


# ---------------------------------------------------------------- a class


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    first, *_ = misconceptions(c.SLUG)
    wrong = c.full().write(first.exercise, source_of(first)).bytes()
    made = {
        "ada": c.full().bytes(),
        "bo": wrong,
        "carmen": wrong,
        "dora": c.Blank(c.SLUG).bytes(),
        "=cmd()": c.full().bytes(),
        "lena": b"not json",
    }
    room = c.new_class(tmp_path_factory.mktemp("report") / "autumn & co", made)
    mark_class(room, jobs=2)
    with room.gradebook() as book:
        book.update_or_create_student("noor", first_name="Noor", last_name="<b>Late</b>")
        grade = book.find_grade(c.last_exercise(), c.SLUG, c.SLUG, "dora")
        grade.manual_score, grade.extra_credit = 2.0, 0.5
        book.db.commit()
    return room


@pytest.fixture(scope="module")
def report(room: Classroom) -> dict:
    return write_report(room, [c.SLUG], room.root / "report")


def test_the_grades_are_nbgraders(room: Classroom) -> None:
    """The few queries against nbgrader's own properties of each submission."""
    with room.gradebook() as book:
        mine = {g.student: g for g in grades(book, c.SLUG)}
        theirs = {s.student.id: s for s in book.assignment_submissions(c.SLUG)}
        assert set(mine) == {*theirs, "noor"}
        for student, item in theirs.items():
            assert mine[student].raw == item.score
            assert mine[student].penalty == item.late_submission_penalty
            assert mine[student].worth == item.max_score
            assert mine[student].waits == item.needs_manual_grade
    assert mine["dora"].score == 2.5
    assert not mine["noor"].there and mine["noor"].score == 0


def test_what_it_says(report: dict) -> None:
    (unit,) = report["units"]
    assert (unit["handed_in"], unit["marked"], unit["nothing_handed_in"]) == (6, 5, ["noor"])
    first, *_ = misconceptions(c.SLUG)
    (met,) = [m for m in unit["misconceptions"] if m["name"] == first.name]
    assert met["count"] == 2 and met["students"] == ["bo", "carmen"] and met["says"] == first.says
    assert met["place"].startswith("chapter rnn")
    exercise = next(e for e in unit["exercises"] if e["exercise"] == c.last_exercise())
    assert exercise["n"] == 5 and exercise["mean"] == 0.8  # dora's manual points are not the item's
    assert exercise["discrimination"] is None  # five are too few
    dora = next(s for s in unit["students"] if s["student"] == "dora")
    assert dora["score"] == 2.5
    assert {i["student"] for i in unit["look"] if i["kind"] == "unreadable"} == {"lena"}


def test_the_page_stands_alone_and_can_be_read(room: Classroom, report: dict) -> None:
    text = (room.root / "report" / "report.html").read_text("utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert not page.find_all(["script", "link", "img", "iframe", "object"])
    for node in page.find_all(True):
        for key in ("src", "href", "xlink:href"):
            assert not str(node.get(key, "")).startswith(("http", "//")), node
    assert not re.search(r"url\((?!#)|@import", text)
    assert page.html["lang"] == "en" and "autumn & co" in page.title.text
    levels = [int(h.name[1]) for h in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    for table in page.find_all("table"):
        assert table.caption is not None
        assert all(th.get("scope") in ("col", "row") for th in table.find_all("th"))
    drawings = page.find_all("svg")
    assert len(drawings) >= 3
    for drawing in drawings:
        assert drawing["role"] == "img" and len(drawing["aria-label"]) > 40
        ElementTree.fromstring(str(drawing).replace("xlink:href", "href"))
    ids = [node["id"] for node in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for node in page.find_all(href=re.compile("^#")):
        assert node["href"][1:] in ids
    for term in re.findall(r"url\(#([^)]+)\)", text):
        assert term in ids
    assert "<b>Late" not in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_csv_and_json_say_the_same(room: Classroom, report: dict) -> None:
    folder = room.root / "report"
    assert json.loads((folder / "report.json").read_text("utf-8")) == report
    (unit,) = report["units"]

    def rows(name: str) -> list[dict[str, str]]:
        with (folder / name).open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    students = {row["student"]: row for row in rows("students.csv")}
    assert set(students) == {"ada", "bo", "carmen", "dora", "'=cmd()", "lena"}
    assert float(students["dora"]["score"]) == 2.5
    assert [float(r["mean"]) for r in rows("exercises.csv")] == pytest.approx(
        [e["mean"] for e in unit["exercises"]], abs=1e-6
    )
    assert len(rows("properties.csv")) == sum(len(e["properties"]) for e in unit["exercises"])
    assert rows("misconceptions.csv")[0]["students"] == "bo carmen"
    assert len(rows("look.csv")) == len(unit["look"])


def test_a_hand_in_that_changed_since_is_not_counted(room: Classroom, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(room.root, tmp_path / "copy")
    copy = Classroom.open(tmp_path / "copy")
    c.hand_in(copy, "ada", c.Blank(c.SLUG).bytes())
    (unit,) = write_report(copy, [c.SLUG], tmp_path / "out")["units"]
    assert unit["marked"] == 4
    assert {i["student"] for i in unit["look"] if i["kind"] == "not marked"} == {"ada"}


def test_what_was_marked_with_unsealed_is_reported_too(room: Classroom, tmp_path: Path) -> None:
    """`grader mark --unsealed` says so on the command line; the class's own setting refuses."""
    import shutil

    shutil.copytree(room.root, tmp_path / "copy")
    config = tmp_path / "copy" / "nbgrader_config.py"
    text = config.read_text()
    assert "c.Grader.unsealed = True\n" in text.replace("# c.", "# ")
    config.write_text(text.replace("\nc.Grader.unsealed = True\n", "\n"))
    copy = Classroom.open(tmp_path / "copy")
    assert not copy.unsealed
    (unit,) = write_report(copy, [c.SLUG], tmp_path / "out")["units"]
    assert unit["marked"] == 5 and not copy.unsealed
