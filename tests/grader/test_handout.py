"""What students get: exactly the notebooks and the course package, and what they can do with it."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gatedrnn.equations
from grader import notebooks, units
from grader.classroom import ClassFault, Classroom
from grader.handout import hand_out
from grader.markclass import mark_class
from tests.grader import classes as c

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    room = c.new_class(tmp_path_factory.mktemp("handout") / "room", {"ada": c.full().bytes()})
    room.release("gru")
    return room


@pytest.fixture(scope="module")
def handed(room: Classroom) -> zipfile.ZipFile:
    return zipfile.ZipFile(hand_out(room))


@pytest.fixture(scope="module")
def package(handed: zipfile.ZipFile) -> zipfile.ZipFile:
    (name,) = [n for n in handed.namelist() if n.endswith(".whl")]
    return zipfile.ZipFile(io.BytesIO(handed.read(name)))


def test_it_holds_the_notebooks_and_the_package_and_nothing_else(
    room: Classroom, handed: zipfile.ZipFile
) -> None:
    names = sorted(handed.namelist())
    wheel = names.pop(0)
    assert re.fullmatch(r"gatedrnn-[\d.]+-py3-none-any\.whl", wheel)
    assert names == ["notebooks/gru/gru.ipynb", "notebooks/rnn/rnn.ipynb"]
    for slug in ("gru", "rnn"):
        given = handed.read(f"notebooks/{slug}/{slug}.ipynb")
        assert given == (room.root / "release" / slug / f"{slug}.ipynb").read_bytes()


def test_the_package_holds_the_two_packages_and_nothing_else(package: zipfile.ZipFile) -> None:
    inside = [n for n in package.namelist() if ".dist-info/" not in n]
    assert {n.split("/")[0] for n in inside} == {"gatedrnn", "grader"}
    src = units.ROOT / "src"
    there = {p.relative_to(src).as_posix() for p in (src / "gatedrnn").rglob("*.py")}
    there |= {p.relative_to(units.ROOT).as_posix() for p in (units.ROOT / "grader").rglob("*.py")}
    assert {n for n in inside if n.endswith(".py")} == there
    kinds = {Path(n).suffix for n in inside} - {".py"}
    assert kinds <= {".json", ".ini", ".css", ".html", ".j2", ".tpl", ".js", ".typed"}
    assert "grader/record.schema.json" in inside and "grader/checks/pytest.ini" in inside


def blocks(slug: str) -> list[str]:
    """The worked solutions of a unit: the text between the markers."""
    text = "\n".join(cell.source for cell in notebooks.source_notebook(slug).cells)
    found = re.findall(r"### BEGIN SOLUTION\n(.*?)^\s*### END SOLUTION", text, re.M | re.S)
    assert found
    return [re.sub(r"\s+", " ", block).strip() for block in found]


def bodies(module: object) -> list[str]:
    """The bodies of a module's functions, spaces made one."""
    made = []
    for function in vars(module).values():
        function = inspect.unwrap(function) if callable(function) else None
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            made.append(re.sub(r"\s+", " ", inspect.getsource(function).split(":\n", 1)[1]).strip())
    return [body for body in made if len(body) > 60]


@pytest.mark.parametrize("slug", ["gru", "rnn"])
def test_a_notebook_shows_no_solution_no_reference_and_no_check(
    handed: zipfile.ZipFile, slug: str
) -> None:
    import importlib
    import pkgutil

    document = json.loads(handed.read(f"notebooks/{slug}/{slug}.ipynb"))
    text = re.sub(r"\s+", " ", "\n".join("".join(x["source"]) for x in document["cells"]))
    assert "SOLUTION" not in text and not any(x.get("outputs") for x in document["cells"])
    assert not [block for block in blocks(slug) if block in text]
    checks = bodies(importlib.import_module(f"grader.checks.{slug}"))
    wrong = bodies(importlib.import_module(f"grader.misconceptions.{slug}"))
    reference = [
        body
        for _, name, _ in pkgutil.iter_modules(gatedrnn.equations.__path__)
        for body in bodies(importlib.import_module(f"gatedrnn.equations.{name}"))
    ]
    assert len(checks) > 5 and len(reference) > 5
    assert not [b for b in (*checks, *wrong, *reference) if b in text]


def test_what_marks_shows_no_worked_solution(package: zipfile.ZipFile) -> None:
    """The reference in `gatedrnn` is what the book shows, and wrong answers have right parts."""
    files = {
        n: re.sub(r"\s+", " ", package.read(n).decode("utf-8"))
        for n in package.namelist()
        if n.startswith("grader/")
        and not n.startswith("grader/misconceptions/")
        and n.endswith((".py", ".json", ".html", ".j2"))
    }
    solved = [block for slug in units.slugs() for block in blocks(slug) if len(block) > 120]
    assert len(solved) > 20
    assert not [(n, block) for n, text in files.items() for block in solved if block in text]


ADDRESS = "https://example.org/courses/grn/book"


@pytest.fixture(scope="module", params=["", ADDRESS], ids=["no address", "address"])
def given(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Classroom]:
    """The whole course released, in a class that knows the book's address or does not."""
    root = tmp_path_factory.mktemp("links") / "room"
    Classroom.create(root)
    config = root / "nbgrader_config.py"
    more = f"\nc.Grader.book = {request.param!r}\nc.Grader.unsealed = True\n"
    config.write_text(config.read_text() + (more if request.param else ""))
    room = Classroom.open(root)
    for slug in units.slugs():
        room.release(slug)
    return request.param, Classroom.open(root)


def prose(path: Path) -> str:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n".join("".join(x["source"]) for x in cells if x["cell_type"] == "markdown")


def headings(page: str) -> dict[str, str]:
    """The sections of a chapter, by their anchors on its page; the chapter itself under ""."""
    text = (units.ROOT / "book" / f"{page}.md").read_text("utf-8")
    text = re.sub(r"^(`{3,}|:{3,}).*?^\1", "", text, flags=re.M | re.S)
    found = re.findall(r"^#{2,4} (.+)$", text, re.M)
    made = {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"): title for title in found}
    return made | {"": re.findall(r"^# (.+)$", text, re.M)[0]}


@pytest.mark.parametrize("slug", units.slugs())
def test_no_link_in_a_notebook_is_dead(given: tuple[str, Classroom], slug: str) -> None:
    address, room = given
    text = prose(room.root / "release" / slug / f"{slug}.ipynb")
    source = "\n".join(x.source for x in notebooks.source_notebook(slug).cells)
    pointers = re.findall(r"\[([^\]]+)\]\(\.\./\.\./book/(\w+)\.md#?([\w-]*)\)", source)
    assert len(pointers) > 3 and source.count("](") == len(pointers)
    for words, page, anchor in pointers:
        title = headings(page)[anchor]
        assert title == words if anchor else title.startswith(words), "they are what it leads to"
        if address:
            place = f"{page}.html#{anchor}" if anchor else f"{page}.html"
            assert f"[{words}]({address}/{place})" in text
        else:
            end = f" in the chapter *{headings(page)['']}*" if anchor else ""
            assert f"*{words}*{end}" in text
    assert text.count("](") == (len(pointers) if address else 0)
    assert "../" not in text and ".md" not in text and "<a " not in text


def test_what_is_marked_is_the_same_whatever_the_links(given: tuple[str, Classroom]) -> None:
    """Ids, marks, checksums and code are those of the course's own notebook; prose differs."""
    _, room = given
    for slug in units.slugs():
        ours = notebooks.student_notebook(slug).cells
        theirs = room.unit(slug).cells
        assert [x.id for x in theirs] == [x.id for x in ours]
        assert [x.metadata for x in theirs] == [x.metadata for x in ours]
        code = [[x.source for x in cells if x.cell_type == "code"] for cells in (theirs, ours)]
        assert code[0] == code[1]


def test_an_honest_notebook_comes_back_without_a_flag(given: tuple[str, Classroom]) -> None:
    """The notebook that was handed out, filled in, and the course's own, which has other links."""
    _, room = given
    solved = {x.id: x.source for x in c.cells(c.full())}
    document = json.loads((room.root / "release" / c.SLUG / f"{c.SLUG}.ipynb").read_text())
    for cell in document["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            cell["source"] = solved[cell["id"]]
    c.hand_in(room, "ada", json.dumps(document).encode())
    c.hand_in(room, "bo", c.full().bytes())
    outcome = mark_class(room, jobs=1)
    for made in outcome.records.values():
        assert (made["earned"], made["flags"]) == (made["worth"], [])
    released = prose(room.root / "release" / c.SLUG / f"{c.SLUG}.ipynb")
    assert prose(room.autograded / "ada" / c.SLUG / f"{c.SLUG}.ipynb") == released


def test_reports_lead_to_the_address_too(given: tuple[str, Classroom]) -> None:
    address, room = given
    c.hand_in(room, "carl", c.Blank(c.SLUG).bytes())
    mark_class(room, jobs=1)
    text = (room.autograded / "carl" / c.SLUG / f"{c.SLUG}.ipynb").read_text()
    assert (f"{ADDRESS}/rnn.html#one-step" in text) == bool(address)


def test_an_address_that_is_none_is_said(tmp_path: Path) -> None:
    Classroom.create(tmp_path / "room")
    config = tmp_path / "room" / "nbgrader_config.py"
    config.write_text(config.read_text() + '\nc.Grader.book = "build/html"\n')
    with pytest.raises(ClassFault, match="sets c.Grader.book to 'build/html'; expected an address"):
        Classroom.open(tmp_path / "room")


def test_nothing_of_the_class_is_in_it(room: Classroom, handed: zipfile.ZipFile) -> None:
    everything = b"".join(handed.read(n) for n in handed.namelist())
    assert str(room.root).encode() not in everything
    assert not [n for n in handed.namelist() if re.search("grade|record|submitted|source", n)]


def test_the_same_content_is_the_same_zip(room: Classroom) -> None:
    first = zipfile.ZipFile(hand_out(room))
    second = zipfile.ZipFile(hand_out(room))
    assert [(i.filename, i.date_time) for i in first.infolist()] == [
        (i.filename, i.date_time) for i in second.infolist()
    ]
    assert not [p for p in room.root.iterdir() if p.name.startswith(".")]


def test_a_student_checks_and_validates_with_the_package_alone(
    handed: zipfile.ZipFile, package: zipfile.ZipFile, tmp_path: Path
) -> None:
    """`nbgrader validate` in an empty folder, with nothing of the repository in reach."""
    package.extractall(tmp_path / "installed")
    work = tmp_path / "work"
    work.mkdir()
    (work / "blank.ipynb").write_bytes(handed.read("notebooks/rnn/rnn.ipynb"))
    (work / "full.ipynb").write_bytes(c.full().bytes())
    bin_folder = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "installed"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }

    def say(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=work, env=environment, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        return done.stdout + done.stderr

    where = say("-c", "import grader, gatedrnn; print(grader.__file__, gatedrnn.__file__)")
    assert where.count(str(tmp_path / "installed")) == 2
    full = say("-m", "nbgrader", "validate", "full.ipynb")
    assert "Success! Your notebook passes all the tests." in full
    blank = say("-m", "nbgrader", "validate", "blank.ipynb")
    assert f"FAILED ON {len(c.worth())} CELL(S)" in blank
