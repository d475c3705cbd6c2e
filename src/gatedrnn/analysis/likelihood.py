"""What a mean negative log-likelihood is called in other units."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def perplexity(nll: Sequence[NDArray[np.float64]], mask: Sequence[NDArray[np.bool_]]) -> float:
    """Return exp of the mean over all real tokens of all batches, in one mean.

    Equation ``eq-perplexity``. Takes for each batch the negative log-likelihoods in nats (B, T) and
    a mask (B, T) that is true at real tokens; what stands at the others is never read.
    Raises ValueError when no token is real.
    """
    total = sum(float(batch[keep].sum()) for batch, keep in zip(nll, mask, strict=True))
    count = sum(int(keep.sum()) for keep in mask)
    if count == 0:
        raise ValueError("A perplexity needs at least one real token, and the mask has none.")
    return math.exp(total / count)
