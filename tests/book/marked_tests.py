"""A plugin of pytest: at the end of a collection, the equations of each test, as one line of JSON.

python -m pytest tests/gatedrnn --collect-only -q -p tests.book.marked_tests
"""

import json

import pytest

from tests.conftest import equations_of

SIGN = "equations of the tests: "


def pytest_collection_finish(session: pytest.Session) -> None:
    found: dict[str, list[str]] = {}
    for item in session.items:
        test = item.nodeid.rpartition("/")[2].partition("[")[0]
        for label in equations_of(item):
            found.setdefault(label, []).append(test)
    print("\n" + SIGN + json.dumps({label: sorted(set(tests)) for label, tests in found.items()}))
