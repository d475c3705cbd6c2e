"""Who may import whom, how long it takes, and whether the equations' labels exist."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "gatedrnn"
FILES = sorted(PACKAGE.rglob("*.py"))

# Which parts of the package (first column) may import each of these.
LIBRARIES = {
    "torch": {"bench", "cells", "kernels", "data", "training", "models", "analysis", "experiments"},
    "matplotlib": {"figures"},
    "equations": {"bench", "cells", "kernels", "analysis", "experiments"},
    "cells": {"", "bench", "cells", "kernels", "models", "analysis", "experiments"},
    "training": {"training", "experiments"},
    "figures": {"figures"},
}
NOWHERE = {"grader", "book", "solutions", "tests", "notebooks"}


def imports(path):
    """(line number, line, imported module) for each import of a file, relative ones resolved."""
    text = path.read_text(encoding="utf-8")
    package = list(path.relative_to(SOURCE).with_suffix("").parts[:-1])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # "from .. import x" may name a part of the package, "from .x import y" names x.
            names = [f"{module}.{a.name}" for a in node.names] if module == "gatedrnn" else [module]
        else:
            continue
        for name in names:
            yield node.lineno, text.splitlines()[node.lineno - 1].strip(), name


def complaint(part, module):
    """Why a part of the package may not import a module, or None."""
    top, *rest = module.split(".")
    own = rest[0] if top == "gatedrnn" and rest else None
    if top in NOWHERE:
        return f"nothing in src imports {top}"
    if part == "equations" and not (
        own == "equations" or top == "numpy" or top in sys.stdlib_module_names
    ):
        return "equations may import numpy, the standard library and itself, nothing else"
    library = own or top
    allowed = LIBRARIES.get(library)
    if own == part or allowed is None or part in allowed:
        return None
    return f"{library} is for {', '.join(sorted(filter(None, allowed)))} only"


def part_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_part_imports_what_it_may(path):
    complaints = [
        f"{path.relative_to(ROOT)}:{number}: {line}\n    {reason}"
        for number, line, module in imports(path)
        if (reason := complaint(part_of(path), module))
    ]
    assert not complaints, "\n".join(["", *complaints])


@pytest.mark.parametrize(
    ("part", "module", "allowed"),
    [
        ("equations", "torch", False),
        ("equations", "numpy", True),
        ("equations", "gatedrnn.cells", False),
        ("equations", "gatedrnn.equations.gru", True),
        ("figures", "matplotlib.pyplot", True),
        ("figures", "torch", False),
        ("cells", "matplotlib", False),
        ("training", "gatedrnn.cells.layers", False),
        ("training", "grader.record", False),
        ("models", "gatedrnn.cells", True),
        ("experiments", "gatedrnn.training", True),
    ],
)
def test_the_rules_say_what_the_design_says(part, module, allowed):
    assert (complaint(part, module) is None) == allowed


def test_relative_imports_are_seen(tmp_path, monkeypatch):
    path = tmp_path / "gatedrnn" / "equations" / "bad.py"
    path.parent.mkdir(parents=True)
    path.write_text("from ..cells import GRU\nfrom .. import figures\nfrom .gru import gru_step\n")
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    found = [module for _, _, module in imports(path)]
    assert found == ["gatedrnn.cells", "gatedrnn.figures", "gatedrnn.equations.gru"]


def python(code):
    """Standard output of a fresh interpreter that finds the package as this one does."""
    code = f"import sys; sys.path[:] = {sys.path!r}\n{code}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("module", ["gatedrnn", "gatedrnn.equations", "gatedrnn.analysis.counts"])
def test_what_needs_no_torch_does_not_import_it(module):
    heavy = "{'torch', 'matplotlib', 'keras', 'onnx'}"
    assert python(f"import {module}; print({heavy} & set(sys.modules))") == "set()\n"


def test_the_layers_cost_no_more_than_torch_and_a_tenth_of_a_second():
    # Processor time, so that a busy machine does not count; the best of three, so that a cold
    # disk does not either.
    code = """
import time, torch
start = time.process_time()
from gatedrnn import RNN, GRU, LSTM, RNNCell, GRUCell, LSTMCell
print(time.process_time() - start)
assert 'matplotlib' not in sys.modules
"""
    assert min(float(python(code)) for _ in range(3)) < 0.1


def test_the_package_lists_its_names_and_refuses_others():
    import gatedrnn

    assert set(gatedrnn.__all__) <= set(dir(gatedrnn))
    with pytest.raises(AttributeError, match="module 'gatedrnn' has no attribute 'Gru'"):
        gatedrnn.Gru  # noqa: B018


# ---------------------------------------------------------------------------- labels

LABEL = re.compile(r"``(eq-[a-z0-9-]+)``")
BOOK = ROOT / "book"
UNITS = {"rnn", "gradients", "gru", "lstm"}  # whose equations stand in chapters of their own


def is_written(label):
    """Whether the page that should hold an equation exists: eq-<unit>-... stands in the unit's
    chapter, and any other on the page of notation or in one of the chapters."""
    unit = label.split("-")[1]
    pages = {unit} if unit in UNITS else {"notation", *UNITS}
    return all((BOOK / f"{page}.md").exists() for page in pages)


def labels_in_docstrings():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for label in LABEL.findall(ast.get_docstring(node) or ""):
                    yield label, f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}"


def labels_in_book():
    text = "\n".join(path.read_text(encoding="utf-8") for path in BOOK.glob("**/*.md"))
    dollar = re.findall(r"\$\$\s*\((eq-[a-z0-9-]+)\)", text)
    directive = re.findall(r"^:label:\s*(eq-[a-z0-9-]+)", text, flags=re.MULTILINE)
    return set(dollar + directive)


def test_labels_named_in_docstrings_exist_in_the_book():
    known = labels_in_book()
    missing = [
        f"{where} names {label}"
        for label, where in labels_in_docstrings()
        if is_written(label) and label not in known
    ]
    assert not missing, "\n".join(["no such equation in book/:", *missing])
