"""What every cell shares: two affine maps, one of the input and one of the state, in gate blocks.

Shapes: B batch, D input size, H hidden size, G number of blocks (RNN 1, GRU 3, LSTM 4).
A dot stands for any leading axes: (B,) for one step, (B, T) for all steps at once.
"""

from collections.abc import Mapping

import numpy as np

Params = Mapping[str, np.ndarray]


def affine(v: np.ndarray, W: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """W v + b for every row of v: (..., D) and (R, D) give (..., R); no b means no bias."""
    return v @ W.T if b is None else v @ W.T + b


def projections(
    x: np.ndarray, h: np.ndarray, params: Params, blocks: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Blocks of W_ih x + b_ih and of W_hh h + b_hh, one pair for each gate or candidate.

    Takes x (..., D), h (..., H); returns two lists of ``blocks`` arrays (..., H).
    Raises ValueError when a shape does not fit.
    """
    check_shapes(x, h, params, blocks)
    from_input = affine(x, params["W_ih"], params.get("b_ih"))
    from_state = affine(h, params["W_hh"], params.get("b_hh"))
    return _split(from_input, blocks), _split(from_state, blocks)


def _split(rows: np.ndarray, blocks: int) -> list[np.ndarray]:
    # As np.split does, in a tenth of its time: it is called twice for each step.
    H = rows.shape[-1] // blocks
    return [rows[..., block * H : (block + 1) * H] for block in range(blocks)]


def input_side_gradients(da: np.ndarray, x: np.ndarray, params: Params) -> dict[str, np.ndarray]:
    """Gradients of W_ih x + b_ih with respect to x, W_ih and b_ih, given da = dL/d(W_ih x + b_ih).

    Takes da (..., G*H), x (..., D); sums over the leading axes, so that a whole sequence costs
    one product.
    """
    gradients = {"x": da @ params["W_ih"], "W_ih": sum_of_outer_products(da, x)}
    if "b_ih" in params:
        gradients["b_ih"] = sum_of_rows(da)
    return gradients


def state_side_gradients(da: np.ndarray, h: np.ndarray, params: Params) -> dict[str, np.ndarray]:
    """Gradients of W_hh h + b_hh with respect to W_hh and b_hh, given da = dL/d(W_hh h + b_hh).

    Takes da (..., G*H), h (..., H).
    The gradient with respect to h is not here: it is needed at every step, inside the loop.
    """
    gradients = {"W_hh": sum_of_outer_products(da, h)}
    if "b_hh" in params:
        gradients["b_hh"] = sum_of_rows(da)
    return gradients


def sum_of_outer_products(da: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Sum of da v^T over the leading axes, as one product: (..., R), (..., C) give (R, C)."""
    return da.reshape(-1, da.shape[-1]).T @ v.reshape(-1, v.shape[-1])


def sum_of_rows(da: np.ndarray) -> np.ndarray:
    """Sum over the leading axes: (..., R) gives (R,)."""
    return da.reshape(-1, da.shape[-1]).sum(axis=0)


def check_shapes(x: np.ndarray, h: np.ndarray, params: Params, blocks: int) -> None:
    """Raise ValueError, in one sentence, when x, h and params do not fit together."""
    for name in ("W_ih", "W_hh"):
        if name not in params:
            raise ValueError(f"params needs the key {name!r}, but it has {sorted(params)}.")
    W_ih, W_hh = params["W_ih"], params["W_hh"]
    if W_hh.ndim != 2 or W_hh.shape[0] != blocks * W_hh.shape[1]:
        raise ValueError(f"W_hh must have shape {_rows(blocks)}, H), but it has {W_hh.shape}.")
    H = W_hh.shape[1]
    if W_ih.ndim != 2 or W_ih.shape[0] != blocks * H:
        raise ValueError(
            f"W_ih must have shape {_rows(blocks)}, D) = ({blocks * H}, D) to go with W_hh "
            f"{W_hh.shape}, but it has {W_ih.shape}."
        )
    for name in ("b_ih", "b_hh"):
        if name in params and params[name].shape != (blocks * H,):
            raise ValueError(
                f"{name} must have shape {_rows(blocks)},) = ({blocks * H},), "
                f"but it has {params[name].shape}."
            )
    if x.shape[-1:] != W_ih.shape[1:]:
        raise ValueError(
            f"the last axis of x must have D = {W_ih.shape[1]} features to go with W_ih "
            f"{W_ih.shape}, but x has shape {x.shape}."
        )
    if h.shape != (*x.shape[:-1], H):
        raise ValueError(
            f"the state must have shape {(*x.shape[:-1], H)} to go with x {x.shape} "
            f"and W_hh {W_hh.shape}, but it has {h.shape}."
        )


def _rows(blocks: int) -> str:
    return "(H" if blocks == 1 else f"({blocks}*H"
