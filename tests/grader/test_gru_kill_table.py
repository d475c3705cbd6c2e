"""The chapter on the GRU prints which wrong cells each of six test designs lets through."""

import numpy as np
import pytest

from gatedrnn.equations import gru_step, gru_unroll
from grader.designs import DESIGNS, survivors
from grader.misconceptions.gru import NINE_WRONG_CELLS

# The curriculum's table. Only the first row depends on numbers chosen by hand.
TABLE = [
    {
        "reset before the product",
        "b_hn outside the reset",
        "no reset gate",
        "W_hn transposed",
        "one gate value for all units",
        "r and z swapped",
    },
    {"reset before the product", "b_hn outside the reset", "no reset gate", "W_hn transposed"},
    {"W_hn transposed"},
    {"b_hn outside the reset"},
    {"W_hn transposed", "one gate value for all units"},
    set(),
]


def test_nine_cells_and_six_designs():
    assert len({wrong.name for wrong in NINE_WRONG_CELLS}) == 9
    assert len(DESIGNS) == len(TABLE) == 6


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("design", "expected"), list(zip(DESIGNS, TABLE, strict=True)), ids=[d.words for d in DESIGNS]
)
def test_survivors(design, expected, seed):
    assert set(survivors(design, seed)) == expected


def test_the_right_cell_survives_every_design():
    for design in DESIGNS:
        x, h, params = design.draw(np.random.default_rng(0))
        _, expected = gru_unroll(x, h, params)
        for t in range(x.shape[1]):
            h = gru_step(x[:, t], h, params)
        assert np.abs(h - expected).max() < design.atol
