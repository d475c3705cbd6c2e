"""The tests' world is stricter than the user's: no warning passes unread, no example is random."""

import os
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if PACKAGE_TESTS in item.path.parents:
            # First in the list, so that a test's own filters, which come later, win.
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)
