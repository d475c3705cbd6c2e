"""How far a gradient reaches: Jacobians by lag, their rate of decay, and what decides their fate.

Shapes: x (B, T, D), h0 (B, H); the parameters are those of one RNN layer with a tanh.
"""

import numpy as np

from gatedrnn.equations import rnn_unroll

Params = dict[str, np.ndarray]

VANISHES, GROWS_FIRST, EXPLODES = "vanishes", "grows, then vanishes", "explodes"


def lag_jacobians(x: np.ndarray, h0: np.ndarray, params: Params) -> np.ndarray:
    """The Jacobians d h_T / d h_{T-k} of an RNN for k = 0, 1, ..., T: (B, T + 1, H, H).

    Equation ``eq-lag-jacobian``.
    Entry k is a product of k Jacobians of one step, the latest on the left; entry 0 is the
    identity.
    """
    outputs, _ = rnn_unroll(x, h0, params)
    B, T, H = outputs.shape
    products = [np.broadcast_to(np.eye(H), (B, H, H))]
    for t in reversed(range(T)):
        slope = 1 - outputs[:, t] ** 2
        products.append(products[-1] @ (slope[:, :, None] * params["W_hh"]))
    return np.stack(products, axis=1)


def lag_jacobian_norms(x: np.ndarray, h0: np.ndarray, params: Params) -> np.ndarray:
    """The spectral norms of d h_T / d h_{T-k} for k = 0, 1, ..., T: (B, T + 1)."""
    return np.linalg.norm(lag_jacobians(x, h0, params), 2, axis=(2, 3))


def fit_decay_rate(norms: np.ndarray) -> float:
    """The factor by which norms (K,), one for each lag from 0, change with each further lag.

    Equation ``eq-decay-rate``.
    A least-squares line through the logarithms; a norm of zero has underflowed and is left out.
    Raises ValueError when fewer than two norms are above zero.
    """
    lags = np.flatnonzero(norms > 0)
    if len(lags) < 2:
        raise ValueError(f"a line needs at least two norms above zero, and there are {len(lags)}.")
    return float(np.exp(np.polyfit(lags, np.log(norms[lags]), 1)[0]))


def orthogonal_blocks(draw: np.ndarray, gates: int) -> np.ndarray:
    """Recurrent weights (G*H, H) in which each of G blocks is orthogonal, from a normal draw.

    Each block (H, H) of the draw is replaced by the Q of its QR decomposition, signs chosen so that
    the diagonal of R is positive: Q is then uniformly distributed over the orthogonal matrices.
    Raises ValueError when the shape of the draw is not (G*H, H).
    Source: Mezzadri, Notices of the AMS 54, 2007.
    """
    if draw.ndim != 2 or draw.shape[0] != gates * draw.shape[1]:
        raise ValueError(f"{gates} gates need a draw of shape ({gates} * H, H), not {draw.shape}.")
    blocks = []
    for block in np.split(draw, gates):
        Q, R = np.linalg.qr(block)
        blocks.append(Q * np.sign(np.diag(R)))
    return np.concatenate(blocks)


def fate(W: np.ndarray) -> str:
    """What becomes of the norm of W^k as k grows: it vanishes, explodes, or does one after all.

    Equation ``eq-fate``.
    Takes W (H, H); returns `EXPLODES` when an eigenvalue is larger than 1 in size, `GROWS_FIRST`
    when none is but a singular value is, else `VANISHES`. A largest size of exactly 1 is between
    the cases, and counts as not larger.
    """
    if np.abs(np.linalg.eigvals(W)).max() > 1:
        return EXPLODES
    return GROWS_FIRST if np.linalg.norm(W, 2) > 1 else VANISHES
