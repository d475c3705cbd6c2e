"""One IPython for every test that needs a live notebook: IPython allows one to a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A notebook's namespace, empty at the start and at the end of the test."""
    main = sys.modules["__main__"]
    notebook = InteractiveShell.instance()
    notebook.reset(new_session=True)
    yield notebook
    notebook.reset(new_session=True)
    # IPython puts its own module in this place; a process that is started from here reads it.
    sys.modules["__main__"] = main
