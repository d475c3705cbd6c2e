"""Start sooner; imported before anything else of the course.

nbformat brings jsonschema, which builds a grammar of internationalised addresses when it is
imported. That takes longer than all the rest together, and no notebook's schema has such addresses.
"""

import sys

if "jsonschema" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        import jsonschema  # noqa: F401
    finally:
        del sys.modules["rfc3987_syntax"]
