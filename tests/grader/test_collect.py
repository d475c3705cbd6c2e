"""Collecting: every spelling of learning platforms, nothing lost, nothing taken for another's."""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
import struct
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader import names, unpack
from grader.classroom import ClassFault, Classroom
from grader.collect import collect
from grader.names import Known, Roster, Unclear
from tests.grader import classes as c

RNN = c.Blank("rnn").bytes()
GRU = c.Blank("gru").bytes()
SLUGS = ["rnn", "gru", "gru_backward"]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    room = c.new_class(tmp_path_factory.mktemp("collect") / "room", {})
    room.release("gru")
    with room.gradebook() as book:
        book.update_or_create_student("jdoe", first_name="Jane", last_name="Doe", lms_user_id="712")
        book.update_or_create_student("mue", first_name="Jörg", last_name="Müller")
    return room.root


@pytest.fixture
def room(empty: Path, tmp_path: Path) -> Classroom:
    shutil.copytree(empty, tmp_path / "room")
    return Classroom.open(tmp_path / "room")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def inner(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def there(room: Classroom) -> dict[tuple[str, str], bytes]:
    return {(p.parts[-3], p.parts[-2]): p.read_bytes() for p in room.submitted.glob("*/*/*.ipynb")}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("place", "student", "unit"),
    [
        ("ada/rnn.ipynb", "ada", "rnn"),
        ("ada/rnn/rnn.ipynb", "ada", "rnn"),
        ("ada_rnn.ipynb", "ada", "rnn"),
        ("ada-gru_backward.ipynb", "ada", "gru_backward"),
        ("ada/gru-backward (2).ipynb", "ada", "gru_backward"),
        ("ada/GRU Backward.IPYNB", "ada", "gru_backward"),
        ("ada/gru.ipynb.txt", "ada", "gru"),
        ("ada/gru - Copy (3).ipynb", "ada", "gru"),
        ("ada/Copy of gru.ipynb", "ada", "gru"),
        ("ada/gru - Kopie.ipynb", "ada", "gru"),
        ("ada/my gru.ipynb", None, None),
        ("gru/ada.ipynb", None, None),
        ("Ada Lovelace_123_assignsubmission_file_/rnn.ipynb", "Ada Lovelace", "rnn"),
        ("Ada Lovelace_123_assignsubmission_file_/bob_rnn.ipynb", "Ada Lovelace", "rnn"),
        ("Ada_Lovelace_123_assignsubmission_file_rnn.ipynb", "Ada_Lovelace", "rnn"),
        ("Ada_9_assignsubmission_file_bob_1_2_rnn.ipynb", "Ada", "rnn"),
        ("lovelaceada_12_345_rnn.ipynb", "lovelaceada", "rnn"),
        ("lovelaceada_LATE_12_345_rnn-2.ipynb", "lovelaceada", "rnn"),
        ("lovelaceada_12_345_bob_6_7_rnn.ipynb", "lovelaceada", "rnn"),
        ("ada_1_2_bob_3_assignsubmission_file_rnn.ipynb", "ada", "rnn"),
        ("Doe, Jane_55_assignsubmission_file_/rnn.ipynb", "jdoe", "rnn"),
        ("doejane_712_9_rnn.ipynb", "jdoe", "rnn"),
        ("whoever_712_9_rnn.ipynb", "jdoe", "rnn"),
        ("JDOE/rnn.ipynb", "jdoe", "rnn"),
        ("Jörg Müller/rnn.ipynb", "mue", "rnn"),
        (unicodedata.normalize("NFD", "Müller Jörg") + "/rnn.ipynb", "mue", "rnn"),
        ("李小龙/rnn.ipynb", "李小龙", "rnn"),
        ("a\u202eb\u200b/rnn.ipynb", "ab", "rnn"),
        ("x:y[1]/rnn.ipynb", "x_y_1_", "rnn"),
        ("con/rnn.ipynb", "con_", "rnn"),
        ("term/jdoe/rnn.ipynb", "jdoe", "rnn"),
        ("jdoe.zip/deep/er/rnn.ipynb", "jdoe", "rnn"),
        ("ada.zip/bob/rnn.ipynb", "ada", "rnn"),
        ("ada/work.zip/bob_rnn.ipynb", "ada", "rnn"),
        ("ada_1_2_work.zip/bob_rnn.ipynb", "ada", "rnn"),
        ("ada_rnn.zip/homework.ipynb", "ada", "rnn"),
        ("ada/bob_rnn.ipynb", None, "rnn"),
        ("mue/jdoe/rnn.ipynb", None, "rnn"),
        ("one/two/rnn.ipynb", None, "rnn"),
        ("rnn.ipynb", None, "rnn"),
        ("rnn/rnn.ipynb", None, "rnn"),
        ("-rf/rnn.ipynb", None, "rnn"),
        ("a" * 120 + "/rnn.ipynb", None, "rnn"),
    ],
)
def test_whose_it_is_and_of_which_unit(place: str, student: str | None, unit: str | None) -> None:
    roster = Roster([Known("jdoe", "Jane", "Doe", "712"), Known("mue", "Jörg", "Müller")])
    whole = PurePosixPath(place)
    zips = [i for i, part in enumerate(whole.parts) if part.endswith(".zip")]
    outer = PurePosixPath(*whole.parts[: zips[0] + 1]) if zips else whole
    if unit is not None:
        assert names.unit(whole, SLUGS) == unit
    try:
        found = roster.find(names.person(outer, SLUGS, roster))[0]
    except Unclear:
        found = None
    if unit is None and student is None:
        return  # the name alone does not say it; what it holds does, or a person
    assert found == student


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_breaks_or_leaves_the_class(folder: str, leaf: str) -> None:
    roster = Roster([])
    place = unpack._relative(PurePosixPath(f"{folder}/{leaf}.ipynb"))
    names.unit(place, SLUGS)
    names.copy_number(place)
    try:
        student, _ = roster.find(names.person(place, SLUGS, roster))
    except Unclear:
        return
    assert student not in ("", ".", "..") and not set('/\\:*?"<>|[]\0') & set(student)
    assert len(PurePosixPath(student).parts) == 1


# ---------------------------------------------------------------- placing


def test_a_folder_and_a_zip_give_the_same_class(room: Classroom, tmp_path: Path) -> None:
    members = {
        "Jane Doe_55_assignsubmission_file_/My Work.ipynb": GRU,  # known by its cells
        "Jörg Müller_56_assignsubmission_file_/work.zip": inner({"a/b/rnn.ipynb": RNN}),
        "New One_57_assignsubmission_file_/rnn (1).ipynb": RNN,
        "New One_57_assignsubmission_file_/notes.pdf": b"%PDF",
        "__MACOSX/New One_57_assignsubmission_file_/._rnn.ipynb": b"x",
        "Odd_58_assignsubmission_file_/other.ipynb": b"{}",
    }
    folder = tmp_path / "folder"
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    expected = {("jdoe", "gru"): GRU, ("mue", "rnn"): RNN, ("New One", "rnn"): RNN}
    placed, unplaced = collect(room, zipped(tmp_path / "all.zip", members))
    assert there(room) == expected
    assert len(placed) == 3 and any("not in the gradebook before" in line for line in placed)
    assert len(unplaced) == 2
    assert any("notes.pdf: it is not a notebook." in line for line in unplaced)
    assert any("names no unit and holds none; expected one of rnn, gru" in x for x in unplaced)
    again, _ = collect(room, folder)
    assert there(room) == expected and all("unchanged" in line for line in again)


def test_a_notebook_of_another_unit_goes_where_it_belongs(room: Classroom, tmp_path: Path) -> None:
    placed, _ = collect(room, zipped(tmp_path / "a.zip", {"ada/rnn.ipynb": GRU}))
    assert there(room) == {("ada", "gru"): GRU}
    assert "named 'rnn', holds 'gru'" in placed[0]


def test_the_latest_of_several_is_placed_and_all_are_kept(room: Classroom, tmp_path: Path) -> None:
    source = tmp_path / "in" / "ada"
    source.mkdir(parents=True)
    bodies = {"rnn.ipynb": RNN + b" ", "rnn (1).ipynb": RNN, "rnn (2).ipynb": RNN + b"\n"}
    for name, data in bodies.items():
        (source / name).write_bytes(data)
        os.utime(source / name, (1e9, 1e9))
    os.utime(source / "rnn (1).ipynb", (2e9, 2e9))
    _, unplaced = collect(room, tmp_path / "in")
    assert there(room) == {("ada", "rnn"): RNN}
    assert len(unplaced) == 2 and all("ada has a later one" in line for line in unplaced)
    kept = {p.read_bytes() for p in (room.root / "collected").rglob("*.ipynb")}
    assert kept == set(bodies.values())
    when = room.timestamp("rnn", "ada")
    assert when == datetime.datetime.fromtimestamp(2e9, datetime.UTC).replace(tzinfo=None)


def test_the_same_time_is_decided_by_the_copys_number(room: Classroom, tmp_path: Path) -> None:
    members = {f"ada_1_{i}_rnn{tail}.ipynb": RNN + b" " * i for i, tail in
               ((1, ""), (2, "-10"), (3, "-9"))}  # fmt: skip
    collect(room, zipped(tmp_path / "a.zip", members))
    assert there(room) == {("ada", "rnn"): RNN + b"  "}


def test_what_is_older_does_not_replace_unless_it_is_asked_to(
    room: Classroom, tmp_path: Path
) -> None:
    c.hand_in(room, "ada", RNN, "2026-03-01 12:00:00 UTC")
    source = tmp_path / "in" / "ada" / "rnn.ipynb"
    source.parent.mkdir(parents=True)
    source.write_bytes(RNN + b" ")
    os.utime(source, (1e9, 1e9))
    placed, (said,) = collect(room, tmp_path / "in")
    assert not placed and "ada has a later one there, of 2026-03-01 12:00 UTC" in said
    assert there(room)["ada", "rnn"] == RNN
    placed, unplaced = collect(room, tmp_path / "in", replace=True)
    assert "replaces" in placed[0] and not unplaced
    assert there(room)["ada", "rnn"] == RNN + b" "
    # What was put there by hand is kept too.
    assert RNN in {p.read_bytes() for p in (room.root / "collected").rglob("*.ipynb")}


def test_two_people_of_one_name_are_not_mixed_up(room: Classroom, tmp_path: Path) -> None:
    members = {
        "Sam Lee_1_assignsubmission_file_/rnn.ipynb": RNN,
        "Sam Lee_2_assignsubmission_file_/rnn.ipynb": RNN + b" ",
    }
    placed, unplaced = collect(room, zipped(tmp_path / "a.zip", members))
    assert not placed and not there(room)
    assert len(unplaced) == 2 and "2 people would be 'Sam Lee' here" in unplaced[0]


def test_another_person_in_canvas_does_not_replace_a_hand_in(
    room: Classroom, tmp_path: Path
) -> None:
    collect(room, zipped(tmp_path / "a.zip", {"leesam_10_1_rnn.ipynb": RNN}))
    with (room.root / "collected" / "log.jsonl").open("a") as log:
        log.write('{"student": "leesam", "canv')  # the machine stopped here
    placed, (said,) = collect(
        room, zipped(tmp_path / "b.zip", {"leesam_11_2_rnn.ipynb": RNN + b" "})
    )
    assert not placed and "'leesam' is another person in Canvas, number 10" in said
    assert there(room)["leesam", "rnn"] == RNN


def test_a_class_inside_one_folder_of_a_zip(room: Classroom, tmp_path: Path) -> None:
    members = {f"Week 2/{name}/rnn.ipynb": RNN for name in ("ada", "bo")}
    collect(room, zipped(tmp_path / "a.zip", members))
    assert set(there(room)) == {("ada", "rnn"), ("bo", "rnn")}
    zipped(tmp_path / "b.zip", {f"Week 3/{n}/rnn.ipynb": RNN for n in ("cy", "di")})
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path / "b")
    collect(room, tmp_path / "b")
    assert {("cy", "rnn"), ("di", "rnn")} <= set(there(room))


# ---------------------------------------------------------------- hostile archives and folders


def everything_below(path: Path) -> set[str]:
    return {str(p.relative_to(path)) for p in path.rglob("*")}


def test_no_path_of_an_archive_leads_anywhere(room: Classroom, tmp_path: Path) -> None:
    before = everything_below(tmp_path)
    source = zipped(
        tmp_path / "a.zip",
        {
            "../../out/rnn.ipynb": RNN,
            "/etc/rnn.ipynb": RNN,
            "C:\\Windows\\rnn.ipynb": RNN,
            "..\\..\\up\\rnn.ipynb": RNN,
            "./././dots/rnn.ipynb": RNN,
            "esc\x1b[31m/rnn.ipynb": RNN,
        },
    )
    placed, unplaced = collect(room, source)
    made = {p for p in everything_below(tmp_path) - before if p != "a.zip"}
    assert all(p.startswith(("room/submitted", "room/collected")) for p in made)
    assert {s for s, _ in there(room)} == {"out", "etc", "Windows", "up", "dots", "esc_31m"}
    assert not any("\x1b" in line for line in placed + unplaced)


def test_a_student_cannot_hand_in_for_another(room: Classroom, tmp_path: Path) -> None:
    theirs = inner({"jdoe/rnn.ipynb": RNN + b" ", "submitted/jdoe/rnn/rnn.ipynb": RNN + b"  "})
    collect(
        room,
        zipped(
            tmp_path / "a.zip",
            {"Eve_1_assignsubmission_file_/x.zip": theirs, "jdoe/rnn.ipynb": RNN},
        ),
    )
    assert there(room)["jdoe", "rnn"] == RNN and ("Eve", "rnn") in there(room)


def test_links_pipes_and_folders_named_as_notebooks(room: Classroom, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(GRU)
    source = tmp_path / "in"
    (source / "ada").mkdir(parents=True)
    (source / "ada" / "rnn.ipynb").symlink_to(secret)
    (source / "bo").symlink_to(tmp_path)
    (source / "cy" / "rnn.ipynb").mkdir(parents=True)
    (source / "di").mkdir()
    os.mkfifo(source / "di" / "rnn.ipynb")
    link = zipfile.ZipInfo("ed/rnn.ipynb")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(source / "fi.zip", "w") as archive:
        archive.writestr(link, str(secret))
    placed, unplaced = collect(room, source)
    assert not placed and not there(room)
    text = "\n".join(unplaced)
    assert text.count("it is a link, and links are not followed.") == 3
    assert "di/rnn.ipynb: it is not a regular file." in text


def test_a_link_in_the_class_is_not_written_through(room: Classroom, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (room.submitted / "ada").symlink_to(outside)
    _, unplaced = collect(room, zipped(tmp_path / "a.zip", {"ada/rnn.ipynb": RNN}))
    assert not list(outside.iterdir()) and "is in its way and is no folder" in unplaced[0]


def test_bombs_stop_at_the_limits(
    room: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MAX_FROM_INNER", 3 * 2**20)
    monkeypatch.setattr(unpack, "MAX_INNER_FILES", 50)
    zeros = bytes(2 * 2**20)
    many = inner({f"{i}.ipynb": b"" for i in range(60)})
    layers = {"rnn.ipynb": RNN}
    for _ in range(5):
        layers = {"z.zip": inner(layers)}
    source = zipped(
        tmp_path / "a.zip",
        {
            "big/rnn.ipynb": bytes(21 * 2**20),
            "bomb/x.zip": inner({f"{i}.ipynb": zeros for i in range(5)}),
            "many/x.zip": many,
            "deep/x.zip": layers["z.zip"],
            "good/rnn.ipynb": RNN,
        },
    )
    placed, unplaced = collect(room, source)
    assert set(there(room)) == {("good", "rnn")} and len(placed) == 1
    text = "\n".join(unplaced)
    assert "big/rnn.ipynb: it is too large to be a notebook." in text
    assert "bomb/x.zip: it unpacks to far more than hand-ins need" in text
    assert "many/x.zip: it holds more than 50 files." in text
    assert "it is a zip in 3 others" in text


def test_a_zip_that_lies_about_its_sizes_or_dates(room: Classroom, tmp_path: Path) -> None:
    data = bytearray(inner({"ada/rnn.ipynb": RNN, "bo/rnn.ipynb": RNN}))
    start = data.index(b"PK\x01\x02")
    data[start + 12 : start + 16] = b"\0\0\0\0"  # the date of the first file in the directory
    struct.pack_into("<I", data, start + 24, 5)  # and its size
    (tmp_path / "a.zip").write_bytes(data)
    _, unplaced = collect(room, tmp_path / "a.zip")
    assert ("bo", "rnn") in there(room)
    assert any("ada/rnn.ipynb" in line for line in unplaced) or ("ada", "rnn") in there(room)


def test_encrypted_and_broken_zips_and_other_archives(room: Classroom, tmp_path: Path) -> None:
    locked = bytearray(inner({"rnn.ipynb": RNN}))
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        locked[locked.index(mark) + at] |= 1
    cut = inner({"rnn.ipynb": os.urandom(3000)})
    members = {
        "ada/x.zip": bytes(locked), "bo/x.zip": cut[: len(cut) // 2], "cy/x.zip": b"PK",
        "di/x.7z": b"7z", "ed/x.tar.gz": b"",
    }  # fmt: skip
    placed, unplaced = collect(room, zipped(tmp_path / "a.zip", members))
    assert not placed and len(unplaced) == 5
    text = "\n".join(unplaced)
    assert "it is encrypted; ask for it without a password." in text
    assert text.count("it cannot be opened as a zip") == 2
    assert text.count("only zips are opened") == 2


def test_names_that_a_zip_holds_without_saying_their_encoding(
    room: Classroom, tmp_path: Path
) -> None:
    """Info-ZIP without the mark for UTF-8: Python reads such names as code page 437."""
    data = inner({"M_ller/rnn.ipynb": RNN}).replace(b"M_ller", "Möll".encode() + b"!")
    (tmp_path / "a.zip").write_bytes(data)
    collect(room, tmp_path / "a.zip")
    assert set(there(room)) == {("Möll!", "rnn")}


def test_the_time_is_utc_where_the_zip_says_so(room: Classroom, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("ada/rnn.ipynb", (2026, 1, 1, 0, 0, 0))
        info.extra = struct.pack("<HHBi", 0x5455, 5, 1, 1_700_000_000)
        archive.writestr(info, RNN)
    collect(room, tmp_path / "a.zip")
    when = room.timestamp("rnn", "ada")
    assert when == datetime.datetime(2023, 11, 14, 22, 13, 20)


def test_a_source_that_is_neither(room: Classroom, tmp_path: Path) -> None:
    with pytest.raises(ClassFault, match="There is no .* to collect from"):
        collect(room, tmp_path / "nowhere")
    (tmp_path / "x.tar").write_bytes(b"x")
    with pytest.raises(ClassFault, match="neither a folder nor a zip; unpack it yourself"):
        collect(room, tmp_path / "x.tar")


def test_stopped_between_the_time_and_the_notebook(
    room: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = zipped(tmp_path / "a.zip", {"ada/rnn.ipynb": RNN, "bo/rnn.ipynb": RNN})
    from grader import collect as module

    real = module.write_bytes

    def stopped(path: Path, data: bytes) -> None:
        if path.parts[-4:-1] == ("submitted", "bo", "rnn"):
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(module, "write_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        collect(room, source)
    assert set(there(room)) == {("ada", "rnn")}
    monkeypatch.undo()
    placed, unplaced = collect(room, source)
    assert not unplaced and set(there(room)) == {("ada", "rnn"), ("bo", "rnn")}
    log = (room.root / "collected" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["student"] for line in log] == ["ada", "bo"]
