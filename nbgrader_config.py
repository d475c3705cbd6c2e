"""The nbgrader course as seen from the root: the released notebooks and the demo class.

A class of your own has a configuration of its own; `grader init DIR` writes it.
"""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "gated-recurrent-networks"
c.CourseDirectory.source_directory = "build/demo-class/source"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "build/demo-class/submitted"
c.CourseDirectory.autograded_directory = "build/demo-class/autograded"
c.CourseDirectory.feedback_directory = "build/demo-class/feedback"
c.CourseDirectory.db_url = "sqlite:///build/demo-class/gradebook.db"
# Text sources beside a notebook hold the solutions and are never released.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "*.py", "*.md"]
c.ExecutePreprocessor.timeout = 120
