"""``{live} name``: a figure that the reader moves, drawn by ``book/_static/live/name.js``.

The drawing is set into the page as by ``{diagram}`` and shows the values that the controls start
from; the script adds the controls. Without JavaScript the drawing, its description and the
sentence ``:needs:`` remain. ``:data:`` puts a part of a record into the page, as JSON, since a page
opened from a file may not fetch one.
"""

from __future__ import annotations

import html
import json
from typing import Any

from course_diagram import Diagram
from course_paths import BOOK, RESULTS, relative
from course_record import look_up
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx

SCRIPTS = BOOK / "_static" / "live"


class Live(Diagram):
    has_content = False
    option_spec = Diagram.option_spec | {
        "drawing": directives.unchanged_required,
        "needs": directives.unchanged_required,
        "data": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        script = self.arguments[0]
        if not (SCRIPTS / f"{script}.js").is_file():
            return self._complain(f"there is no script {relative(SCRIPTS)}/{script}.js")
        missing = [option for option in ("drawing", "needs") if not self.options.get(option)]
        if missing:
            return self._complain(f"the live figure {script} needs :{missing[0]}:")
        data = ""
        if "data" in self.options:
            try:
                data = self._data(self.options["data"])
            except (LookupError, OSError) as error:
                return self._complain(str(error))
        self.arguments[0] = self.options["drawing"]
        drawn = super().run()
        box = nodes.container("", classes=["live", f"live-{script}"])
        box += nodes.container("", *drawn, classes=["live-drawing"])
        box += nodes.raw("", data + self._scripts(script), format="html")
        return [box] if drawn else []

    def _scripts(self, script: str) -> str:
        up = "../" * self.env.docname.count("/")
        folder = f"{up}_static/live"
        said = html.escape(self.options["needs"])
        lines = [f'<p class="live-needs-script">{said}</p>']
        first = not self.env.temp_data.get("course_live")
        self.env.temp_data["course_live"] = True
        if first:
            lines.append(f'<link rel="stylesheet" href="{folder}/live.css">')
            lines.append(f'<script defer src="{folder}/common.js"></script>')
        lines.append(f'<script defer src="{folder}/{script}.js"></script>')
        return "\n".join(lines)

    def _data(self, address: str) -> str:
        name, _, path = address.partition(":")
        file = RESULTS / f"{name}.json"
        self.env.note_dependency(str(file))
        value: Any = look_up(json.loads(file.read_text("utf-8")), path)
        text = json.dumps(value, ensure_ascii=False).replace("</", r"<\/")
        return f'<script type="application/json" class="live-data">{text}</script>\n'


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("live", Live)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
