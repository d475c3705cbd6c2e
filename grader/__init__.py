"""How the course's exercises are checked and marked.

In a notebook: ``from grader import check, hint``. For an instructor: the command ``grader``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.desk import check, hint

__all__ = ["check", "hint"]


def __getattr__(name: str) -> Any:
    # The desk brings pytest and NumPy; the command line should not wait for them.
    if name in __all__:
        from grader import desk

        return getattr(desk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
