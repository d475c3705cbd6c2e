"""The gallery, marked whole: honest scores, no classmate pays, nothing is left behind.

Where sealed marking does not work, the entries that a plain process can bear are marked so.
`pytest -s` shows the table; `python -m tests.grader.gallery` makes it by itself.
"""

from __future__ import annotations

import json

import jsonschema
import pytest

from grader import record
from grader.worker import seal
from tests.grader.gallery import KINDS, Entry, entries
from tests.grader.gallery.run import DISK, LIMITS, Result, make_class, mark_gallery, seats

pytestmark = pytest.mark.slow
SEALED = not seal.trial()
ENTRIES: list[Entry] = [entry for entry in entries() if SEALED or entry.plain]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    room = make_class(tmp_path_factory.mktemp("gallery") / "class", ENTRIES)
    found = mark_gallery(room, ENTRIES)
    print("\n" + found.table())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_entry_has_its_score_its_status_and_its_flags(result: Result, kind: str) -> None:
    own = [s for s in seats(ENTRIES) if s.entry is not None and s.entry.kind == kind]
    assert own
    assert {s.student: words for s in own if (words := result.wrong(s))} == {}


def test_honest_classmates_before_and_after_keep_full_marks(result: Result) -> None:
    mates = [s for s in seats(ENTRIES) if s.entry is None]
    assert len(mates) == len(ENTRIES) + 1
    assert {s.student: words for s in mates if (words := result.wrong(s))} == {}


def test_each_record_is_whole_and_says_how_it_was_made(result: Result) -> None:
    for made in result.records.values():
        jsonschema.validate(made, record.schema())
        assert made["isolation"] == result.room.factory.isolation
    on_disk = [json.loads(p.read_text("utf-8")) for p in result.room.records.rglob("*.json")]
    assert {r["student"] for r in on_disk} == set(result.records)


def test_nothing_is_left_behind(result: Result) -> None:
    assert result.left_behind == []


def test_memory_stays_under_the_limit(result: Result) -> None:
    assert 0 < result.peak < LIMITS.memory


def test_no_hand_in_fills_the_disk(result: Result) -> None:
    assert max(result.bytes_of(seat.student) for seat in seats(ENTRIES)) < DISK


def test_what_is_wrong_would_be_seen(result: Result) -> None:
    """The comparison itself: another score, status or flag, or no record, is found."""
    seat = seats(ENTRIES)[0]
    assert result.wrong(seat) == ""
    kept = result.records[seat.student], result.scores[seat.student]
    try:
        for change in ({"status": "unreadable"}, {"flags": ["x"]}, {"seconds": 1e9}):
            result.records[seat.student] = kept[0] | change
            assert result.wrong(seat)
        result.records[seat.student] = kept[0]
        result.scores[seat.student] = kept[1] | {"rnn_step": 0.0}
        assert "expected" in result.wrong(seat)
        del result.records[seat.student]
        assert result.wrong(seat) == "there is no record"
    finally:
        result.records[seat.student], result.scores[seat.student] = kept
