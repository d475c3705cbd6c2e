"""The wrong answers that people really give, one module for each unit."""
