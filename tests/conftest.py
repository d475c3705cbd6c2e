"""The tests' world is stricter than the user's: no warning passes unread, no example is random."""

import difflib
import os
import re
from pathlib import Path

# The tensors of the tests are small: more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Keras reads its backend at import; torch is the one that the course installs.
os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest
from hypothesis import settings

settings.register_profile("course", derandomize=True, deadline=None, max_examples=25)
settings.load_profile("course")

PACKAGE_TESTS = Path(__file__).parent / "gatedrnn"
BOOK = Path(__file__).parents[1] / "book"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--equation",
        metavar="LABEL",
        help="run the tests that hold the code against this equation of the book: eq-gru-h",
    )
    parser.addoption(
        "--renew-drawings",
        action="store_true",
        help="keep the drawings of the book as they are now, for later runs to compare with",
    )


def labels_of_the_book() -> list[str]:
    found = (re.findall(r"^\$\$ \((eq-[\w-]+)\)$", page.read_text("utf-8"), re.M)
             for page in sorted(BOOK.glob("*.md")))  # fmt: skip
    return [label for labels in found for label in labels]


def pytest_configure(config: pytest.Config) -> None:
    label = config.getoption("equation", None)
    known = labels_of_the_book()
    if label is not None and label not in known:
        near = difflib.get_close_matches(label, known, n=4, cutoff=0.4) or known[:4]
        raise pytest.UsageError(
            f"The book has no equation {label!r}; near it are {', '.join(near)}, and the page "
            "book/trace.md lists them all."
        )


def equations_of(item: pytest.Item) -> set[str]:
    """The labels that a test's marks name; a mark with `cases` counts for these values alone."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    texts = {value for value in values if isinstance(value, str)}
    labels: set[str] = set()
    for mark in item.iter_markers("equation"):
        if "cases" not in mark.kwargs or texts & set(mark.kwargs["cases"]):
            labels |= set(mark.args)
    return labels


def keep_equation(config: pytest.Config, items: list[pytest.Item], label: str) -> None:
    kept = [item for item in items if label in equations_of(item)]
    if not kept:
        named = sorted(set().union(*map(equations_of, items)))
        near = difflib.get_close_matches(label, named, n=4)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise pytest.UsageError(f"No test that was collected is marked with {label}{hint}.")
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if label := config.getoption("equation", None):
        keep_equation(config, items, label)
    for item in items:
        if PACKAGE_TESTS in item.path.parents:
            # First in the list, so that a test's own filters, which come later, win.
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)
