"""Mark the gallery in a class of its own and print the table: `python -m tests.grader.gallery`.

Arguments name kinds or entries, as in `lying broken/deep`; `--jobs N` marks with N processes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.grader.gallery import entries
from tests.grader.gallery.run import make_class, mark_gallery, seats


def main(arguments: list[str]) -> int:
    jobs = 2
    if "--jobs" in arguments:
        at = arguments.index("--jobs")
        jobs, arguments = int(arguments[at + 1]), arguments[:at] + arguments[at + 2 :]

    def wanted(kind: str, name: str) -> bool:
        return not arguments or kind in arguments or f"{kind}/{name}" in arguments

    chosen = [e for e in entries() if wanted(e.kind, e.name)]
    with tempfile.TemporaryDirectory(prefix="gallery-", ignore_cleanup_errors=True) as folder:
        result = mark_gallery(make_class(Path(folder) / "class", chosen), chosen, jobs)
        wrong = {s.student: w for s in seats(chosen) if (w := result.wrong(s))}
        for student, words in wrong.items():
            print(f"{student!r}: {words}")
        print("\n".join(result.left_behind))
        print(result.table())
    return 1 if wrong or result.left_behind else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
