"""Wrong answers to the exercises on the plain recurrent network, with words for each."""

from __future__ import annotations

import numpy as np

from grader.exercise import misconception

Array = np.ndarray
Params = dict[str, Array]


@misconception(
    "rnn_step",
    "no tanh",
    says="Your new state is the sum itself. Without the tanh the whole network is linear: "
    "many steps then do no more than one matrix product, and the state can grow without bound.",
)
def linear_recurrence(x: Array, h: Array, params: Params) -> Array:
    return x @ params["W_ih"].T + params["b_ih"] + h @ params["W_hh"].T + params["b_hh"]
