"""Broken files: marked where they can be read honestly, else zero and a flag for a person."""

from __future__ import annotations

import gzip
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.grader import classes as c
from tests.grader.gallery import Entry
from tests.grader.gallery.honest import changed

_BAD = {"earns": c.nothing, "status": "unreadable"}


def _text() -> str:
    return c.full().bytes().decode()


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(c.full().bytes())
    return document


def bytes_of(data: Callable[[], bytes] | bytes) -> Callable[[], bytes]:
    return data if callable(data) else lambda: data


def placed(put: Callable[[Path], object]) -> Callable[[], Callable[[Path], None]]:
    """A hand-in that is not a file of bytes: `put` makes what stands at its path."""
    return lambda: lambda path: (put(path), None)[1]


def _with_cells(*odd: Any) -> Callable[[], bytes]:
    """The solved notebook with these things among its cells."""
    return lambda: json.dumps(_document() | {"cells": [*odd, *_document()["cells"]]}).encode()


def _with_metadata(metadata: Any) -> Callable[[], bytes]:
    """The solved notebook with this in place of each cell's metadata."""
    return changed(lambda d: [cell.update(metadata=metadata) for cell in d["cells"]])


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may have 108 letters only
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o020666, os.makedev(1, 5))  # /dev/zero: it never ends
    except PermissionError:
        path.symlink_to("/dev/zero")


def _closed(path: Path) -> None:
    path.write_bytes(c.full().bytes())
    path.chmod(0)


def _timestamp(put: Callable[[Path], object]) -> Callable[[], Callable[[Path], None]]:
    """A good notebook beside a timestamp that is none."""

    def place(path: Path) -> None:
        path.write_bytes(c.full().bytes())
        put(path.with_name("timestamp.txt"))

    return lambda: place


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 * 2**20)


_MANY = 1_990
_CLOSED_TO_US = os.geteuid() != 0

ENTRIES = [
    Entry("empty", "is an empty file", bytes_of(b""), flags=("is empty",), plain=True, **_BAD),
    Entry("blank-lines", "holds spaces only", bytes_of(b" \n\t\n"), flags=("is empty",), **_BAD),
    Entry("zeros", "holds NUL bytes only", bytes_of(b"\0" * 5000), flags=("not JSON",), **_BAD),
    Entry("truncated", "breaks off in the middle", lambda: c.full().bytes()[:5000],
          flags=("not JSON (line",), plain=True, **_BAD),
    Entry("truncated-by-one", "lacks its last bracket", lambda: c.full().bytes().rstrip()[:-1],
          flags=("not JSON",), **_BAD),
    Entry("trailing", "has text after its end", lambda: c.full().bytes() + b"}",
          flags=("not JSON",), **_BAD),
    Entry("merge-conflict", "holds the marks of a merge conflict",
          lambda: _text().replace('"cells": [', '<<<<<<< HEAD\n"cells": [', 1).encode(),
          flags=("not JSON",), **_BAD),
    Entry("python", "is a Python file", bytes_of(b"def rnn_step(x, h, params):\n    pass\n"),
          flags=("not JSON",), **_BAD),
    Entry("web-page", "is the web page of a login",
          bytes_of(b"<!DOCTYPE html><html><title>Log in</title></html>"),
          flags=("web page",), **_BAD),
    Entry("picture", "is a picture", bytes_of(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
          flags=("not JSON",), **_BAD),
    Entry("gzip", "is compressed", lambda: gzip.compress(c.full().bytes(), mtime=0),
          flags=("not JSON",), **_BAD),
    Entry("list", "is JSON, a list", bytes_of(b"[1, 2, 3]"), flags=("not an object",), **_BAD),
    Entry("number", "is JSON, not a number", bytes_of(b"NaN"), flags=("not an object",), **_BAD),
    Entry("text", "is JSON, a text", bytes_of(b'"cells"'), flags=("not an object",), **_BAD),
    Entry("no-cells", "is an object without cells", bytes_of(b'{"nbformat": 4, "metadata": {}}'),
          flags=("no list of cells",), **_BAD),
    Entry("cells-object", "has cells that are an object",
          changed(lambda d: d.update(cells={str(i): x for i, x in enumerate(d["cells"])})),
          flags=("no list of cells",), **_BAD),
    Entry("no-cell-left", "has an empty list of cells", changed(lambda d: d.update(cells=[])),
          c.nothing, flags=("Missing cells",)),
    Entry("deep", "opens a hundred thousand brackets", bytes_of(b"[" * 100_000),
          flags=("nested too deeply",), plain=True, **_BAD),
    Entry("deep-objects", "nests a hundred thousand objects inside a cell",
          bytes_of(b'{"cells": [' + b'{"metadata":' * 100_000), flags=("nested too deeply",),
          **_BAD),
    Entry("deep-closed", "nests metadata so deep that it closes properly",
          changed(lambda d: d.update(metadata=_nested(400)))),
    Entry("huge-integer", "holds an integer of a hundred thousand digits",
          bytes_of(b'{"cells": [], "n": ' + b"9" * 100_000 + b"}"), flags=("huge number",), **_BAD),
    Entry("huge-exponent", "holds NaN, Infinity and 1e999 as counts and points",
          lambda: _text().replace('"execution_count": null',
                                  '"execution_count": NaN, "a": -Infinity, "b": 1e999').encode()),
    Entry("huge", "is 100 MB of zeros", placed(_huge), flags=("100.0 MiB; the limit is 20 MiB",),
          plain=True, **_BAD),
    Entry("many-brackets", "is 15 MB of empty lists",
          lambda: b'{"cells": [' + b"[]," * 5_000_000 + b"[]]}", flags=("the limit is 2,000",),
          **_BAD),
    Entry("folder", "is a folder", placed(Path.mkdir), flags=("a folder",), plain=True, **_BAD),
    Entry("link-to-itself", "is a link to itself", placed(lambda p: p.symlink_to(p.name)),
          flags=("a link",), **_BAD),
    Entry("link-outside", "is a link to a file of the machine",
          placed(lambda p: p.symlink_to("/etc/passwd")), flags=("a link",), plain=True, **_BAD),
    Entry("link-to-classmate", "is a link to a classmate's work",
          placed(lambda p: p.symlink_to("../../000-full/rnn/rnn.ipynb")), flags=("a link",),
          **_BAD),
    Entry("link-dangling", "is a link to nothing", placed(lambda p: p.symlink_to("nowhere")),
          flags=("a link",), **_BAD),
    Entry("folder-linked", "is in a folder that is a link to a classmate's",
          placed(lambda p: (p.parent.rmdir(), p.parent.symlink_to("../000-full/rnn"))),
          flags=("a link",), **_BAD),
    Entry("folder-file", "is a file in the place of its folder",
          placed(lambda p: (p.parent.rmdir(), p.parent.write_text("my homework"))),
          flags=("cannot be opened",), **_BAD),
    Entry("pipe", "is a named pipe", placed(os.mkfifo), flags=("a pipe",), plain=True, **_BAD),
    Entry("socket", "is a socket", placed(_socket), flags=("cannot be opened",), **_BAD),
    Entry("device", "is a device that never ends", placed(_device),
          flags=("a device" if not _CLOSED_TO_US else "a link",), **_BAD),
    Entry("closed", "is a file without any permission", placed(_closed),
          c.nothing if _CLOSED_TO_US else c.worth,
          status="unreadable" if _CLOSED_TO_US else "marked",
          flags=("cannot be opened",) if _CLOSED_TO_US else ()),
    Entry("missing", "is a folder with no notebook in it", placed(lambda p: None), c.nothing,
          status="missing", flags=("No file rnn.ipynb",), plain=True),
    Entry("other-name", "is there under another name only",
          placed(lambda p: p.with_name("RNN (1).ipynb").write_bytes(c.full().bytes())),
          flags=("It was handed in as RNN (1).ipynb",)),
    Entry("case-twin", "is there beside another one whose name differs in its letters' case",
          placed(lambda p: [p.write_bytes(c.full().bytes()),
                            p.with_name("RNN.IPYNB").write_bytes(c.Blank(c.SLUG).bytes())]),
          flags=("RNN.IPYNB was handed in beside it",)),
    Entry("other-names", "is there under two other names, neither of them its own",
          placed(lambda p: [p.with_name(n).write_bytes(c.full().bytes())
                            for n in ("a.ipynb", "b.ipynb")]),
          flags=("2 notebooks and none is rnn.ipynb",), **_BAD),
    Entry("old-format", "is of nbformat 3, as notebooks were in 2014", c.old_format, plain=True),
    Entry("format-5", "says that it is of nbformat 5.99",
          changed(lambda d: d.update(nbformat=5, nbformat_minor=99))),
    Entry("format-odd", "has a text, and a negative number, as its format",
          changed(lambda d: d.update(nbformat="four", nbformat_minor=-1))),
    Entry("format-missing", "does not say its format",
          changed(lambda d: [d.pop(k) for k in ("nbformat", "nbformat_minor", "metadata")])),
    Entry("utf-16", "is in UTF-16", lambda: _text().encode("utf-16"), plain=True),
    Entry("utf-16-bare", "is in UTF-16 without a mark", lambda: _text().encode("utf-16-be")),
    Entry("utf-32", "is in UTF-32", lambda: _text().encode("utf-32")),
    Entry("bom", "begins with the mark of UTF-8", lambda: _text().encode("utf-8-sig")),
    Entry("latin-1", "is in Latin-1", lambda: _accented().encode("latin-1")),
    Entry("bad-utf-8", "has broken bytes in its prose",
          lambda: c.full().bytes().replace(b"You write", b"You \xc3\x28\xff write")),
    Entry("windows-lines", "has the line ends of Windows, in its text and its sources",
          lambda: json.dumps(_document(), indent=1).replace("\n", "\r\n")
          .replace("\\n", "\\r\\n").encode()),
    Entry("nul-in-source", "has a NUL and a lone surrogate in a cell of its own",
          _with_cells({"cell_type": "code", "source": "x = '\0 \ud800'", "metadata": {}})),
    Entry("duplicate-keys", "says its cells twice, first with none",
          lambda: b'{"cells": [], "cells": 3,' + c.full().bytes().lstrip()[1:]),
    Entry("odd-cells", "has numbers, lists, empty and nameless things among its cells",
          _with_cells(3, None, [], {}, "x", {"cell_type": 7}, {"cell_type": "code"},
                      {"cell_type": "code", "source": 5, "metadata": 5},
                      {"cell_type": "code", "source": [1, None, ["x"]], "metadata": {}},
                      {"cell_type": "code", "source": {"a": 1}, "outputs": 3})),
    Entry("odd-metadata", "has a list in place of each cell's metadata", _with_metadata([1]),
          flags=("Missing cells",)),
    Entry("odd-marks", "has numbers in place of nbgrader's marks",
          _with_metadata({"nbgrader": 5}), flags=("Missing cells",)),
    Entry("odd-ids", "has lists and numbers as its grade ids",
          _with_metadata({"nbgrader": {"grade_id": ["rnn_step"], "points": {}}}),
          flags=("Missing cells",)),
    Entry("cells-reversed", "has all its cells in the opposite order",
          changed(lambda d: d["cells"].reverse())),
    Entry("cells-deleted", "has lost the cells of its last answer",
          changed(lambda d: d.update(cells=[x for x in d["cells"]
                                            if x["id"] != "clip_by_global_norm-answer"])),
          lambda: c.all_but("clip_by_global_norm"), flags=("Missing cells",)),
    Entry("cells-prose", "has lost all its code",
          changed(lambda d: d.update(cells=[x for x in d["cells"]
                                            if x["cell_type"] == "markdown"])),
          c.nothing, flags=("Missing cells",)),
    Entry("ids-gone", "has other ids on all cells, and its marks as they were",
          changed(lambda d: [x.update(id=f"other-{i}") for i, x in enumerate(d["cells"])])),
    Entry("raw-cells", "has all its code in raw cells", changed(
        lambda d: [x.update(cell_type="raw") for x in d["cells"] if x["cell_type"] == "code"])),
    Entry("many-cells", f"has {_MANY:,} cells of its own",
          _with_cells(*[{"cell_type": "code", "source": f"x{i} = {i}", "metadata": {}}
                        for i in range(_MANY - 40)])),
    Entry("too-many-cells", "has a hundred thousand cells",
          _with_cells(*[{"cell_type": "code", "source": "", "metadata": {}}] * 100_000),
          flags=("the limit is 2,000",), **_BAD),
    Entry("long-line", "has a cell of two million letters",
          _with_cells({"cell_type": "code", "source": "#" * 2_000_000, "metadata": {}}),
          flags=("the limit is 1,000,000",), **_BAD),
    *[
        Entry(f"name-{name}", f"is of a student whose name {words}", c.full().bytes,
              student=student, plain=name == "spaces")
        for name, words, student in (
            ("spaces", "has spaces and a comma", "Lovelace, Ada King"),
            ("letters", "is written in other alphabets", "Ωμέγα 小明 Łukasz 🧠"),
            ("newline", "has a line break and a tab", "new\nline\ttab"),
            ("quotes", "has quotes, percent signs and brackets", "o'brien \"%s\" {x} [a] $HOME;&"),
            ("markup", "is a piece of HTML", "<b onclick=alert(1)>x<"),
            ("dash", "begins with a dash", "--help"),
            ("formula", "is a formula of a spreadsheet", "=1+cmd|' C'!A0"),
            ("terminal", "commands a terminal", "\x1b[2J\x1b]0;x\x07red\u202e\r"),
            ("long", "has 150 letters", "n" * 150),
            ("bytes", "is not text in any encoding", os.fsdecode(b"caf\xe9 \xff")),
        )
    ],
    Entry("timestamp-pipe", "has a pipe as its time of handing in", _timestamp(os.mkfifo),
          plain=True),
    Entry("timestamp-folder", "has a folder as its time of handing in", _timestamp(Path.mkdir)),
    Entry("timestamp-link", "has a link to itself as its time of handing in",
          _timestamp(lambda p: p.symlink_to(p.name))),
    *[
        Entry(f"timestamp-{name}", f"has {words} as its time of handing in",
              _timestamp(lambda p, data=data: p.write_bytes(data)))
        for name, words, data in (
            ("words", "words", b"yesterday, I think"),
            ("bytes", "bytes that are no text", b"\xff\xfe\0\xd8"),
            ("far", "the year 99999", b"99999-01-01 00:00:00 UTC"),
            ("first", "the first moment there is, further back by its zone",
             b"0001-01-01 00:00:00 +1400"),
            ("zone", "a zone that does not exist", b"2026-03-01 12:00:00 Mars/Olympus"),
        )
    ],
]  # fmt: skip


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _accented() -> str:
    blank = c.full().add("café = 'déjà vu'", 2)
    return blank.bytes().decode().encode("latin-1", "replace").decode("latin-1")
