"""Reading a hand-in: every encoding and age of notebook, and one sentence for everything else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.submission import MAX_BYTES, Cell, Missing, Unreadable, parse, read

NOTEBOOK = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "source": ["x = 'café'\n", "y = 2"],
            "outputs": [],
            "execution_count": None,
            "metadata": {"nbgrader": {"grade_id": "gru_cell-answer", "points": 1000}},
        },
        {"cell_type": "markdown", "id": "b", "source": "words", "metadata": {}},
    ],
}
EXPECTED = (Cell("code", "x = 'café'\ny = 2", "gru_cell-answer"), Cell("markdown", "words"))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"],
)
def test_every_encoding_gives_the_same_cells(encoding: str) -> None:
    data = json.dumps(NOTEBOOK, ensure_ascii=False).encode(encoding)
    assert parse(data).cells == EXPECTED


def test_older_notebooks_are_read_as_nbformat_reads_them() -> None:
    new = nbformat.from_dict(NOTEBOOK)
    old = nbformat.convert(new, 3)
    assert [(c.kind, c.source) for c in parse(nbformat.writes(old, 3).encode()).cells] == [
        (c.kind, c.source) for c in EXPECTED
    ]


def test_headings_of_old_notebooks_are_markdown() -> None:
    cell = {"cell_type": "heading", "level": 2, "source": "One step"}
    data = json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}).encode()
    assert parse(data).cells == (Cell("markdown", "## One step"),)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty."),
        (b" \n", "The file is empty."),
        (b"hello", "its text is not JSON (line 1, column 1)"),
        (b"<!DOCTYPE html><p>", "web page"),
        (b"[1, 2]", "not an object with cells"),
        (b"{}", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b'{"cells": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"cells": [' + b"9" * 5000 + b"]}", "huge number"),
        (json.dumps({"cells": [{}] * 2001}).encode(), "2,001 cells; the limit is 2,000"),
        (
            json.dumps({"cells": [{"cell_type": "code", "source": "x" * 1_000_001}]}).encode(),
            "1,000,001 characters",
        ),
    ],
)
def test_what_is_no_notebook_ends_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(data)
    assert words in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(caught.value.digest) == 64


def test_lone_surrogates_and_foreign_line_ends_become_plain_text() -> None:
    cell = parse(b'{"cells": [{"cell_type": "code", "source": "a\\r\\nb \\ud800"}]}').cells[0]
    assert cell.source.encode("utf-8") == b"a\nb ?"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    good = tmp_path / "good.ipynb"
    good.write_text(json.dumps(NOTEBOOK))
    link, pipe, folder = tmp_path / "link", tmp_path / "pipe", tmp_path / "folder"
    link.symlink_to(good)
    os.mkfifo(pipe)
    folder.mkdir()
    assert read(good).cells == EXPECTED
    for path, words in ((link, "link"), (pipe, "pipe"), (folder, "folder")):
        with pytest.raises(Unreadable, match=words):
            read(path)
    with pytest.raises(Missing, match="No file gone.ipynb was handed in"):
        read(tmp_path / "gone.ipynb")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.ipynb"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(Unreadable, match="20.0 MiB; the limit is 20 MiB"):
        read(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cells",
                    "worksheets",
                    "source",
                    "input",
                    "cell_type",
                    "metadata",
                    "nbgrader",
                    "grade_id",
                    "level",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(_JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_cells_or_unreadable(document: Any) -> None:
    _reads_or_refuses(json.dumps(document).encode())


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_cells_or_unreadable(data: bytes) -> None:
    _reads_or_refuses(data)


def _reads_or_refuses(data: bytes) -> None:
    try:
        found = parse(data)
    except Unreadable:
        return
    for cell in found.cells:
        assert cell.kind in ("code", "markdown", "raw")
        cell.source.encode("utf-8")
