"""The checks, one module for each unit; each check is a pytest test function."""
