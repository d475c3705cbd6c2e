"""The nbgrader course as seen from here: the demo class, so that formgrader shows a marked one.

A class of your own has a configuration of its own: `grader init DIR`.
"""

from pathlib import Path

from grader.nbgrader_config import configure

c = get_config()  # noqa: F821
configure(c)

_DEMO = Path(__file__).parent / "build" / "demo-class"
if _DEMO.is_dir():
    c.CourseDirectory.root = str(_DEMO)
