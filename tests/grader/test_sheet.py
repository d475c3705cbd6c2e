"""CSV that a spreadsheet opens as what it is."""

from __future__ import annotations

import csv
import io

import pytest

from grader import sheet


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert sheet.cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ['O\'Brien, "Bo"', "Łukasz 李", "a\nb", "a=b", "", "é-=+"])
def test_other_text_comes_back_as_it_was(text: str) -> None:
    ((back,),) = csv.reader(io.StringIO(sheet.text(["h"], [[text]])[3:]))  # after "h\r\n"
    assert back == text


def test_numbers_are_numbers() -> None:
    assert [sheet.cell(v) for v in (-1.5, 2.0, 0.1 + 0.2, 7, None, True)] == [
        "-1.5", "2", "0.3", "7", "", "yes",
    ]  # fmt: skip
