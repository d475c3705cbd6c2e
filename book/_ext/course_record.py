"""``{record}`name:path|format` ``: a number in prose, looked up in ``book/results/name.json``.

The path is keys and list indices joined by dots; a key that itself holds a dot is written in
brackets, as in ``values.[0.5].mean``. After ``|`` comes a Python format specification, or
``code`` to set the value as code, or ``power`` to write it as 8.1 times a power of ten. A missing
record, path or a format that does not fit is a warning, and the build stops on it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from course_paths import RESULTS, relative
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

LOGGER = logging.getLogger(__name__)
MINUS = "\N{MINUS SIGN}"


def look_up(record: Any, path: str) -> Any:
    """Return the value at the path; raise LookupError with the keys that were there instead."""
    value = record
    for key in re.findall(r"\[([^\]]+)\]|([^.\[\]]+)", path):
        step = key[0] or key[1]
        if isinstance(value, list) and _is_index(step, len(value)):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            there = ", ".join(value) if isinstance(value, dict) else f"{type(value).__name__}"
            raise LookupError(f"no {step!r} in {path!r}; there is: {there}")
    return value


def _is_index(step: str, length: int) -> bool:
    return re.fullmatch(r"-?\d+", step) is not None and -length <= int(step) < length


def read_value(text: str, results: Path = RESULTS) -> tuple[Path, str, str]:
    """Return the record's file, the formatted value, and the format, for one role's text."""
    address, _, form = text.partition("|")
    name, colon, path = address.strip().partition(":")
    if not colon or not path:
        raise LookupError(f"write name:path|format, not {text!r}")
    file = results / f"{name}.json"
    if not file.is_file():
        raise LookupError(f"there is no record {name}.json in the results")
    value = look_up(json.loads(file.read_text("utf-8")), path)
    if isinstance(value, dict | list):
        raise LookupError(f"{address} is not a single value")
    form = form.strip()
    try:
        if form == "power":
            shown = power_of_ten(value)
        else:
            shown = str(value) if form in ("", "code") else format(value, form)
    except (TypeError, ValueError) as error:
        raise LookupError(f"{value!r} cannot be written as {form!r}: {error}") from error
    return file, shown, form


def power_of_ten(value: float) -> str:
    """Return the value with two digits, in TeX: a power of ten only where one is easier to read."""
    if 1e-3 <= abs(value) < 1e3:
        return f"{value:.2g}"
    digits, exponent = f"{value:.1e}".split("e")
    return rf"{digits} \times 10^{{{int(exponent)}}}"


class Record(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            file, shown, form = read_value(self.text)
        except LookupError as error:
            LOGGER.warning("record: %s.", error, location=self.get_location(), type="course")
            return [nodes.strong("", "missing record")], []
        self.env.note_dependency(str(file))
        if form == "code":
            return [nodes.literal(shown, shown)], []
        if form == "power":
            return [nodes.math(shown, shown)], []
        shown = shown.replace("-", MINUS) if re.match(r"-[\d.]", shown) else shown
        return [nodes.inline("", shown, classes=["record"], title=relative(file))], []


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("record", Record())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
