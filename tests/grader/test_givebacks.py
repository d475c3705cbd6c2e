"""Pages to give back: a name may hold anything, and one page that cannot be made stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.classroom import Classroom
from grader.givebacks import give_back

pytestmark = pytest.mark.slow


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    from grader.markclass import mark_class
    from tests.grader import classes as c

    names = ("Ada [she] *?", "a {b}", "line\nbreak", "zoe")
    made = c.new_class(tmp_path / "class", {name: c.Blank(c.SLUG).bytes() for name in names})
    mark_class(made, jobs=1)
    return made


def test_each_name_gets_its_page_or_a_sentence(room: Classroom) -> None:
    pages, faults = give_back(room)
    found = {path.parent.parent.name for path in (room.root / "feedback").rglob("*.html")}
    # A line break in a name is more than nbgrader's own patterns bear.
    assert found == {"Ada [she] *?", "a {b}", "zoe"} and pages == 3
    assert len(faults) == 1 and "a line break" in faults[0]
