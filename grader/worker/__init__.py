"""The process that runs a student's notebook, and how the marking process talks to it.

`main` is the process's own side and knows nothing of checks, answers or the reference; `channel`
carries plain data; `launch` starts and ends the process.
"""
