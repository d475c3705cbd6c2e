"""Recorded comparisons: each file is a configuration, a run and a record in book/results."""
