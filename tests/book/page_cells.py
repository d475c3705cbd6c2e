"""Run the code cells of a page of the book, in order and in one namespace, without building it."""

import ast
import contextlib
import io
from typing import Any

import jupytext
from nbformat import NotebookNode

from .conftest import ROOT


def cells_of(page: str, text: str | None = None) -> list[NotebookNode]:
    """Return the cells of book/<page>.md, or of another text of that page."""
    text = (ROOT / "book" / f"{page}.md").read_text("utf-8") if text is None else text
    return jupytext.reads(text, fmt="md:myst").cells


def run_cell(source: str, names: dict[str, Any]) -> tuple[Any, str]:
    """Run one cell; return the value of its last line, and what it printed."""
    lines = [line for line in source.splitlines() if not line.startswith((":", "%"))]
    tree = ast.parse("\n".join(lines))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
    return value, printed.getvalue()


def run_page(page: str, text: str | None = None) -> dict[str, Any]:
    """Run a whole page, and return its names."""
    names: dict[str, Any] = {}
    for cell in cells_of(page, text):
        if cell.cell_type == "code":
            run_cell(cell.source, names)
    return names
