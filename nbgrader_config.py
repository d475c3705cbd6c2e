"""The nbgrader course as seen from the root: the released notebooks and the demo class.

A class of your own has a configuration of its own; `grader init DIR` writes it.
"""

from grader.nbgrader_config import configure

c = get_config()  # noqa: F821

configure(c)
c.CourseDirectory.source_directory = "build/demo-class/source"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "build/demo-class/submitted"
c.CourseDirectory.autograded_directory = "build/demo-class/autograded"
c.CourseDirectory.feedback_directory = "build/demo-class/feedback"
c.CourseDirectory.db_url = "sqlite:///build/demo-class/gradebook.db"
