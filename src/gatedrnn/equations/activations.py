"""The logistic function, written so that no argument overflows."""

import numpy as np


def sigmoid(a: np.ndarray) -> np.ndarray:
    """Logistic function 1 / (1 + exp(-a)), element by element.

    Takes and returns an array of any shape.
    """
    e = np.exp(-np.abs(a))  # never more than 1, so that nothing overflows
    return np.where(a >= 0, 1.0, e) / (1.0 + e)
