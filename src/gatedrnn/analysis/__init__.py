"""Measurements of the cells: what they cost, and what their results are worth."""
