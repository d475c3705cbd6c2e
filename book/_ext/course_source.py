"""``{source} gatedrnn.equations.gru_step``: the source of a function or class, shown by its name.

The file is read and not imported (fast, and the page need not wait for torch); a name that a
package re-exports is followed to the module that defines it. The page is rebuilt when that file
changes.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from course_paths import SRC, relative
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# A docstring names an equation of the book by its label.
LABEL = re.compile(r"``(eq-[a-z0-9-]+)``")


def module_file(dotted: str) -> Path | None:
    """Return the file of a module or package of ours, or None."""
    base = SRC.joinpath(*dotted.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def locate(dotted: str) -> tuple[list[Path], Definition]:
    """Return the files read on the way (the last one defines it) and the definition's syntax tree.

    Raises LookupError with one sentence when the name leads nowhere.
    """
    parts = dotted.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:cut])
        if module_file(module):
            return _within(module, parts[cut:])
    raise LookupError(f"there is no module of the package in the name {dotted}")


def _within(module: str, names: list[str]) -> tuple[list[Path], Definition]:
    path = module_file(module)
    if path is None:
        raise LookupError(f"there is no module {module}")
    tree = ast.parse(path.read_text("utf-8"))
    found = _definition(tree.body, names)
    if found is not None:
        return [path], found
    # Names that are imported at first use stand below `if TYPE_CHECKING:`.
    later = [s for block in tree.body if isinstance(block, ast.If) for s in block.body]
    for statement in [*tree.body, *later]:
        if not isinstance(statement, ast.ImportFrom):
            continue
        for alias in statement.names:
            if (alias.asname or alias.name) == names[0]:
                source = _absolute(module, path, statement)
                files, found = _within(source, [alias.name, *names[1:]])
                return [path, *files], found
    raise LookupError(f"{module} has no function or class named {'.'.join(names)}")


def _definition(body: list[ast.stmt], names: list[str]) -> Definition | None:
    for statement in body:
        if isinstance(statement, Definition) and statement.name == names[0]:
            return _definition(statement.body, names[1:]) if names[1:] else statement
    return None


def _absolute(module: str, path: Path, statement: ast.ImportFrom) -> str:
    if not statement.level:
        return statement.module or ""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = package[: len(package) - statement.level + 1]
    return ".".join([*package, *([statement.module] if statement.module else [])])


def labels_in(definition: Definition) -> list[str]:
    """Return the labels of equations that a docstring names, each once."""
    return list(dict.fromkeys(LABEL.findall(ast.get_docstring(definition) or "")))


def source_text(path: Path, found: Definition, with_docstring: bool = True) -> str:
    """Return the definition as it stands in the file, with its decorators, at the left edge."""
    lines = path.read_text("utf-8").splitlines()
    first = min([found.lineno, *(item.lineno for item in found.decorator_list)])
    dropped: set[int] = set()
    if not with_docstring and ast.get_docstring(found) is not None:
        text = found.body[0]
        dropped = set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
        while (following := max(dropped) + 1) <= len(lines) and not lines[following - 1].strip():
            dropped.add(following)
    kept = [
        lines[number - 1]
        for number in range(first, (found.end_lineno or first) + 1)
        if number not in dropped
    ]
    indent = len(kept[0]) - len(kept[0].lstrip())
    return "\n".join(line[indent:] for line in kept)


class Source(SphinxDirective):
    required_arguments = 1
    option_spec = {"nodoc": directives.flag, "nolink": directives.flag}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        try:
            files, found = locate(name)
        except LookupError as error:
            LOGGER.warning("source: %s.", error, location=self.get_location(), type="course")
            return []
        for path in files:
            self.env.note_dependency(str(path))
        text = source_text(files[-1], found, with_docstring="nodoc" not in self.options)
        box = nodes.container("", literal_block=True, classes=["source-listing"])
        caption = nodes.caption("", "")
        caption += self._title(name, found)
        caption += nodes.inline("", f" in {relative(files[-1])}", classes=["source-path"])
        if labels := labels_in(found):
            caption += nodes.inline("", "", trace_labels=labels)  # course_trace fills it
        box += caption
        box += nodes.literal_block(text, text, language="python")
        self.set_source_info(box)
        return [box]

    def _title(self, name: str, found: Definition) -> nodes.Node:
        label = nodes.literal(name, name, classes=["xref", "py"])
        if "nolink" in self.options:
            return label
        kind = "class" if isinstance(found, ast.ClassDef) else "func"
        xref = addnodes.pending_xref(
            "", label, refdomain="py", reftype=kind, reftarget=name, refexplicit=True, refwarn=True
        )
        xref["refdoc"] = self.env.docname
        return xref


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("source", Source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
