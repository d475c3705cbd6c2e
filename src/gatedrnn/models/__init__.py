"""Models: one file for each application."""
