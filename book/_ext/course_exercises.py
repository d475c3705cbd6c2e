"""``{exercise-links} gru_cell``: a box that leads from a paragraph to its exercise.

The unit is the page's own name unless ``:unit:`` says otherwise. The points and the heading are
read from the released notebook, so that the book cannot promise another number than the marking
gives. A course that has a public copy on GitHub names it in ``course_repository`` (owner/name);
each exercise then also opens in Colab and in Binder.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from course_paths import ROOT, relative
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from mdit_py_plugins.anchors.index import slugify
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


def notebook_path(unit: str) -> Path:
    return ROOT / "notebooks" / unit / f"{unit}.ipynb"


def calls_check(exercise: str, source: str) -> bool:
    return f'check("{exercise}"' in source or f"check('{exercise}'" in source


def points_of(exercise: str, notebook: Path) -> float:
    """Return the points of the notebook's cells that call the exercise's checks."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    return sum(
        cell.get("metadata", {}).get("nbgrader", {}).get("points", 0)
        for cell in cells
        if calls_check(exercise, "".join(cell["source"]))
    )


def heading_of(exercise: str, notebook: Path) -> str:
    """Return the heading above the first cell that calls the exercise's checks, or nothing."""
    heading = ""
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = (re.findall(r"^##+ (.+)$", source, re.M) or [heading])[-1]
        elif calls_check(exercise, source):
            return heading
    return ""


def places(unit: str, repository: str) -> list[str]:
    """Return the links that open a notebook elsewhere, in Markdown."""
    path = f"{unit}/{unit}.ipynb"
    found = [f"[your JupyterLab](http://localhost:8888/lab/tree/{path}) (after `make lab`)"]
    if repository:
        colab = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{path}"
        binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab/tree/notebooks/{path}"
        package = f'%pip install -q "gatedrnn[check] @ git+https://github.com/{repository}"'
        found += [f"[Colab]({colab}) (first run `{package}` there)", f"[Binder]({binder})"]
    return found


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
        anchor = slugify(heading_of(exercise, notebook))
        target = f"/notebooks/{unit}/{unit}.ipynb" + (f"#{anchor}" if anchor else "")
        box = nodes.admonition(classes=["admonition", "exercise-links"])
        box += nodes.title("", "", nodes.Text("Exercise "), nodes.literal(exercise, exercise))
        elsewhere = ", ".join(places(unit, self.config.course_repository))
        line = f"{worth}. [Read it]({target}) in the notebook `{unit}`, open it in {elsewhere}, or"
        source = self.get_source_info()[0]
        self.state.nested_parse(StringList([line], source=source), self.content_offset, box)
        last = box.children[-1]
        last += [nodes.Text(" "), self._download(unit), nodes.Text(".")]
        return [box]

    def _download(self, unit: str) -> nodes.Node:
        target = f"/notebooks/{unit}/{unit}.ipynb"
        return addnodes.download_reference(
            "", "", nodes.inline("", "download it"), refdoc=self.env.docname, reftarget=target
        )


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("course_repository", "", "env")
    app.add_directive("exercise-links", ExerciseLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
