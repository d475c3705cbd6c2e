"""The report as one HTML page: no script, nothing fetched, drawings set into it as SVG."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from gatedrnn.figures import marks
from gatedrnn.figures.style import STYLE
from grader.classreport.attention import KINDS
from grader.classreport.similar import Similar
from grader.nbgrader_config import TEMPLATES
from grader.report import number

#: More rows than this are folded away on the page; the CSV has all of them.
_SHOWN = 30
#: Pairs whose code is shown side by side.
_BESIDE = 12


def page(found: dict[str, Any], alike: Mapping[str, Similar]) -> str:
    """The page for what `gather` found, with the code of the pairs that are alike."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "points": _points,
        "percent": _percent,
        "code": _code,
        "signed": _signed,
    }
    template = environment.get_template("class_report.html.j2")
    with rc_context(STYLE | {"svg.fonttype": "none", "font.family": "sans-serif"}):
        drawn = {unit["unit"]: _drawings(unit) for unit in found["units"]}
    beside = {slug: list(_side_by_side(found)) for slug, found in alike.items()}
    return template.render(report=found, drawn=drawn, beside=beside, kinds=KINDS, shown=_SHOWN)


def _side_by_side(found: Similar) -> Iterator[tuple[str, str, tuple[Markup, Markup]]]:
    for pair in found.pairs[:_BESIDE]:
        left, right = found.side_by_side(pair)
        # The code was escaped before the marks were set into it.
        yield pair.left, pair.right, (Markup(left), Markup(right))


def _points(value: float | None) -> str:
    return "–" if value is None else number(round(value, 2))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _code(text: str) -> Markup:
    """Escape `text` and set what stands between backticks as code."""
    parts = html.escape(text).split("`")
    whole = len(parts) % 2 == 1
    return Markup(
        "".join(f"<code>{p}</code>" if whole and i % 2 else p for i, p in enumerate(parts))
    )


# ---------------------------------------------------------------- drawings


def _drawings(unit: dict[str, Any]) -> dict[str, Markup]:
    """The unit's drawings by name, each with words that say what it shows."""
    slug, made = unit["unit"], {}
    if unit["marks"]["n"]:
        counts = ", ".join(f"{10 * i}–{10 * i + 10} %: {n}" for i, n in enumerate(unit["tenths"]))
        fig = marks.distribution(unit["tenths"], unit["marks"]["median"])
        made["marks"] = _svg(
            fig, f"{slug}-marks", f"Bar chart of the marks in {slug}: hand-ins in each tenth of "
            f"the points, with the median at {_percent(unit['marks']['median'])}. {counts}.",
        )  # fmt: skip
    exercises = unit["exercises"]
    if unit["marked"]:
        found = [e["discrimination"] for e in exercises]
        fig = marks.items(
            [e["exercise"] for e in exercises],
            [e["mean"] for e in exercises],
            [[p["mean"] for p in e["properties"]] for e in exercises],
            [(d["value"], d["low"], d["high"]) if d else None for d in found],
        )
        means = ", ".join(f"{e['exercise']} {_percent(e['mean'])}" for e in exercises)
        made["items"] = _svg(
            fig, f"{slug}-items", f"Bars of the mean share of the points of each exercise in "
            f"{slug}, a ring for each property; a table further down has the numbers. {means}.",
        )  # fmt: skip
    if unit["similar"]["compared"]:
        counts = unit["similar"]["closest_tenths"]
        shares = ", ".join(f"{10 * i}–{10 * i + 10} %: {n}" for i, n in enumerate(counts))
        made["similar"] = _svg(
            marks.closeness(counts, unit["similar"]["alike_from"]), f"{slug}-similar",
            f"Bar chart of {slug}: hand-ins by the share of their own code that their closest "
            f"classmate has too. {shares}.",
        )  # fmt: skip
    if met := unit["misconceptions"][:12]:
        fig = marks.counts(
            [f"{m['exercise']}: {m['name']}" for m in met], [m["count"] for m in met]
        )
        words = ", ".join(f"{m['name']} {m['count']}" for m in met)
        made["misconceptions"] = _svg(
            fig, f"{slug}-misconceptions",
            f"Bars of how many students met each misconception in {slug}: {words}.",
        )  # fmt: skip
    return made


def _svg(fig: Figure, name: str, words: str) -> Markup:
    """A figure as an SVG element whose ids are its own, with `words` in place of the drawing."""
    out = io.StringIO()
    fig.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    label = html.escape(words, quote=True)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1))
