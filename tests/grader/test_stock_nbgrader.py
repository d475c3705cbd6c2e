"""Stock nbgrader as the authority: honest work of every unit gets the same score from it.

It runs each notebook with a real kernel, its checks among its cells, and reads the points from what
a check cell returns. Of our engine it has only what a student has: the package, and `check`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from grader import units
from grader.classroom import Classroom
from grader.demo import Blank, source_of
from grader.markclass import mark_class
from tests.grader.test_nbgrader import nbgrader

pytestmark = pytest.mark.slow
UNITS = units.slugs()


def _honest(slug: str) -> dict[str, bytes]:
    """All solved; and a notebook with a mistake in each second exercise and the third one blank."""
    mixed = Blank(slug)
    for number, name in enumerate(mixed.exercises):
        own = [m for m in units.misconceptions(slug) if m.exercise == name]
        if number % 4 in (1, 3):
            mixed.write(name, source_of(own[number % len(own)]))
        elif number % 4 == 0:
            mixed.solve(name)
    mixed.add("print('x' * 100)\nimport warnings; warnings.warn('old')\n1 / 0", 2)
    return {"ada": Blank(slug).solve().bytes(), "bo": mixed.bytes()}


def _scores(folder: Path, slug: str) -> dict[str, dict[str, float]]:
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        return {
            item.student.id: {g.name: g.auto_score for g in item.notebooks[0].grades}
            for item in book.assignment_submissions(slug)
        }


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    root = tmp_path_factory.mktemp("stock") / "ours"
    Classroom.create(root)
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.Grader.unsealed = True\n")
    made = Classroom.open(root)
    for slug in UNITS:
        made.release(slug)
        for student, data in _honest(slug).items():
            path = made.hand_in_path(slug, student)
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
    mark_class(made, jobs=2)
    return made


@pytest.fixture(scope="module")
def stock(room: Classroom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stock") / "theirs"
    folder.mkdir()
    for name in ("source", "submitted"):
        shutil.copytree(room.root / name, folder / name)
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.ExecutePreprocessor.timeout = 300\n"
    )
    return folder


@pytest.mark.parametrize("slug", UNITS)
def test_honest_work_gets_the_same_score(room: Classroom, stock: Path, slug: str) -> None:
    nbgrader(stock, "generate_assignment", slug)
    nbgrader(stock, "autograde", slug)
    ours = _scores(room.root, slug)
    assert _scores(stock, slug) == ours
    full, mixed = (sum(ours[name].values()) for name in ("ada", "bo"))
    assert 0 < mixed < full
