"""What is left out to start sooner is left out for that moment only."""

import subprocess
import sys

PROGRAM = """
import sys
import grader.cli
import jsonschema
assert "rfc3987_syntax" not in sys.modules
import rfc3987_syntax  # whoever wants it still gets it
from jsonschema import Draft7Validator, FormatChecker
plain = Draft7Validator({"type": "string", "format": "ipv4"}, format_checker=FormatChecker())
print(plain.is_valid("127.0.0.1"), plain.is_valid("127.0.0.1.1"), plain.is_valid(3))
"""


def test_jsonschema_works_and_the_grammar_can_still_be_imported():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "False", "False"]
