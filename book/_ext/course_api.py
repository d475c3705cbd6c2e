"""The API page points back at the book: an equation's label in a docstring becomes a link to it.

Docstrings name equations as ``eq-gru-h`` in double backquotes. A label whose chapter is not in
the book yet stays as it is written, on the API page alone; elsewhere a wrong label stops the
build.
"""

from __future__ import annotations

from course_source import LABEL
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode


def _link_equations(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    lines[:] = [LABEL.sub(r":eq:`\1`", line) for line in lines]


def _keep_label(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Node | None:
    if node.get("reftype") == "eq" and node.get("refdoc") == "book/api":
        return nodes.literal(node["reftarget"], node["reftarget"])
    return None


def _find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Node | None:
    """Lead a name by its defining module, a.b.c.f, to where the package offers it, a.b.f."""
    module, _, name = node["reftarget"].rpartition(".")
    public = f"{module.rpartition('.')[0]}.{name}"
    documented = env.get_domain("py").objects
    if node.get("refdomain") != "py" or public not in documented:
        return None
    entry = documented[public]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, public)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _link_equations)
    app.connect("missing-reference", _keep_label)
    app.connect("missing-reference", _find_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
