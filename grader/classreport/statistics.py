"""How hard an item was, and how well it tells strong work from weak: classical test theory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: With fewer hand-ins than this a correlation says next to nothing, and none is given.
FEWEST = 10


def discrimination(item: Sequence[float], total: Sequence[float]) -> dict[str, float] | None:
    """The corrected item-total correlation: of an item with the points of everything else.

    `item` and `total` are points, one for each hand-in. For an item that is passed or failed it is
    the point-biserial correlation. The interval is Fisher's, of 95 %. None for fewer than `FEWEST`
    hand-ins, and where all have the same in the item or in the rest.
    """
    mine = np.asarray(item, dtype=float)
    rest = np.asarray(total, dtype=float) - mine
    n = len(mine)
    if n < FEWEST or np.ptp(mine) < 1e-9 or np.ptp(rest) < 1e-9:
        return None
    value = float(np.clip(np.corrcoef(mine, rest)[0, 1], -1, 1))
    z = np.arctanh(np.clip(value, -0.999999, 0.999999))
    low, high = np.tanh([z - 1.96 / np.sqrt(n - 3), z + 1.96 / np.sqrt(n - 3)])
    return {"value": value, "low": float(low), "high": float(high), "n": n}


def summary(shares: Sequence[float]) -> dict[str, float | int | None]:
    """n, mean, standard deviation and quartiles of shares of the points; None where there are none.

    The standard deviation is that of a sample, and needs two.
    """
    if not len(shares):
        return {"n": 0} | dict.fromkeys(("mean", "sd", "low", "quarter", "median", "three_quarters",
                                         "high"))  # fmt: skip
    values = np.asarray(shares, dtype=float)
    low, quarter, median, upper, high = (
        float(x) for x in np.percentile(values, (0, 25, 50, 75, 100))
    )
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "low": low,
        "quarter": quarter,
        "median": median,
        "three_quarters": upper,
        "high": high,
    }


def tenths(shares: Sequence[float]) -> list[int]:
    """How many shares lie in each tenth from 0 to 1; the last one holds full marks too."""
    # The small step up puts 0.3, which is a little less than 3/10 in binary, where people put it.
    places = np.clip(np.floor(np.asarray(shares, dtype=float) * 10 + 1e-9), 0, 9).astype(int)
    return [int(count) for count in np.bincount(places, minlength=10)]
