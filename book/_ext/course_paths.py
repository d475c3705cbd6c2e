"""Where things lie in the repository: the one place that knows, for the directives of the book."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
SRC = ROOT / "src"
DIAGRAMS = BOOK / "_diagrams"
QUIZZES = BOOK / "_quizzes"
RESULTS = BOOK / "results"


def relative(path: Path) -> str:
    """Return the path as a reader of the repository writes it."""
    return path.resolve().relative_to(ROOT).as_posix()
