"""``{exercise-links} gru_cell``: a box that leads from a paragraph to its exercise.

The unit is the page's own name unless ``:unit:`` says otherwise. The points are read from the
released notebook, so that the book cannot promise another number than the marking gives.
"""

from __future__ import annotations

import json
from pathlib import Path

from course_paths import ROOT, relative
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


def notebook_path(unit: str) -> Path:
    return ROOT / "notebooks" / unit / f"{unit}.ipynb"


def points_of(exercise: str, notebook: Path) -> float:
    """Return the points of the notebook's cells that call the exercise's checks."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    calls = [f'check("{exercise}"', f"check('{exercise}'"]
    total = 0.0
    for cell in cells:
        source = "".join(cell["source"])
        if any(call in source for call in calls):
            total += cell.get("metadata", {}).get("nbgrader", {}).get("points", 0)
    return total


class ExerciseLinks(SphinxDirective):
    required_arguments = 1
    option_spec = {"unit": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        exercise = self.arguments[0]
        unit = self.options.get("unit", Path(self.env.docname).name)
        notebook = notebook_path(unit)
        if not notebook.is_file():
            LOGGER.warning(
                "exercise-links: there is no %s.",
                relative(notebook),
                location=self.get_location(),
                type="course",
            )
            return []
        self.env.note_dependency(str(notebook))
        points = points_of(exercise, notebook)
        if not points:
            LOGGER.warning(
                "exercise-links: no cell of %s with points calls check(%r).",
                relative(notebook),
                exercise,
                location=self.get_location(),
                type="course",
            )
        worth = "1 point" if points == 1 else f"{points:g} points"
        box = nodes.admonition(classes=["admonition", "exercise-links"])
        box += nodes.title("", "", nodes.Text("Exercise "), nodes.literal(exercise, exercise))
        line = nodes.paragraph()
        line += nodes.Text(f"{worth}, in ")
        line += self._page_link(unit)
        line += nodes.Text(" (")
        line += self._download(unit)
        line += nodes.Text("). On your machine, ")
        line += nodes.literal("make lab", "make lab")
        line += nodes.Text(" opens JupyterLab beside it.")
        box += line
        return [box]

    def _page_link(self, unit: str) -> nodes.Node:
        label = nodes.inline("", f"the notebook {unit}")
        xref = addnodes.pending_xref(
            "",
            label,
            refdomain="std",
            reftype="doc",
            reftarget=f"/notebooks/{unit}/{unit}",
            refexplicit=True,
            refwarn=True,
        )
        xref["refdoc"] = self.env.docname
        return xref

    def _download(self, unit: str) -> nodes.Node:
        target = f"/notebooks/{unit}/{unit}.ipynb"
        return addnodes.download_reference(
            "", "", nodes.inline("", "download"), refdoc=self.env.docname, reftarget=target
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("exercise-links", ExerciseLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
