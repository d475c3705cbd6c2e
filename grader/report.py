"""The words of a mark: a table for a person, and a plain number for nbgrader.

`repr` of a report is the points earned and nothing else: nbgrader reads the first result of a
test cell as partial credit when it is a number. Jupyter shows `_repr_html_`, a terminal `str`.
"""

from __future__ import annotations

import html
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader import units
from grader.engine import CheckResult
from grader.exercise import Exercise, Misconception

_MARKS = {"passed": "✓", "failed": "✗", "not tried": "–", "grader fault": "!"}
#: Where the page around a report has no style of its own, its columns still stand apart.
_CELL = "text-align:left;padding:.2em .9em .2em 0"
_COLOURS = {
    "passed": "#00795a",
    "failed": "#b33f00",
    "not tried": "#6b6b6b",
    "grader fault": "#8a5a00",
}


def number(value: float) -> str:
    """Points as people write them: 2, not 2.0; 1.5 where there is a half."""
    return f"{value:.10g}"


@dataclass(frozen=True)
class Report:
    """How one exercise went: each property, its points, and what to do next."""

    exercise: Exercise
    results: Sequence[CheckResult]
    recognised: Sequence[Misconception] = ()
    seed: int | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def earned(self) -> float:
        return sum(result.earned for result in self.results)

    @property
    def worth(self) -> float:
        return sum(result.worth for result in self.results)

    def __repr__(self) -> str:
        return number(self.earned)

    def __str__(self) -> str:
        lines = [f"{self.exercise.name}: {number(self.earned)} of {number(self.worth)} points"]
        for result in self.results:
            share = f"{number(result.earned)}/{number(result.worth)}"
            lines.append(f"  {_MARKS[result.status]} {share:>5}  {result.sentence}")
            for line in self._details(result):
                lines += textwrap.wrap(
                    line, 92, initial_indent=" " * 11, subsequent_indent=" " * 11
                )
        lines += [f"  {line}" for line in self._next_steps()]
        return "\n".join(lines)

    def _details(self, result: CheckResult) -> list[str]:
        if result.status == "passed" or not result.message:
            return []
        lines = [result.message]
        if result.stage in ("values", "error", "property", "arguments") and result.expected:
            lines.append(f"expected {result.expected}, got {result.got}")
        return lines

    def _next_steps(self) -> list[str]:
        lines = []
        if self.recognised:
            lines.append(f"Recognised: {_either(self.recognised)}.")
            lines += [misconception.says for misconception in self.recognised]
        if self.earned < self.worth:
            lines.append(f"Explained in {self._where()}. A hint: hint({self.exercise.name!r}).")
        if self.seed is not None and self.earned < self.worth:
            lines.append(f"The same draws again: check({self.exercise.name!r}, seed={self.seed}).")
        return lines

    def _where(self) -> str:
        seen = [m.see for m in self.recognised if m.see] or [self.exercise.see]
        return ", ".join(place_in_words(place) for place in dict.fromkeys(seen))

    def _repr_html_(self) -> str:
        head = (
            f"<b><code>{_esc(self.exercise.name)}</code>: "
            f"{number(self.earned)} of {number(self.worth)} points</b>"
        )
        rows = "".join(self._row(result) for result in self.results)
        table = (
            '<table style="border-collapse:collapse;text-align:left;max-width:60em">'
            f'<caption style="text-align:left;padding:.3em 0">{head}</caption>'
            "<thead><tr>"
            f'<th scope="col" style="{_CELL}">Result</th>'
            f'<th scope="col" style="{_CELL}">Points</th>'
            f'<th scope="col" style="{_CELL}">Property</th>'
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )
        after = self._html_recognised() + self._html_next()
        return f'<div class="gatedrnn-report">{table}{after}</div>'

    def _row(self, result: CheckResult) -> str:
        details = "".join(
            f'<div style="margin:.2em 0 0 0">{_text(line)}</div>' for line in self._details(result)
        )
        mark, colour = _MARKS[result.status], _COLOURS[result.status]
        # The words stand beside the sign and the colour, so that neither is needed to read the row.
        return (
            '<tr style="vertical-align:top">'
            f'<td style="{_CELL};white-space:nowrap;color:{colour};font-weight:600">'
            f"{mark} {result.status}</td>"
            f'<td style="{_CELL};white-space:nowrap">'
            f"{number(result.earned)} / {number(result.worth)}</td>"
            f'<td style="{_CELL}">{_text(result.sentence)}{details}</td></tr>'
        )

    def _html_recognised(self) -> str:
        if not self.recognised:
            return ""
        says = "".join(f"<p style='margin:.3em 0'>{_text(m.says)}</p>" for m in self.recognised)
        return (
            '<div style="border-left:.3em solid #b33f00;padding:.1em .8em;margin:.6em 0;'
            'max-width:58em">'
            f"<b>Recognised: {_text(_either(self.recognised))}</b>{says}</div>"
        )

    def _html_next(self) -> str:
        if self.earned >= self.worth:
            return ""
        name = self.exercise.name
        seen = [m.see for m in self.recognised if m.see] or [self.exercise.see]
        places = ", ".join(_link(place, self.links) for place in dict.fromkeys(seen))
        seed = ""
        if self.seed is not None:
            seed = f" The same draws again: <code>check({name!r}, seed={self.seed})</code>."
        return (
            f"<p style='margin:.4em 0'>Explained in {places}. "
            f"A hint: <code>hint({name!r})</code>.{seed}</p>"
        )


def _either(recognised: Sequence[Misconception]) -> str:
    return " or ".join(m.name for m in recognised)


def _esc(text: str) -> str:
    return html.escape(text, quote=True)


def _text(text: str) -> str:
    """Escape `text` and set what stands between backticks as code."""
    parts = _esc(text).split("`")
    whole = len(parts) % 2 == 1
    return "".join(
        f"<code>{part}</code>" if whole and i % 2 else part for i, part in enumerate(parts)
    )


def place_in_words(place: str) -> str:
    page, _, anchor = place.partition("#")
    section = f", “{anchor.replace('-', ' ')}”" if anchor else ""
    return f"chapter {page.removesuffix('.html')}{section}"


def _link(place: str, links: Mapping[str, str]) -> str:
    words, address = place_in_words(place), links.get(place)
    return (
        f'<a href="{_esc(address)}" target="_blank">{_esc(words)}</a>' if address else _esc(words)
    )


def book_links(places: Sequence[str], start: Path, address: str = "") -> dict[str, str]:
    """Place -> address, when the book can be reached from the folder `start`.

    `address`, or else `GATEDRNN_BOOK`, names a published book; otherwise a book built beside the
    notebooks is used. Where there is none, the report names the chapter in words.
    """
    base = (address or os.environ.get("GATEDRNN_BOOK", "")).rstrip("/")
    if not base:
        pages = units.ROOT / "build" / "_build" / "html" / "book"
        if not pages.is_dir():
            return {}
        base = Path(os.path.relpath(pages, start)).as_posix()
    return {place: f"{base}/{place}" for place in places}
